//! `/api/media/uploads`: clips that go on after a break, by tus 1.0.0.

mod checksum;
mod create;
mod handover;
mod headers;
mod one;
mod report;
mod transfer;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sync_protocol::uploads::{EXPIRES_HEADER, VERSION, VERSION_HEADER};

use super::{App, Owner, body, method_not_allowed};
use crate::answer::Refusal;

/// Extensions of tus.
const TUS_EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination,checksum";

/// `OPTIONS` and `POST` to where uploads are created.
pub(super) async fn all(State(app): State<Arc<App>>, Extension(owner): Extension<Owner>, request: Request) -> Response {
    let response = match headers::method(&request) {
        Method::OPTIONS => options(&app, request),
        Method::POST => match headers::check_version(request.headers()) {
            Ok(()) => create::post(app, owner, request).await,
            Err(refusal) => wrong_version(request, refusal),
        },
        _ => method_not_allowed(request).await,
    };
    finish(response)
}

/// `HEAD`, `PATCH` and `DELETE` of an upload.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let method = headers::method(&request);
    let response = match method {
        Method::OPTIONS => options(&app, request),
        Method::HEAD | Method::PATCH | Method::DELETE => match headers::check_version(request.headers()) {
            Ok(()) => one::answer(app, owner, id, method, request).await,
            Err(refusal) => wrong_version(request, refusal),
        },
        _ => method_not_allowed(request).await,
    };
    finish(response)
}

/// What every answer says.
fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn options(app: &App, request: Request) -> Response {
    let answer = [
        ("tus-version", VERSION.to_string()),
        ("tus-extension", TUS_EXTENSIONS.to_string()),
        ("tus-max-size", app.config.max_clip_bytes.to_string()),
        ("tus-checksum-algorithm", checksum::ALGORITHMS.to_string()),
    ];
    body::answer_unread(request, (StatusCode::NO_CONTENT, answer))
}

fn wrong_version(request: Request, refusal: Refusal) -> Response {
    let mut response = body::answer_unread(request, refusal);
    let version = HeaderName::from_static("tus-version");
    response
        .headers_mut()
        .insert(version, HeaderValue::from_static(VERSION));
    response
}

/// Until when an upload is kept, as `Upload-Expires` has it.
fn expires(unix_ms: i64) -> (&'static str, String) {
    let since = std::time::Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
    (EXPIRES_HEADER, httpdate::fmt_http_date(std::time::UNIX_EPOCH + since))
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "envoi inconnu ou expiré")
}

/// 423: its holder did not let it go in time.
fn locked() -> Refusal {
    Refusal {
        status: StatusCode::LOCKED,
        ..Refusal::busy("une autre requête écrit cet envoi", 5)
    }
}

/// 409: as things are, not with this request.
fn conflict(reason: &str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, reason)
}

/// Runs what must not end when its client leaves, and answers with what came of it.
async fn undisturbed(work: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(error) => Refusal::unavailable(error).into_response(),
    }
}
