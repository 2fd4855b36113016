//! Standard, padded base64 (RFC 4648, section 4), decoded in pieces of any size.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{clip_too_long, refused};
use crate::answer::Refusal;

/// Encoded bytes decoded at a time.
const STEP_BYTES: usize = 32 << 10;

/// Decodes into `W`.
pub(super) struct Base64Sink<W> {
    out: W,
    /// Up to three characters that wait for their group.
    rest: Vec<u8>,
    decoded: Vec<u8>,
    bytes: u64,
    max_bytes: u64,
    padded: bool,
}

impl<W: Write> Base64Sink<W> {
    /// A decoder that refuses more than `max_bytes` decoded bytes.
    pub(super) fn new(out: W, max_bytes: u64) -> Self {
        Self {
            out,
            rest: Vec::with_capacity(4),
            decoded: vec![0; STEP_BYTES / 4 * 3 + 3],
            bytes: 0,
            max_bytes,
            padded: false,
        }
    }

    /// Takes more characters.
    pub(super) fn push(&mut self, mut text: &[u8]) -> io::Result<()> {
        if !self.rest.is_empty() {
            let wanted = (4 - self.rest.len()).min(text.len());
            self.rest.extend_from_slice(&text[..wanted]);
            text = &text[wanted..];
            if self.rest.len() < 4 {
                return Ok(());
            }
            let group = std::mem::take(&mut self.rest);
            self.decode(&group)?;
        }
        let whole = text.len() / 4 * 4;
        for step in text[..whole].chunks(STEP_BYTES) {
            self.decode(step)?;
        }
        self.rest.extend_from_slice(&text[whole..]);
        Ok(())
    }

    fn decode(&mut self, groups: &[u8]) -> io::Result<()> {
        if self.padded {
            return Err(invalid());
        }
        let count = STANDARD
            .decode_slice(groups, &mut self.decoded)
            .map_err(|_| invalid())?;
        self.padded = groups.last() == Some(&b'=');
        self.bytes += count as u64;
        if self.bytes > self.max_bytes {
            return Err(refused(clip_too_long(self.max_bytes)));
        }
        // Our trouble, not the sender's: told apart here, where both are known.
        self.out
            .write_all(&self.decoded[..count])
            .map_err(|error| refused(Refusal::unavailable(error)))
    }

    /// Ends the text: a group must be complete.
    pub(super) fn finish(&self) -> io::Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(invalid()) }
    }

    /// Where the decoded bytes went.
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

pub(super) fn invalid() -> io::Error {
    refused(Refusal::bad("video_data: base64 invalide"))
}
