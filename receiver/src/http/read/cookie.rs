//! The cookie of a session: `id.secret`.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Without TLS, where anybody on the line, and any page of a neighbouring name, may have set it.
const PLAIN: &str = "receiver_session";

/// Behind TLS: a browser takes a cookie of this name from this very server alone, and over TLS alone.
const SECURE: &str = "__Host-receiver_session";

/// A session as a browser shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    is_secure: bool,
}

impl<'a> Shown<'a> {
    /// The session that a request shows; behind TLS only what came over TLS.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let shown = |name, is_secure| {
            let (id, secret) = value(headers, name)?.split_once('.')?;
            Some(Self { id, secret, is_secure })
        };
        shown(SECURE, true).or_else(|| shown(PLAIN, false).filter(|_| !is_tls(headers)))
    }
}

fn value<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut cookies = all
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// Whether the browser came over TLS, as far as it or a proxy says so.
fn is_tls(headers: &HeaderMap) -> bool {
    let is = |name: &str, start: &str| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.starts_with(start))
    };
    is("origin", "https://") || is("x-forwarded-proto", "https")
}

/// Sets the cookie, for as long as `age_s`. A browser that has one gets its like; what begins behind TLS never travels without.
pub(super) fn set(value: &str, age_s: i64, headers: &HeaderMap) -> String {
    let is_secure = is_tls(headers) || Shown::of(headers).is_some_and(|shown| shown.is_secure);
    let (name, secure) = if is_secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}")
}

/// Where a request leaves the cookie that goes with its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewed(Arc<OnceLock<HeaderValue>>);

impl Renewed {
    /// The shown session lives on, and so shall its cookie.
    pub(super) fn set(&self, headers: &HeaderMap, age_s: i64) {
        let Some(Shown { id, secret, .. }) = Shown::of(headers) else {
            return;
        };
        if let Ok(cookie) = HeaderValue::try_from(set(&format!("{id}.{secret}"), age_s, headers)) {
            // Set once: a request has one session.
            let _ = self.0.set(cookie);
        }
    }
}

/// Sends the cookie again with the answer to a request that lets its session live on.
pub(super) async fn renew(mut request: Request, next: Next) -> Response {
    let renewed = Renewed::default();
    request.extensions_mut().insert(renewed.clone());
    let mut response = next.run(request).await;
    if let Some(cookie) = renewed.0.get() {
        // Signing in and out have set their own.
        response
            .headers_mut()
            .entry(header::SET_COOKIE)
            .or_insert_with(|| cookie.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::of_lines as headers;

    fn ids(lines: &[(&'static str, &'static str)]) -> Option<(String, String)> {
        let headers = headers(lines);
        Shown::of(&headers).map(|shown| (shown.id.to_string(), shown.secret.to_string()))
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = Some(("id".to_string(), "secret".to_string()));
        assert_eq!(ids(&[("cookie", "a=b; receiver_session=id.secret; c=d")]), found);
        assert_eq!(ids(&[("cookie", "a=b; __Host-receiver_session=id.secret")]), found);
        assert_eq!(ids(&[("cookie", "xreceiver_session=id.secret")]), None);
        assert_eq!(ids(&[("cookie", "receiver_session=id")]), None);
    }

    #[test]
    fn what_came_over_tls_wins_and_behind_tls_it_alone_counts() {
        let both = ("cookie", "receiver_session=planted.x; __Host-receiver_session=own.y");
        assert_eq!(ids(&[both]), Some(("own".to_string(), "y".to_string())));
        let tls = ("x-forwarded-proto", "https");
        assert_eq!(ids(&[("cookie", "receiver_session=planted.x"), tls]), None);
    }

    #[test]
    fn a_cookie_that_is_sent_again_is_like_the_one_that_was_shown() {
        let again = |lines| set("id.secret", 9, &headers(lines));
        let plain = "receiver_session=id.secret; Path=/; Max-Age=9; HttpOnly; SameSite=Lax";
        assert_eq!(again(&[("cookie", "receiver_session=id.secret")]), plain);
        let secure = "__Host-receiver_session=id.secret; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(again(&[("cookie", "__Host-receiver_session=id.secret")]), secure);
    }
}
