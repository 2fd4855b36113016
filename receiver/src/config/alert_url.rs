//! Where alerts go. The address may be a secret as a whole: a password in it, or a path that nobody else knows.

use std::ffi::OsString;
use std::fmt;

use reqwest::Url;

use super::{ConfigError, wrong};

/// An address that shows no more of itself than its host.
#[derive(Clone)]
pub(crate) struct AlertUrl {
    url: Url,
    topic: Option<String>,
}

impl AlertUrl {
    pub(super) fn new(text: &OsString) -> Result<Self, ConfigError> {
        let hidden = || {
            let reason = "expected an address like https://ntfy.example.org/#topic (what was given is not shown)";
            wrong("RECEIVER_ALERT_URL", "...".to_string(), reason.to_string())
        };
        let mut url = text.to_str().and_then(web_url).ok_or_else(hidden)?;
        // A part that no server sees: ntfy wants its topic in the body.
        let topic = url.fragment().filter(|topic| !topic.is_empty()).map(str::to_string);
        url.set_fragment(None);
        Ok(Self { url, topic })
    }

    /// What is asked for.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// `topic` of what is sent, if it is given.
    pub(crate) fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }
}

impl fmt::Display for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or("?"))?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlertUrl({self})")
    }
}

/// An address of the web.
pub(super) fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}
