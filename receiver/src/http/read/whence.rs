//! From where a request comes: which machine, and which site's page.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Version, header};

use super::Line;

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
    let known = [
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "cf-connecting-ip",
        "true-client-ip",
    ];
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| known.contains(&name) || name.starts_with("x-forwarded-"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::of_lines as headers;

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

    #[test]
    fn one_that_a_proxy_passes_on_is_not_of_this_machine() {
        let local = |more: &[(&'static str, &'static str)]| {
            let peer = Some("127.0.0.1".parse().unwrap());
            let version = Version::HTTP_11;
            Hop { peer, version }.is_own_machine(&headers(&[&[("host", "localhost")], more].concat()))
        };
        assert!(local(&[]) && local(&[("x-requested-with", "me")]));
        for name in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "cf-connecting-ip",
        ] {
            assert!(!local(&[(name, "a")]), "{name}");
        }
    }
}
