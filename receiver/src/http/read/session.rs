//! `GET /api/me`, and signing in and out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cookie::{self, Shown};
use super::guessing::{COME_AGAIN_S, Guesser, Turn};
use super::said::Said;
use super::shapes::Problem;
use super::visitor::{NoVisitor, Visitor, Way, by_session, check_site};
use super::{Line, Reader};
use crate::answer::Refusal;
use crate::people::{self, PASSWORD_MOST, SESSION_S, fingerprint, now_s};
use crate::store::StoreError;
use crate::store::people::{Attempt, NewPerson, NewSession, Person};

/// What is said of a name and a password that do not belong together.
const WRONG: &str = "nom ou mot de passe incorrect";

/// How often failures that count no more are looked for.
const FORGET_EVERY_S: i64 = 60;

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

async fn me_of(reader: &Reader, person: Person, sign_out: bool) -> Result<Me, StoreError> {
    Ok(Me {
        name: Some(person.name).filter(|name| !name.is_empty()),
        role: person.role.name(),
        devices: person.devices,
        sign_out,
        tokens_needed: reader.access.is_needed().await?,
        public_url: reader.public_url.clone(),
    })
}

/// Who one is here.
#[utoipa::path(get, path = "/api/me", responses(
    (status = 200, body = Me), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn me(State(reader): State<Arc<Reader>>, visitor: Visitor) -> Result<Json<Me>, Refusal> {
    let sign_out = matches!(visitor.way, Way::Session(_));
    let me = me_of(&reader, visitor.person, sign_out).await;
    me.map(Json).map_err(Refusal::unavailable)
}

/// A name and its password.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignIn {
    name: String,
    password: String,
}

/// Signs in. A wrong password says how long to wait before the next.
#[utoipa::path(post, path = "/api/session", request_body = SignIn, responses(
    (status = 200, body = Me), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 408, body = Problem), (status = 413, body = Problem, description = "A body of more than 16 KB"), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn begin(
    State(reader): State<Arc<Reader>>,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    said: Said,
) -> Result<Response, Response> {
    check_site(&headers).map_err(NoVisitor::into_response)?;
    let sign_in: SignIn = said.json().map_err(Refusal::into_response)?;
    let peer = line.map_or(IpAddr::from([0, 0, 0, 0]), |Extension(line)| line.peer);
    let attempts = Guesser::of(&headers, peer, reader.proxy.as_ref()).attempts(&sign_in.name);
    let found = try_in(&reader, sign_in, attempts).await?;
    let begun = begin_session(&reader, &found, &headers).await;
    let cookie = begun
        .map_err(Refusal::into_response)?
        .ok_or_else(|| wait(StatusCode::UNAUTHORIZED, WRONG, 0))?;
    let me = me_of(&reader, found.person, true).await.map_err(unwell)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(me)).into_response())
}

fn unwell(error: impl std::fmt::Display) -> Response {
    Refusal::unavailable(error).into_response()
}

/// Whom a name and a password are of. What comes too early, or finds too many waiting, costs a look at most: no hash, and nothing
/// that is written.
async fn try_in(reader: &Reader, sign_in: SignIn, attempts: Vec<Attempt>) -> Result<NewPerson, Response> {
    let early = |wait_s| wait(StatusCode::TOO_MANY_REQUESTS, "trop d'essais", wait_s);
    let early_s = reader.desk.wait_s(attempts.clone(), now_s()).await.map_err(unwell)?;
    if early_s > 0 {
        return Err(early(early_s));
    }
    let turn = reader.hashing.turn().await;
    let turn = turn.ok_or_else(|| wait(StatusCode::TOO_MANY_REQUESTS, "trop d'essais à la fois", COME_AGAIN_S))?;
    forget_failures(reader).await.map_err(unwell)?;
    let early_s = reader.desk.attempt(attempts.clone(), now_s()).await.map_err(unwell)?;
    if early_s > 0 {
        return Err(early(early_s));
    }
    let SignIn { name, password } = sign_in;
    let found = reader.desk.person(name).await.map_err(unwell)?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let right = verify(turn, password, hash).await.map_err(unwell)?;
    let Some(found) = found.filter(|_| right) else {
        let wait_s = reader.desk.wait_s(attempts, now_s()).await.map_err(unwell)?;
        return Err(wait(StatusCode::UNAUTHORIZED, WRONG, wait_s));
    };
    reader.desk.succeeded(attempts).await.map_err(unwell)?;
    Ok(found)
}

/// Now and then: there may be many, and to look through them all for each attempt would keep the writer of rows waiting.
async fn forget_failures(reader: &Reader) -> Result<(), StoreError> {
    let now_s = now_s();
    let at_s = reader.forgot_failures_s.load(Ordering::Relaxed);
    if (0..FORGET_EVERY_S).contains(&(now_s - at_s)) {
        return Ok(());
    }
    reader.forgot_failures_s.store(now_s, Ordering::Relaxed);
    reader.desk.forget_failures(now_s).await
}

/// Begins a session; gives its cookie, and none where the person or their password has changed meanwhile.
async fn begin_session(reader: &Reader, found: &NewPerson, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    if let Some(old) = Shown::of(headers) {
        // Whoever planted a session in this browser loses it. An id alone ends nobody's.
        let shown = by_session(reader, old).await.map_err(Refusal::unavailable)?;
        if shown.is_some() {
            let ended = reader.desk.end_session(old.id.to_string()).await;
            ended.map_err(Refusal::unavailable)?;
        }
    }
    let id = people::secret().map_err(Refusal::unavailable)?;
    let secret = people::secret().map_err(Refusal::unavailable)?;
    let cookie = cookie::set(&format!("{id}.{secret}"), SESSION_S, headers);
    let session = NewSession {
        id,
        secret: fingerprint(&secret),
        person: found.person.name.clone(),
        password_hash: found.password_hash.clone().unwrap_or_default(),
        expires_s: now_s() + SESSION_S,
    };
    let begun = reader.desk.begin_session(session, now_s()).await;
    Ok(begun.map_err(Refusal::unavailable)?.then_some(cookie))
}

async fn verify(turn: Turn, password: String, hash: Option<String>) -> Result<bool, tokio::task::JoinError> {
    if password.len() > PASSWORD_MOST {
        return Ok(false);
    }
    let work = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        people::verify(&password, hash.as_deref())
    });
    work.await
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
    let cookie = cookie::set("", 0, &headers);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
