//! `GET /api/me`, and signing in and out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::Problem;
use super::visitor::{COOKIE, NoVisitor, Visitor, Way, check_site, cookie};
use super::{Line, Reader};
use crate::answer::Refusal;
use crate::people::{self, PASSWORD_MOST, SESSION_S, fingerprint, now_s};
use crate::store::StoreError;
use crate::store::people::{Attempt, NewSession};

/// Whose request it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// Null on the receiver's own machine while nobody is set up.
    name: Option<String>,
    /// `viewer` or `admin`.
    role: &'static str,
    /// The devices that one sees, with `*` and `?`; all when null.
    devices: Option<String>,
    /// Whether there is a session to end.
    sign_out: bool,
    /// Whether a device needs a token to store.
    tokens_needed: bool,
    /// RECEIVER_PUBLIC_URL, where it is set.
    public_url: Option<String>,
}

async fn me_of(reader: &Reader, visitor: Visitor) -> Result<Me, StoreError> {
    Ok(Me {
        name: Some(visitor.person.name).filter(|name| !name.is_empty()),
        role: visitor.person.role.name(),
        devices: visitor.person.devices,
        sign_out: matches!(visitor.way, Way::Session(_)),
        tokens_needed: reader.access.is_needed().await?,
        public_url: reader.public_url.clone(),
    })
}

/// Who one is here.
#[utoipa::path(get, path = "/api/me", responses(
    (status = 200, body = Me), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn me(State(reader): State<Arc<Reader>>, visitor: Visitor) -> Result<Json<Me>, Refusal> {
    me_of(&reader, visitor).await.map(Json).map_err(Refusal::unavailable)
}

/// A body as JSON.
///
/// # Errors
/// 400: it is none, or a field is missing.
pub(super) fn json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("JSON invalide: {error}")))
}

/// A name and its password.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignIn {
    name: String,
    password: String,
}

/// Whose failures count: of a name from an address soon, of an address for all names later, of a name from everywhere
/// last and not for long, so that nobody can lock somebody else out.
fn attempts(name: &str, peer: IpAddr) -> Vec<Attempt> {
    let attempt = |subject: String, free, longest_s| Attempt {
        subject,
        free,
        longest_s,
    };
    vec![
        attempt(format!("{peer} {name}"), 3, 300),
        attempt(peer.to_string(), 10, 300),
        attempt(format!("* {name}"), 30, 30),
    ]
}

/// Signs in. A wrong password says how long to wait before the next.
#[utoipa::path(post, path = "/api/session", request_body = SignIn, responses(
    (status = 200, body = Me), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 413, description = "A body of more than 16 KB"), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn begin(
    State(reader): State<Arc<Reader>>,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    check_site(&headers).map_err(NoVisitor::into_response)?;
    let SignIn { name, password } = json(&body).map_err(Refusal::into_response)?;
    let unspecified = IpAddr::from([0, 0, 0, 0]);
    let peer = line.map_or(unspecified, |Extension(line)| line.peer.to_canonical());
    let unwell = |error: StoreError| Refusal::unavailable(error).into_response();

    let attempts = attempts(&name.chars().take(100).collect::<String>(), peer);
    let subjects: Vec<String> = attempts.iter().map(|attempt| attempt.subject.clone()).collect();
    let early_s = reader.desk.attempt(attempts, now_s()).await.map_err(unwell)?;
    if early_s > 0 {
        return Err(wait(StatusCode::TOO_MANY_REQUESTS, "trop d'essais", early_s));
    }
    let found = reader.desk.person(name).await.map_err(unwell)?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let right = verify(&reader, password, hash)
        .await
        .map_err(|error| Refusal::unavailable(error).into_response())?;
    let Some(found) = found.filter(|_| right) else {
        let wait_s = reader.desk.wait_s(subjects, now_s()).await.map_err(unwell)?;
        return Err(wait(StatusCode::UNAUTHORIZED, "nom ou mot de passe incorrect", wait_s));
    };
    reader.desk.succeeded(subjects).await.map_err(unwell)?;
    if let Some((old, _)) = cookie(&headers) {
        // Whoever planted a session in this browser loses it.
        reader.desk.end_session(old.to_string()).await.map_err(unwell)?;
    }
    let (id, secret) = people::secret()
        .and_then(|id| Ok((id, people::secret()?)))
        .map_err(|error| Refusal::unavailable(error).into_response())?;
    let session = NewSession {
        id: id.clone(),
        secret: fingerprint(&secret),
        person: found.person.name.clone(),
        expires_s: now_s() + SESSION_S,
    };
    reader.desk.begin_session(session, now_s()).await.map_err(unwell)?;
    let visitor = Visitor {
        person: found.person,
        way: Way::Session(id.clone()),
    };
    let me = me_of(&reader, visitor).await.map_err(unwell)?;
    let cookie = set_cookie(&format!("{id}.{secret}"), SESSION_S, &headers);
    Ok(([(header::SET_COOKIE, cookie)], Json(me)).into_response())
}

async fn verify(reader: &Reader, password: String, hash: Option<String>) -> Result<bool, String> {
    if password.len() > PASSWORD_MOST {
        return Ok(false);
    }
    let place = Arc::clone(&reader.hashing)
        .acquire_owned()
        .await
        .map_err(|error| error.to_string())?;
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        people::verify(&password, hash.as_deref())
    });
    work.await.map_err(|error| error.to_string())
}

fn wait(status: StatusCode, error: &str, wait_s: i64) -> Response {
    log::info!("{status}: {error}");
    let body = Json(serde_json::json!({ "error": error, "reason": "sign_in", "wait_s": wait_s }));
    if wait_s > 0 {
        (status, [(header::RETRY_AFTER, wait_s.to_string())], body).into_response()
    } else {
        (status, body).into_response()
    }
}

/// Signs out.
#[utoipa::path(delete, path = "/api/session", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn end(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if let Way::Session(id) = visitor.way {
        reader.desk.end_session(id).await.map_err(Refusal::unavailable)?;
    }
    let cookie = set_cookie("", 0, &headers);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// The session's cookie. Behind TLS, which the page's own address tells, it never travels without.
fn set_cookie(value: &str, age_s: i64, headers: &HeaderMap) -> String {
    let is = |name: &str, start: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.starts_with(start))
    };
    let secure = if is("origin", "https://") || is("x-forwarded-proto", "https") {
        "; Secure"
    } else {
        ""
    };
    format!("{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}")
}
