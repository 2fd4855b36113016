//! Requests of tus, as a client makes them that knows nothing of this receiver.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Answer, Client, Receiver};

pub const UPLOADS: &str = "/api/media/uploads";

/// `Upload-Metadata` with the contract's clip.
pub fn metadata() -> String {
    metadata_of(concat!(
        r#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":4,"nom":"Caméra 1"},"numero_camera":1,"#,
        r#""device_id":"raspberry-1","source":"sync_service"}"#
    ))
}

pub fn metadata_of(json: &str) -> String {
    format!(
        "Upload-Metadata: filename Y2xpcA==, media {}\r\n",
        STANDARD.encode(json)
    )
}

/// A request with a body of so many bytes; its headers alone.
pub fn begin(method: &str, path: &str, headers: &str, length: usize) -> String {
    let content = if length > 0 {
        "Content-Type: application/offset+octet-stream\r\n"
    } else {
        ""
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: receiver\r\nTus-Resumable: 1.0.0\r\nContent-Length: {length}\r\n{content}{headers}\r\n"
    )
}

pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = begin(method, path, headers, body.len()).into_bytes();
    request.extend_from_slice(body);
    request
}

pub fn creation(length: usize, headers: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("Upload-Length: {length}\r\n{}{headers}", metadata());
    request("POST", UPLOADS, &headers, body)
}

pub fn patch(path: &str, offset: usize, headers: &str, body: &[u8]) -> Vec<u8> {
    request("PATCH", path, &format!("Upload-Offset: {offset}\r\n{headers}"), body)
}

/// Where an upload is, as its creation says.
pub fn place(created: &Answer) -> String {
    assert_eq!(created.status, 201, "{created:?}");
    let location = created.header("location").unwrap();
    let id = location.strip_prefix("uploads/").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    format!("{UPLOADS}/{id}")
}

pub fn offset(answer: &Answer) -> usize {
    answer.header("upload-offset").unwrap().parse().unwrap()
}

/// `HEAD`, with more headers.
pub fn look(receiver: &Receiver, path: &str, headers: &str) -> Answer {
    let answer = receiver.client().head(request("HEAD", path, headers, b""));
    assert!(answer.status == 401 || answer.header("cache-control") == Some("no-store"));
    answer
}

/// The offset that `HEAD` tells.
pub fn told(receiver: &Receiver, path: &str) -> usize {
    let answer = look(receiver, path, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    offset(&answer)
}

/// Goes on with an upload from `start`: two small pieces, which are answered, then one of `large` bytes, in the middle of which
/// the receiver is to be killed.
pub fn send_until_killed(
    address: &str,
    path: &str,
    (all, start): (&[u8], usize),
    large: usize,
    answered: &AtomicUsize,
) {
    let _ = std::panic::catch_unwind(|| {
        let (mut client, mut at) = (Client::new(address), start);
        for size in [20_000, 40_000, large] {
            let end = (at + size).min(all.len() - 1);
            let answer = client.ask(patch(path, at, "", &all[at..end]));
            assert_eq!(answer.status, 204);
            at = offset(&answer);
            answered.fetch_max(at, Ordering::SeqCst);
        }
    });
}

/// `Repr-Digest` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    format!("sha-256=:{}:", STANDARD.encode(sha2::Sha256::digest(bytes)))
}
