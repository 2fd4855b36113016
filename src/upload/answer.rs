//! A server's answer, read to its end and no further than a limit.

use std::io::Read;

use sync_protocol::uploads::{DIGEST_HEADER, OFFSET_HEADER, VERSION_HEADER};
use sync_protocol::{EXTENSIONS_HEADER, Extensions};

use super::config::Secret;
use super::retry_after::RetryAfter;
use super::url::without_credentials;
use crate::text::one_line;

/// The longest answer that is read; real ones are a hundred bytes, that to a full batch has 100 KB if every row is refused.
const LIMIT: u64 = 256 << 10;

/// Characters of an answer's body that are shown.
const SHOWN: usize = 200;

/// What is needed of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub location: Option<String>,
    pub retry_after: Option<RetryAfter>,
    pub accept_encoding: Option<String>,
    /// What the server has beyond the contract.
    pub extensions: Extensions,
    /// What it says of an upload.
    pub upload: UploadFacts,
    /// What was sent with the request: a server may say it back, and it must not show.
    pub secret: Option<Secret>,
}

/// What an answer says of an upload ([`sync_protocol::uploads`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UploadFacts {
    /// Where it is, as the server says it.
    pub location: Option<String>,
    /// Bytes that are there.
    pub offset: Option<u64>,
    /// Their SHA-256.
    pub digest: Option<Vec<u8>>,
    /// It is the server's own answer, and not that of something between.
    pub is_tus: bool,
}

/// The SHA-256 among the digests of RFC 9530.
fn sha256(value: &str) -> Option<Vec<u8>> {
    let mut digests = value.split(',').filter_map(|one| one.trim().split_once('='));
    let (_, bytes) = digests.find(|(name, _)| *name == "sha-256")?;
    let encoded = bytes.strip_prefix(':')?.strip_suffix(':')?;
    base64_simd::STANDARD.decode_to_vec(encoded).ok()
}

impl Answer {
    /// Whether it tells which extensions the server has. A proxy before a server that is away, or that is asked too much,
    /// answers in its place and knows of none.
    pub(super) fn tells_extensions(&self) -> bool {
        !self.extensions.is_empty() || !matches!(self.status, 429 | 502..=504)
    }

    /// Reads an answer to its end, so that the connection can carry the next request.
    ///
    /// # Errors
    /// The body breaks off.
    pub(super) fn read(
        response: ureq::http::Response<ureq::Body>,
        secret: Option<&Secret>,
    ) -> Result<Self, ureq::Error> {
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_string)
        };
        let mut answer = Self {
            status: response.status().as_u16(),
            body: Vec::new(),
            location: header("location").map(|target| shown(&without_credentials(&target), secret)),
            retry_after: header("retry-after").and_then(|value| RetryAfter::parse(&value)),
            accept_encoding: header("accept-encoding"),
            extensions: Extensions::parse(
                response
                    .headers()
                    .get_all(EXTENSIONS_HEADER)
                    .iter()
                    .filter_map(|value| value.to_str().ok()),
            ),
            upload: UploadFacts {
                location: header("location"),
                offset: header(OFFSET_HEADER).and_then(|value| value.parse().ok()),
                digest: header(DIGEST_HEADER).and_then(|value| sha256(&value)),
                is_tus: header(VERSION_HEADER).is_some(),
            },
            secret: secret.cloned(),
        };
        response
            .into_body()
            .into_reader()
            .take(LIMIT + 1)
            .read_to_end(&mut answer.body)
            .map_err(ureq::Error::from)?;
        Ok(answer)
    }

    /// `HTTP 503: <start of the body>`, harmless and on one line.
    pub(super) fn message(&self) -> String {
        let body = self.start();
        if body.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}: {body}", self.status)
        }
    }

    /// The `id` of the answer: an integer, or one in a string.
    ///
    /// # Errors
    /// Why there is none, in French.
    pub(super) fn remote_id(&self) -> Result<i64, String> {
        if self.body.len() as u64 > LIMIT {
            return Err(format!("réponse de plus de {LIMIT} octets"));
        }
        let value: serde_json::Value =
            serde_json::from_slice(&self.body).map_err(|_| format!("réponse illisible: {}", self.start()))?;
        let id = match &value["id"] {
            serde_json::Value::Number(number) => number.as_i64(),
            serde_json::Value::String(text) => text.parse().ok(),
            _ => None,
        };
        id.ok_or_else(|| format!("réponse sans id utilisable: {}", self.start()))
    }

    /// The same answer with another status and body: what a batch's answer says of one of its rows.
    pub(super) fn of_row(&self, status: u16, body: String) -> Self {
        Self {
            status,
            body: body.into_bytes(),
            ..self.clone()
        }
    }

    fn start(&self) -> String {
        shown(&String::from_utf8_lossy(&self.body), self.secret.as_ref())
    }
}

/// The start of a text from outside, on one line and harmless to a terminal. The secret goes before the text is cut:
/// half of it would not be found.
fn shown(text: &str, secret: Option<&Secret>) -> String {
    let line = one_line(text);
    let line = secret.map_or_else(|| line.clone(), |secret| secret.hidden_in(&line));
    line.chars().take(SHOWN).collect()
}
