//! The JSON of both bodies, read as it arrives: a clip's video goes to its place, of the rest only the known fields are
//! kept.

mod base64_sink;
mod batch;
mod fields;
pub mod measured;
mod parser;
#[cfg(test)]
mod tests;
mod video;

pub(crate) use batch::{Entry, clip, entries};
pub(crate) use parser::BodyParser;

use crate::answer::Refusal;

/// Longest body of an event, and most of what a clip's body may hold beside its video. Real ones have some 200 bytes;
/// names are free text.
pub(crate) const FIELDS_MAX_BYTES: usize = 1 << 20;

/// Deepest nesting of lists and objects. The contract has two levels.
const DEPTH_MAX: u32 = 32;

/// A refusal on its way through [`std::io::Write`].
#[derive(Debug)]
pub(crate) struct RefusedBody(pub(crate) Refusal);

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

/// The longest body of a clip of `clip_max_bytes`, packed or not: its base64, the other fields, and as much white space.
pub(crate) fn clip_body_max_bytes(clip_max_bytes: u64) -> u64 {
    let text = clip_max_bytes.div_ceil(3).saturating_mul(4);
    text.saturating_add(2 * FIELDS_MAX_BYTES as u64)
}

/// The longest body of an event as it travels: what can't be packed grows by less than a hundredth.
pub(crate) const EVENT_BODY_MAX_BYTES: u64 = (FIELDS_MAX_BYTES + FIELDS_MAX_BYTES / 64) as u64;

pub(crate) fn clip_too_long(clip_max_bytes: u64) -> Refusal {
    Refusal::too_long(format!("video_data: plus de {clip_max_bytes} octets"))
}

pub(crate) fn event_too_long() -> Refusal {
    Refusal::too_long(format!("corps de plus de {FIELDS_MAX_BYTES} octets"))
}
