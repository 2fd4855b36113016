//! The wire: what a row looks like on it, how it gets there, and what an answer means.
//!
//! Knows HTTP and nothing of SQLite: rows come in as plain values, a video as a [`std::io::Read`].

mod answer;
mod client;
mod compress;
mod config;
mod encoding;
mod media_body;
mod payload;
mod prefetch;
mod probe;
mod rate_limiter;
mod resolver;
#[cfg(test)]
mod tests;
mod tls;
mod token_exposure;
mod uploader;
mod verdict;

pub use client::http_agent;
pub use config::{Compression, Secret, Timeouts, UploadConfig, UploadError};
pub use probe::{Fact, probe};
pub use uploader::{Attempt, Uploader};
pub use verdict::{RetryAfter, Verdict};

/// Told how much of a clip has left, so that people and watchdogs see that it moves.
pub trait ClipProgress: Send + Sync {
    /// `bytes` of the clip's video are on their way so far: read and packed, at most 512 KB ahead of the socket.
    fn sent(&self, bytes: u64);
}
