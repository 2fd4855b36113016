//! Requests as the uploader makes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The contract's event.
pub fn event() -> String {
    concat!(
        r#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":1,"nom":"PIR Entrée","etat":1},"#,
        r#""device_id":"raspberry-1","source":"sync_service"}"#
    )
    .to_string()
}

/// The contract's clip around some base64.
pub fn media_body(video_data: &str) -> String {
    format!(
        concat!(
            r#"{{"date":"2025-12-18T17:30:00.123456","capteur":{{"id":4,"nom":"Caméra 1"}},"numero_camera":1,"#,
            r#""video_data":"{}","device_id":"raspberry-1","source":"sync_service"}}"#
        ),
        video_data
    )
}

/// The contract's clip with a video.
pub fn clip(video: &[u8]) -> String {
    media_body(&STANDARD.encode(video))
}

/// A request; `headers` are whole lines, each ended by `\r\n`.
pub fn post(path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: receiver\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The same without a length: the body in chunks of `size` bytes.
pub fn chunked(path: &str, headers: &str, body: &[u8], size: usize) -> Vec<u8> {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: receiver\r\nTransfer-Encoding: chunked\r\n{headers}\r\n").into_bytes();
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// Bytes that look like a video: nothing repeats (xorshift).
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// As `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
