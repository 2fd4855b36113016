//! A clip's JSON, read as it arrives: the video goes to its place while the other fields are kept.

mod base64_sink;
mod parser;

pub use base64_sink::Base64Sink;
pub use parser::MediaParser;

use crate::answer::Refusal;

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
