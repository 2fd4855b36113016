//! The one door: who a request is of, and whether it may write.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};

use super::cookie::{Renewed, Shown};
use super::{Line, Reader};
use crate::answer::Refusal;
use crate::http::headers;
use crate::people::{SESSION_S, fingerprint, now_s, same};
use crate::store::StoreError;
use crate::store::people::{Person, Role};

/// A session lives on when this much of its time is used up: not every request writes.
const PROLONG_AFTER_S: i64 = 86_400;

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

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Hop {
    pub(in crate::http) peer: Option<IpAddr>,
    pub(in crate::http) version: Version,
}

impl Hop {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            peer: parts.extensions.get::<Line>().map(|line| line.peer),
            version: parts.version,
        }
    }

    /// Whether somebody on this machine asks, as far as it can be told: a proxy here asks from here too. What gives
    /// one away is a header of its own, the name it was asked by, or HTTP/1.0, which no browser speaks and which nginx
    /// spoke to what is behind it until 1.29, adding no header, unless it was told otherwise.
    pub(in crate::http) fn is_own_machine(&self, headers: &HeaderMap) -> bool {
        self.peer.is_some_and(|peer| peer.to_canonical().is_loopback())
            && self.version != Version::HTTP_10
            && !is_forwarded(headers)
            && is_local_name(headers)
    }
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
                "aucune personne n'est enregistrée: seule la machine du récepteur peut lire; lancez-y « sync-receiver user add NOM --admin »",
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
        let prolonged = reader.desk.prolong_session(id.clone(), now_s() + SESSION_S).await;
        prolonged.map_err(NoVisitor::Unwell)?;
        // The browser forgets its cookie on the day it was told.
        if let Some(renewed) = parts.extensions.get::<Renewed>() {
            renewed.set(&parts.headers, SESSION_S);
        }
        visitor.is_due = false;
    }
    Ok(visitor)
}

/// Finds whose request it is; changes nothing.
pub(super) async fn who(reader: &Reader, headers: &HeaderMap, hop: Hop) -> Result<Visitor, NoVisitor> {
    if headers::token(headers).is_some() {
        return Err(NoVisitor::Device);
    }
    let proxy = reader.proxy.as_ref();
    let proxy = proxy.filter(|proxy| hop.peer.is_some_and(|peer| proxy.trusts(peer)));
    if let Some(header) = proxy.and_then(|proxy| proxy.header.as_ref()) {
        if let Some(name) = headers.get(header) {
            let name = name.to_str().unwrap_or_default().trim().to_string();
            let found = reader.desk.person(name).await.map_err(NoVisitor::Unwell)?;
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
        is_due: session.expires_s - now < SESSION_S - PROLONG_AFTER_S,
    }))
}

/// Lets what changes something pass when it comes from our own page, or from no page at all.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), NoVisitor> {
    if is_of_other_site(headers) {
        Err(NoVisitor::OtherSite)
    } else {
        Ok(())
    }
}

/// Whether a page of another site asks. A browser says it itself: `Sec-Fetch-Site` over TLS and on the same machine, else
/// `Origin`.
pub(in crate::http) fn is_of_other_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let host = headers.get(header::HOST).map(axum::http::HeaderValue::as_bytes);
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    own.is_none_or(|(_, authority)| Some(authority.as_bytes()) != host)
}

/// A proxy on this machine makes everybody's requests look like our own.
fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via", "x-forwarded-host"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// A page elsewhere may give its own name our address; the browser then still sends that name.
fn is_local_name(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

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

    #[test]
    fn the_own_machine_is_called_by_its_own_name() {
        for host in [
            "localhost",
            "localhost:8000",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
            "127.9.9.9",
        ] {
            assert!(is_local_name(&headers(&[("host", host)])), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "192.0.2.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!is_local_name(&headers(&[("host", host)])), "{host}");
        }
    }
}
