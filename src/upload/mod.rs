//! The wire: what a row looks like on it, how it gets there, and what an answer means.
//!
//! Knows HTTP and nothing of SQLite: rows come in as plain values, a video as a [`std::io::Read`].

mod answer;
mod backend;
mod batch;
mod client;
mod compress;
mod config;
mod device_status;
mod encoding;
mod exchange;
mod foremost;
mod media_body;
mod outflow;
mod payload;
mod pieces;
mod prefetch;
mod probe;
mod rate_limiter;
mod resolver;
mod retry_after;
#[cfg(test)]
mod tests;
mod timetable;
mod tls;
mod token_exposure;
mod transport;
mod uploader;
mod url;
mod verdict;
mod wire;

pub(crate) use batch::BatchVerdict;
pub(crate) use client::http_agent;
pub(crate) use config::{Compression, Secret, Timeouts, UploadConfig};
pub(crate) use device_status::put_status;
pub(crate) use probe::probe;
pub(crate) use retry_after::RetryAfter;
pub(crate) use timetable::{Rate, Timetable, TimetableError};
pub(crate) use uploader::Uploader;
pub(crate) use url::{WebUrl, without_credentials};
pub(crate) use verdict::Verdict;
pub(crate) use wire::Wire;

/// Told how much of a clip has left, so that people and watchdogs see that it moves.
pub(crate) trait ClipProgress: Send + Sync {
    /// The socket took `bytes` of the clip's video so far.
    fn sent(&self, bytes: u64);
}
