//! What the headers of tus say.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sync_protocol::uploads::{
    CONTENT_TYPE, LENGTH_HEADER, MEDIA, METADATA_HEADER, OFFSET_HEADER, VERSION, VERSION_HEADER,
};

use crate::answer::Refusal;
use crate::http::headers;
use crate::json;
use crate::record::Clip;

/// Longest `Upload-Metadata`. Real ones have some 300 bytes.
const METADATA_MAX_BYTES: usize = 64 << 10;

/// The method: of a client that can do no others than `POST`, the one it names.
pub(super) fn method(request: &Request) -> Method {
    let named = request.headers().get("x-http-method-override");
    let named = named.and_then(|name| Method::from_bytes(name.as_bytes()).ok());
    named
        .filter(|_| request.method() == Method::POST)
        .unwrap_or_else(|| request.method().clone())
}

pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(VERSION_HEADER) {
        Some(version) if version == VERSION => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::PRECONDITION_FAILED,
            format!("Tus-Resumable: {VERSION} est attendu"),
        )),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64, Refusal> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    // A sign is no digit, though Rust takes one.
    let digits = value.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Refusal::bad(format!("{name}: un nombre d'octets est attendu")))
}

pub(super) fn length(headers: &HeaderMap, max_bytes: u64) -> Result<u64, Refusal> {
    let length = number(headers, LENGTH_HEADER)?;
    if length > max_bytes {
        return Err(json::clip_too_long(max_bytes));
    }
    Ok(length)
}

pub(super) fn offset(headers: &HeaderMap) -> Result<u64, Refusal> {
    number(headers, OFFSET_HEADER)
}

/// `Upload-Metadata` as it came, once it is known to name a clip.
pub(super) fn metadata(headers: &HeaderMap) -> Result<(String, Clip), Refusal> {
    let value = headers
        .get(METADATA_HEADER)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| wrong(&format!("{MEDIA} est attendu")))?;
    if value.len() > METADATA_MAX_BYTES {
        return Err(Refusal::too_long(format!(
            "{METADATA_HEADER}: plus de {METADATA_MAX_BYTES} octets"
        )));
    }
    Ok((value.to_string(), clip(value)?))
}

/// The clip that metadata names.
pub(super) fn clip(metadata: &str) -> Result<Clip, Refusal> {
    let mut found = None;
    for pair in metadata.split(',') {
        let (name, value) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        if name == MEDIA && found.replace(value).is_some() {
            return Err(wrong(&format!("{MEDIA} est présent deux fois")));
        }
    }
    let value = found.ok_or_else(|| wrong(&format!("{MEDIA} est attendu")))?;
    let json = STANDARD
        .decode(value.trim())
        .map_err(|_| wrong(&format!("{MEDIA}: base64 invalide")))?;
    json::clip(&json)
}

fn wrong(reason: &str) -> Refusal {
    Refusal::bad(format!("{METADATA_HEADER}: {reason}"))
}

/// The body must be bytes of a video as they are.
pub(super) fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_ours = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(CONTENT_TYPE.as_bytes()));
    let reason = if !is_ours {
        format!("Content-Type: {CONTENT_TYPE} est attendu")
    } else if headers::packing(headers)?.is_some() {
        "Content-Encoding: un envoi n'est pas compressé".to_string()
    } else {
        return Ok(());
    };
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason))
}
