//! The one door: who a request is of, and whether it may write.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Reader;
use super::cookie::{Renewed, Shown};
use super::whence::{Hop, is_of_other_site};
use crate::answer::Refusal;
use crate::http::headers;
use crate::people::{SESSION_S, fingerprint, now_s, same};
use crate::store::StoreError;
use crate::store::people::{Person, Role};

/// A session lives on when this much of its time is used up: not every request writes.
const PROLONG_AFTER_S: i64 = 86_400;

/// How long one who reads waits for that.
const PROLONG_WITHIN: Duration = Duration::from_secs(1);

/// When it is tried again where it failed, for anybody.
const PROLONG_AGAIN_S: i64 = 10;

/// How a person came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By a session of this id.
    Session(String),
    /// A trusted proxy said so.
    Proxy,
    /// Nobody is set up, and this is the receiver's own machine.
    Local,
}

/// A person whose request this is. No handler that reads does without.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) person: Person,
    pub(super) way: Way,
    /// Their session has not been prolonged for long.
    pub(super) is_due: bool,
}

/// Why a request is nobody's.
#[derive(Debug)]
pub(super) enum NoVisitor {
    /// No session, or one that is over.
    SignIn,
    /// Nobody is set up, and this is not the receiver's own machine.
    NoPeople,
    /// A proxy names somebody who is not set up.
    UnknownPerson,
    /// A device's token: it reads nothing.
    Device,
    /// Another site's page asks for a change.
    OtherSite,
    /// The database does not answer.
    Unwell(StoreError),
}

impl NoVisitor {
    fn refusal(self) -> (Refusal, Option<&'static str>) {
        let (status, text, reason) = match self {
            Self::SignIn => (StatusCode::UNAUTHORIZED, "connexion requise", "sign_in"),
            Self::NoPeople => (
                StatusCode::UNAUTHORIZED,
                "aucune personne n'est enregistrée: seule la machine du récepteur peut lire; lancez-y « sync-receiver --data DOSSIER user add NOM --admin » (paquet Debian: « sudo -u sync-receiver sync-receiver --data /var/lib/sync-receiver user add NOM --admin »)",
                "no_people",
            ),
            Self::UnknownPerson => (
                StatusCode::FORBIDDEN,
                "la personne nommée par le proxy n'est pas enregistrée",
                "unknown_person",
            ),
            Self::Device => (StatusCode::FORBIDDEN, "le jeton d'un appareil ne lit rien", "device"),
            Self::OtherSite => (StatusCode::FORBIDDEN, "demande venue d'un autre site", "other_site"),
            Self::Unwell(error) => return (Refusal::unavailable(error), None),
        };
        (Refusal::new(status, text), Some(reason))
    }
}

impl IntoResponse for NoVisitor {
    fn into_response(self) -> Response {
        let (refusal, reason) = self.refusal();
        let Some(reason) = reason else {
            return refusal.into_response();
        };
        log::info!("{}: {}", refusal.status, refusal.reason);
        let body = serde_json::json!({ "error": refusal.reason, "reason": reason });
        (refusal.status, axum::Json(body)).into_response()
    }
}

impl FromRequestParts<Arc<Reader>> for Visitor {
    type Rejection = NoVisitor;

    async fn from_request_parts(parts: &mut Parts, reader: &Arc<Reader>) -> Result<Self, NoVisitor> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            check_site(&parts.headers)?;
        }
        let_in(reader, parts).await
    }
}

/// Finds whose request it is, and lets their session live on.
pub(super) async fn let_in(reader: &Reader, parts: &Parts) -> Result<Visitor, NoVisitor> {
    let mut visitor = who(reader, &parts.headers, Hop::of(parts)).await?;
    if let (Way::Session(id), true) = (&visitor.way, visitor.is_due) {
        if prolong(reader, id.clone()).await {
            // The browser forgets its cookie on the day it was told.
            if let Some(renewed) = parts.extensions.get::<Renewed>() {
                renewed.set(&parts.headers, SESSION_S);
            }
            visitor.is_due = false;
        }
    }
    Ok(visitor)
}

/// Lets a session live on. Where nothing can be written, on a full disk for example, who reads goes on reading, and it is tried
/// again later.
async fn prolong(reader: &Reader, id: String) -> bool {
    let now_s = now_s();
    let tried_s = reader.prolonging_failed_s.load(Ordering::Relaxed);
    if (0..PROLONG_AGAIN_S).contains(&(now_s - tried_s)) {
        return false;
    }
    let prolonged = reader.desk.prolong_session(id, now_s + SESSION_S);
    let reason = match tokio::time::timeout(PROLONG_WITHIN, prolonged).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database takes too long".to_string(),
    };
    log::warn!("a session can't be prolonged, which is tried again: {reason}");
    reader.prolonging_failed_s.store(now_s, Ordering::Relaxed);
    false
}

/// Finds whose request it is; changes nothing.
pub(super) async fn who(reader: &Reader, headers: &HeaderMap, hop: Hop) -> Result<Visitor, NoVisitor> {
    if headers::token(headers).is_some() {
        return Err(NoVisitor::Device);
    }
    let proxy = reader.proxy.as_ref();
    let proxy = proxy.filter(|proxy| hop.peer.is_some_and(|peer| proxy.trusts(peer)));
    if let Some(header) = proxy.and_then(|proxy| proxy.header.as_ref()) {
        if let Some(name) = named(headers, header) {
            let found = match name {
                Some(name) => reader.desk.person(name).await.map_err(NoVisitor::Unwell)?,
                None => None,
            };
            let person = found.ok_or(NoVisitor::UnknownPerson)?.person;
            return Ok(Visitor {
                person,
                way: Way::Proxy,
                is_due: false,
            });
        }
    }
    if let Some(shown) = Shown::of(headers) {
        if let Some(visitor) = by_session(reader, shown).await.map_err(NoVisitor::Unwell)? {
            return Ok(visitor);
        }
    }
    if reader.desk.has_people().await.map_err(NoVisitor::Unwell)? {
        return Err(NoVisitor::SignIn);
    }
    if !hop.is_own_machine(headers) {
        return Err(NoVisitor::NoPeople);
    }
    Ok(Visitor {
        person: Person {
            name: String::new(),
            role: Role::Admin,
            devices: None,
        },
        way: Way::Local,
        is_due: false,
    })
}

/// Whom a proxy names; nobody where the header came twice: then one may be from whom it passed on.
fn named(headers: &HeaderMap, header: &HeaderName) -> Option<Option<String>> {
    let mut values = headers.get_all(header).iter();
    let first = values.next()?;
    if values.next().is_some() {
        log::warn!("{header} came twice: the proxy must remove it from what comes from outside");
        return Some(None);
    }
    let name = std::str::from_utf8(first.as_bytes()).ok();
    Some(name.map(|name| name.trim().to_string()))
}

/// Whose the shown session is, while it lives.
pub(super) async fn by_session(
    reader: &Reader,
    Shown { id, secret, .. }: Shown<'_>,
) -> Result<Option<Visitor>, StoreError> {
    let Some(session) = reader.desk.session(id.to_string()).await? else {
        return Ok(None);
    };
    let now = now_s();
    if !same(&session.secret, &fingerprint(secret)) || session.expires_s <= now {
        return Ok(None);
    }
    Ok(Some(Visitor {
        person: session.person,
        way: Way::Session(id.to_string()),
        is_due: is_due(session.expires_s - now),
    }))
}

/// Whether a session that has this much left is to live on from now. One that has far too much was begun while the clock was
/// ahead, and would be good for as long as that was.
fn is_due(left_s: i64) -> bool {
    !(SESSION_S - PROLONG_AFTER_S..=SESSION_S + PROLONG_AFTER_S).contains(&left_s)
}

/// Lets what changes something pass when it comes from our own page, or from no page at all.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), NoVisitor> {
    if is_of_other_site(headers) {
        Err(NoVisitor::OtherSite)
    } else {
        Ok(())
    }
}

impl Visitor {
    /// Only an admin goes on.
    ///
    /// # Errors
    /// 403.
    pub(super) fn admin(&self) -> Result<(), Refusal> {
        match self.person.role {
            Role::Admin => Ok(()),
            Role::Viewer => Err(Refusal::new(StatusCode::FORBIDDEN, "réservé aux administrateurs")),
        }
    }

    /// Whether a device is theirs to see.
    pub(super) fn sees(&self, device_id: &str) -> bool {
        let devices = self.person.devices.as_deref();
        devices.is_none_or(|pattern| crate::people::matches(pattern, device_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::of_lines as headers;

    #[test]
    fn a_change_comes_from_our_own_page() {
        let good: [&[(&str, &str)]; 4] = [
            &[],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://sync.example.org"),
                ("host", "127.0.0.1:8000"),
            ],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://192.0.2.1:8000"), ("host", "192.0.2.1:8000")],
        ];
        for lines in good {
            assert!(check_site(&headers(lines)).is_ok(), "{lines:?}");
        }
        let bad: [&[(&str, &str)]; 5] = [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://evil.example"), ("host", "192.0.2.1:8000")],
            &[("origin", "null"), ("host", "192.0.2.1:8000")],
            &[("origin", "http://192.0.2.1:8001"), ("host", "192.0.2.1:8000")],
        ];
        for lines in bad {
            assert!(check_site(&headers(lines)).is_err(), "{lines:?}");
        }
    }
}
