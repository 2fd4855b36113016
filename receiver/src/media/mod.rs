//! A clip's JSON, read as it arrives: the video goes to its place while the other fields are kept.

mod base64_sink;
mod parser;

pub use base64_sink::Base64Sink;
pub use parser::{MediaParser, Parsed};

use crate::answer::Refusal;
use crate::event::FIELDS_MOST;

/// A refusal on its way through [`std::io::Write`].
#[derive(Debug)]
pub struct RefusedBody(pub Refusal);

impl std::fmt::Display for RefusedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for RefusedBody {}

/// Wraps a refusal for a writer's error.
pub(crate) fn refused(refusal: Refusal) -> std::io::Error {
    std::io::Error::other(RefusedBody(refusal))
}

/// The longest plain body of a clip of `most` bytes: its base64, the other fields, and as much white space.
pub(crate) fn longest_body(most: u64) -> u64 {
    let text = most.div_ceil(3).saturating_mul(4);
    text.saturating_add(2 * FIELDS_MOST as u64)
}

/// 413 for a clip of more than `most` bytes.
pub(crate) fn too_long(most: u64) -> Refusal {
    Refusal::too_long(format!("video_data: plus de {most} octets"))
}
