//! `Upload-Checksum`: what the bytes of one request must come to.

use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use sync_protocol::uploads::{CHECKSUM_HEADER, CHECKSUM_MISMATCH};

use crate::answer::Refusal;

/// What is taken. tus wants SHA-1 of every server.
pub(super) const ALGORITHMS: &str = "sha256,sha1";

#[derive(Clone)]
enum Algorithm {
    Sha1(Sha1),
    Sha256(Sha256),
}

pub(super) struct Checksum {
    algorithm: Algorithm,
    expected: Vec<u8>,
}

impl Checksum {
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(CHECKSUM_HEADER) else {
            return Ok(None);
        };
        let value = value.to_str().unwrap_or_default();
        let (name, expected) = value.split_once(' ').unwrap_or((value, ""));
        let algorithm = match name {
            "sha1" => Algorithm::Sha1(Sha1::new()),
            "sha256" => Algorithm::Sha256(Sha256::new()),
            _ => return Err(Refusal::bad(format!("{CHECKSUM_HEADER}: {ALGORITHMS} sont acceptés"))),
        };
        let expected = STANDARD
            .decode(expected.trim())
            .map_err(|_| Refusal::bad(format!("{CHECKSUM_HEADER}: base64 invalide")))?;
        Ok(Some(Self { algorithm, expected }))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match &mut self.algorithm {
            Algorithm::Sha1(sha1) => sha1.update(bytes),
            Algorithm::Sha256(sha256) => sha256.update(bytes),
        }
    }

    /// 460 when it is another.
    pub(super) fn check(self) -> Result<(), Refusal> {
        let found = match self.algorithm {
            Algorithm::Sha1(sha1) => sha1.finalize().to_vec(),
            Algorithm::Sha256(sha256) => sha256.finalize().to_vec(),
        };
        if found == self.expected {
            return Ok(());
        }
        let status = StatusCode::from_u16(CHECKSUM_MISMATCH).unwrap_or(StatusCode::BAD_REQUEST);
        Err(Refusal::new(
            status,
            format!("{CHECKSUM_HEADER}: les octets reçus sont autres"),
        ))
    }
}
