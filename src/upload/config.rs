//! What the wire is told, and what can be wrong with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::timetable::Timetable;
use super::url::WebUrl;

/// What URLs write with `%` (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Keeps `value`.
    #[must_use]
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The value of `Authorization`: the one place where it shows.
    #[must_use]
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` without the value, also as JSON (`\/`) and URLs (`%2F`) write it.
    #[must_use]
    pub(super) fn hidden_in(&self, text: &str) -> String {
        let in_url = utf8_percent_encode(&self.0, RESERVED).to_string();
        [self.0.replace('/', "\\/"), in_url]
            .iter()
            .fold(text.replace(&self.0, "***"), |text, form| text.replace(form, "***"))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// `SYNC_COMPRESSION`: how clips are packed on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compression {
    /// Plain until an answer says what the server takes (RFC 7694), then the best of that.
    #[default]
    Auto,
    /// Plain.
    None,
    /// gzip from the first clip.
    Gzip,
    /// zstd from the first clip.
    Zstd,
}

/// How long the wire may stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// To resolve a name and connect, TLS included.
    pub connect: Duration,
    /// For an event, all in all.
    pub event: Duration,
    /// Without a byte read or written, for a clip.
    pub no_progress: Duration,
    /// For `100 Continue`, once per backend that ignores the question.
    pub await_100: Duration,
    /// For an answer's head, from the end of the request.
    pub answer_head: Duration,
    /// For the rest of it.
    pub answer_body: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            event: Duration::from_secs(10),
            no_progress: Duration::from_secs(30),
            await_100: Duration::from_secs(1),
            answer_head: Duration::from_secs(60),
            answer_body: Duration::from_secs(60),
        }
    }
}

/// Everything the wire is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadConfig {
    /// Base URLs in order of preference, without trailing slash.
    pub backends: Vec<WebUrl>,
    /// How clips are packed.
    pub compression: Compression,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
    /// How fast bytes may leave.
    pub max_rate: Timetable,
    /// The device's name in every body.
    pub device_id: String,
    /// Patience.
    pub timeouts: Timeouts,
}

impl UploadConfig {
    /// The files of the client's certificate and its key.
    pub(super) fn client_identity(&self) -> Option<(&Path, &Path)> {
        self.client_cert.as_deref().zip(self.client_key.as_deref())
    }
}

/// A setting of the wire that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadError {
    pub(super) variable: &'static str,
    pub(super) value: String,
    pub(super) reason: String,
}

impl std::fmt::Display for UploadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Configuration invalide: {}={:?}: {}",
            self.variable, self.value, self.reason
        )
    }
}

impl std::error::Error for UploadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_however_it_is_written() {
        let secret = Secret::new("ab/c+d=".to_string());
        for text in ["ab/c+d=", "ab\\/c+d=", "ab%2Fc%2Bd%3D"] {
            assert_eq!(secret.hidden_in(&format!("<{text}> {text}")), "<***> ***");
        }
        assert_eq!(secret.hidden_in("abc"), "abc");
    }
}
