//! URLs from settings: parsed once, here, and never shown with what may be a password.

use ureq::http::Uri;

/// An `http` or `https` URL with a server's name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebUrl {
    text: String,
    uri: Uri,
}

impl WebUrl {
    /// A URL that paths are put behind: without credentials, query or fragment; a trailing slash goes.
    ///
    /// # Errors
    /// Why it can't be used, in French.
    pub(crate) fn base(text: &str) -> Result<Self, &'static str> {
        // Also in the path: `http://user:1/pass@host` has its credentials there.
        if text.contains('@') {
            return Err("pas d'identifiants dans l'URL, utilisez BACKEND_TOKEN (un @ du chemin s'écrit %40)");
        }
        let text = text.trim().trim_end_matches('/');
        let url = Self::parse(text)?;
        if text.contains(['?', '#']) {
            return Err("l'URL ne doit contenir ni ? ni #");
        }
        Ok(url)
    }

    /// A URL that is used as it is.
    ///
    /// # Errors
    /// Why it can't be used, in French.
    pub(crate) fn whole(text: &str) -> Result<Self, &'static str> {
        Self::parse(text.trim())
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Err("l'URL doit commencer par http:// ou https://");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("l'URL contient un espace ou un caractère de contrôle");
        }
        let uri = Uri::try_from(text).map_err(|_| "l'URL n'a pas de nom de serveur valable")?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("pas d'identifiants dans l'URL");
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err("l'URL n'a pas de nom de serveur valable");
        }
        if authority.len() > host.len() && !matches!(uri.port_u16(), Some(1..)) {
            return Err("le port doit être un nombre de 1 à 65535");
        }
        Ok(Self {
            text: text.to_string(),
            uri,
        })
    }

    /// As it was given.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is encrypted.
    #[must_use]
    pub(super) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The server's name or address, an IPv6 address without its brackets.
    #[must_use]
    pub(super) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// Whether both lead to the same server (RFC 6454: scheme, host and port).
    #[must_use]
    pub(super) fn has_origin_of(&self, other: &WebUrl) -> bool {
        let port = |url: &WebUrl| url.uri.port_u16().unwrap_or(if url.is_https() { 443 } else { 80 });
        self.is_https() == other.is_https()
            && self.host().eq_ignore_ascii_case(other.host())
            && port(self) == port(other)
    }
}

/// Its path may be a secret.
impl std::fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebUrl({})", self.host())
    }
}

/// A text that may be a URL, or several, without what stands before the last `@`: credentials are secrets also where
/// they make a URL unusable.
#[must_use]
pub(crate) fn without_credentials(text: &str) -> String {
    match text.rfind('@') {
        Some(at) => format!("***{}", &text[at..]),
        None => text.to_string(),
    }
}

/// The URL that `reference` names, said by an answer of `asked`. `None` where it names another server: a token must not
/// travel there.
pub(super) fn resolve(asked: &str, reference: &str) -> Option<String> {
    let authority = asked.find("://")? + 3;
    let origin = &asked[..asked[authority..].find('/')? + authority];
    let clean = reference.bytes().all(|byte| byte.is_ascii_graphic());
    if !clean || reference.is_empty() || reference.starts_with("//") || reference.starts_with("?") {
        return None;
    }
    if reference.contains("://") {
        let path = reference.strip_prefix(origin)?;
        return path.starts_with('/').then(|| reference.to_string());
    }
    if reference.starts_with('/') {
        return Some(format!("{origin}{reference}"));
    }
    let folder = &asked[..=asked.rfind('/')?];
    Some(format!("{folder}{reference}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_taken_only_at_the_server_that_says_it() {
        let asked = "https://b.example/p/api/media/uploads";
        for (reference, expected) in [
            ("uploads/7", Some("https://b.example/p/api/media/uploads/7")),
            ("/x/7", Some("https://b.example/x/7")),
            ("https://b.example/x", Some("https://b.example/x")),
            ("https://b.example.evil/x", None),
            ("http://b.example/x", None),
            ("//evil/x", None),
            ("a b", None),
            ("", None),
        ] {
            assert_eq!(resolve(asked, reference).as_deref(), expected, "{reference}");
        }
    }

    #[test]
    fn urls_that_can_not_be_used_are_told_from_those_that_can() {
        for good in [
            "http://backend:8000",
            "https://b/prefix",
            "http://[::1]:8000",
            "http://[fd00::1]",
            "https://a.b.c/",
            "http://192.168.1.5:1/x/y",
        ] {
            assert!(WebUrl::base(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "backend:8000",
            "ftp://a",
            "http://",
            "http:///x",
            "http://:80",
            "http://a:99999",
            "http://a:0",
            "http://a:",
            "http://a:x",
            "http://[::1]:x",
            "http://[::1",
            "http://a?x=1",
            "http://a/#x",
            "http://a b",
            "http://me:pa55@host",
            "http://me:1/pa55@host",
        ] {
            assert!(WebUrl::base(bad).is_err(), "{bad}");
        }
        assert!(WebUrl::whole("https://kuma/api/push/x?status=up&msg=a@b").is_ok());
        assert!(WebUrl::whole("https://me:pa55@kuma/x").is_err());
    }

    #[test]
    fn nothing_before_the_last_at_is_shown() {
        for (text, shown) in [
            ("http://host", "http://host"),
            ("http://me:pa55@host/x", "***@host/x"),
            ("http://me:pa,ss@host", "***@host"),
            ("http://me:p@ss@host", "***@host"),
            ("http://a, http://me:pa/ss@host", "***@host"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
        let secret = WebUrl::whole("https://hc.example/ping/s3cret").unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let url = |text| WebUrl::whole(text).unwrap();
        for same in ["https://a/x", "https://A:443", "https://a?y"] {
            assert!(url("https://a").has_origin_of(&url(same)), "{same}");
        }
        for other in ["http://a:443", "https://b", "https://a:8443", "https://a.b"] {
            assert!(!url("https://a").has_origin_of(&url(other)), "{other}");
        }
    }
}
