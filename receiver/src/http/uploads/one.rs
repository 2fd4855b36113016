//! `HEAD`, `PATCH` and `DELETE` of an upload.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sync_protocol::uploads::{LENGTH_HEADER, METADATA_HEADER, OFFSET_HEADER};

use super::checksum::Checksum;
use super::report::Reached;
use super::transfer::Transfer;
use super::{conflict, expires, headers, locked, not_found, undisturbed};
use crate::answer::Refusal;
use crate::http::body::{self, BodyReader};
use crate::http::{App, Owner};
use crate::store::{Held, Key, Then, Upload, Wish};

pub(super) async fn answer(app: Arc<App>, owner: Owner, id: String, method: Method, request: Request) -> Response {
    if let Err(refusal) = check_owner(&app, &owner, &id).await {
        return body::answer_unread(request, refusal);
    }
    let answer = match method {
        Method::PATCH => return patch(app, owner, id, request).await,
        Method::DELETE => undisturbed(async move { delete(&app, &id).await.into_response() }).await,
        _ => undisturbed(async move { head(&app, &id).await.into_response() }).await,
    };
    body::answer_unread(request, answer)
}

/// An upload is its device's own: to others there is none.
async fn check_owner(app: &App, owner: &Owner, id: &str) -> Result<(), Refusal> {
    let upload = app.store.upload(id).await.map_err(Refusal::unavailable)?;
    match upload {
        Some(upload) if owner.check_device(&upload.device_id).is_ok() => Ok(()),
        _ => Err(not_found()),
    }
}

async fn head(app: &App, id: &str) -> Result<Response, Refusal> {
    match app.store.quiet_upload(id).await.map_err(Refusal::unavailable)? {
        Wish::Seen(upload) => {
            let headers = [
                (OFFSET_HEADER, upload.durable.bytes.to_string()),
                (LENGTH_HEADER, upload.length_bytes.to_string()),
                expires(upload.expires_ms),
                (METADATA_HEADER, upload.metadata),
            ];
            Ok((StatusCode::OK, headers).into_response())
        }
        Wish::Held(_) | Wish::Locked => Err(locked()),
        Wish::Gone => Err(not_found()),
    }
}

async fn delete(app: &App, id: &str) -> Result<Response, Refusal> {
    match app.store.claim_upload(id).await.map_err(Refusal::unavailable)? {
        Wish::Held(held) => {
            let deleted = app.store.delete_upload(&held.upload).await;
            match deleted.map_err(Refusal::unavailable)? {
                true => Ok(StatusCode::NO_CONTENT.into_response()),
                false => Err(not_found()),
            }
        }
        // What was answered with 201 stays.
        Wish::Seen(_) => Err(conflict("le média est enregistré")),
        Wish::Locked => Err(locked()),
        Wish::Gone => Err(not_found()),
    }
}

async fn patch(app: Arc<App>, owner: Owner, id: String, request: Request) -> Response {
    match begin(&app, owner, &id, request.headers()).await {
        Err(refusal) => body::answer_unread(request, refusal),
        Ok(Begun::Complete(upload)) => body::answer_unread(request, progress(&upload, upload.length_bytes)),
        Ok(Begun::Receives(transfer)) => undisturbed(receive(app, transfer, request)).await,
    }
}

/// What is to be done about the body.
enum Begun {
    Complete(Upload),
    Receives(Box<Transfer>),
}

async fn begin(app: &Arc<App>, owner: Owner, id: &str, headers: &HeaderMap) -> Result<Begun, Refusal> {
    headers::check_body(headers)?;
    let offset_bytes = headers::offset(headers)?;
    let checksum = Checksum::of(headers)?;
    let held = match app.store.claim_upload(id).await.map_err(Refusal::unavailable)? {
        Wish::Held(held) => held,
        Wish::Seen(upload) if upload.length_bytes == offset_bytes => return Ok(Begun::Complete(upload)),
        Wish::Seen(_) => return Err(conflict("upload-offset: l'envoi est complet")),
        Wish::Locked => return Err(locked()),
        Wish::Gone => return Err(not_found()),
    };
    let upload = &held.upload;
    let most = upload.length_bytes.saturating_sub(offset_bytes);
    let wrong = if offset_bytes != upload.durable.bytes {
        Some(conflict(&format!(
            "upload-offset: {} est attendu",
            upload.durable.bytes
        )))
    } else if crate::http::headers::length(headers).unwrap_or(0) > most {
        Some(Refusal::too_long("le corps est plus long que ce qui manque"))
    } else {
        None
    };
    if let Some(refusal) = wrong {
        let_go(app, &held).await?;
        return Err(refusal);
    }
    let prefix = match app.store.prefix(upload).await {
        Ok(prefix) => prefix,
        Err(error) => {
            let_go(app, &held).await?;
            return Err(Refusal::unavailable(error));
        }
    };
    let key = upload.key.clone().map(|key| Key { owner: owner.0, key });
    Ok(Begun::Receives(Box::new(Transfer {
        app: Arc::clone(app),
        prefix: prefix.ok_or_else(not_found)?,
        held,
        checksum,
        key,
    })))
}

async fn let_go(app: &App, held: &Held) -> Result<(), Refusal> {
    let upload = &held.upload;
    let saved = app
        .store
        .save_upload(upload.hold(), upload.durable.clone(), Then::LetsGo);
    saved.await.map(|_| ()).map_err(Refusal::unavailable)
}

fn progress(upload: &Upload, offset_bytes: u64) -> Response {
    let headers = [(OFFSET_HEADER, offset_bytes.to_string()), expires(upload.expires_ms)];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn receive(app: Arc<App>, transfer: Box<Transfer>, request: Request) -> Response {
    let upload = transfer.held.upload.clone();
    let most = upload.length_bytes - upload.durable.bytes.min(upload.length_bytes);
    let mut pieces = BodyReader::new(&app.config, request.into_body(), most);
    match transfer.run(&mut pieces).await {
        Err(refusal) => pieces.answer(refusal),
        Ok(Reached::Part(prefix)) => pieces.answer(progress(&upload, prefix.bytes())),
        Ok(Reached::Whole(_)) => pieces.answer(progress(&upload, upload.length_bytes)),
    }
}
