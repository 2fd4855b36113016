//! What the headers of a request say.

use axum::http::{HeaderMap, StatusCode, header};
use sync_protocol::{KEY_HEADER, KEY_MAX_BYTES};

use crate::answer::Refusal;
use crate::decode::{ACCEPTED, Packing};
use crate::store::Key;

/// The bearer token; the name of the scheme comes in any case (RFC 9110, section 11.1).
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// `Idempotency-Key`: a quoted string as the IETF draft has it, or a bare one.
pub(super) fn key(headers: &HeaderMap, owner: Option<&str>) -> Result<Option<Key>, Refusal> {
    let Some(value) = headers.get(KEY_HEADER) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    let key = key
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key);
    if key.is_empty() || key.len() > KEY_MAX_BYTES {
        return Err(Refusal::bad(format!(
            "Idempotency-Key: 1 à {KEY_MAX_BYTES} caractères ASCII sont attendus"
        )));
    }
    Ok(Some(Key {
        owner: owner.map(str::to_string),
        key: key.to_string(),
    }))
}

/// `Content-Encoding`, when it is one of ours; `None` when the body is plain.
pub(super) fn packing(headers: &HeaderMap) -> Result<Option<Packing>, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let name = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        // Packed twice.
        (Some(_), Some(_)) => "?".to_string(),
    };
    if matches!(name.as_str(), "" | "identity") {
        return Ok(None);
    }
    Packing::named(&name).map(Some).ok_or_else(|| {
        Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Encoding: {ACCEPTED} sont acceptés"),
        )
    })
}

/// `Content-Length`, when it is there.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the sender waits for `100 Continue`.
pub(super) fn asks_first(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The headers of a request that has these lines.
#[cfg(test)]
pub(super) fn of_lines(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}
