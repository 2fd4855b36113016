//! A body on its way: prefetched, kept to the rate, counted, and stopped when the service is.

use std::io::{self, Read};

use ureq::http::Response;
use ureq::typestate::WithBody;
use ureq::{Body, RequestBuilder, SendBody};

use super::exchange::Exchange;
use super::prefetch::prefetch;
use super::rate_limiter::RateLimiter;

/// What became of a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flowed {
    /// Bytes that were handed to the client.
    pub wire_bytes: u64,
    /// A stop was asked for on the way.
    pub stopped: bool,
}

/// Sends `body` with `request`; `length` is its length where that is known beforehand.
///
/// # Errors
/// There is no thread to be had; nothing was sent.
pub(super) fn send(
    request: RequestBuilder<WithBody>,
    body: impl Read,
    length: Option<u64>,
    limiter: &mut RateLimiter,
    exchange: &Exchange,
) -> io::Result<(Result<Response<Body>, ureq::Error>, Flowed)> {
    send_by(|body| request.send(body), body, length, limiter, exchange)
}

/// The same for any way of sending a request with a body.
///
/// # Errors
/// There is no thread to be had; nothing was sent.
pub(super) fn send_by(
    send: impl FnOnce(SendBody) -> Result<Response<Body>, ureq::Error> + Send,
    body: impl Read,
    length: Option<u64>,
    limiter: &mut RateLimiter,
    exchange: &Exchange,
) -> io::Result<(Result<Response<Body>, ureq::Error>, Flowed)> {
    let mut body = Produced { inner: body, exchange };
    prefetch(&mut body, |ahead| {
        let mut outflow = Outflow {
            inner: ahead,
            length,
            limiter,
            exchange,
            flowed: Flowed::default(),
        };
        let result = send(SendBody::from_reader(&mut outflow));
        (result, outflow.flowed)
    })
}

/// Counts what the packer gives.
struct Produced<'e, R> {
    inner: R,
    exchange: &'e Exchange,
}

impl<R: Read> Read for Produced<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.exchange.produced(count);
        Ok(count)
    }
}

/// Counts what is read of a video.
pub(super) struct VideoRead<'v, 'e> {
    pub video: &'v mut dyn Read,
    pub exchange: &'e Exchange,
}

impl Read for VideoRead<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.video.read(out)?;
        self.exchange.video_read(count);
        Ok(count)
    }
}

/// The client's end of a body.
struct Outflow<'p, R> {
    inner: R,
    length: Option<u64>,
    limiter: &'p mut RateLimiter,
    exchange: &'p Exchange,
    flowed: Flowed,
}

impl<R: Read> Read for Outflow<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.exchange.begin_body();
        let share = self.limiter.share(out.len().min(self.exchange.largest_piece()));
        let count = self.inner.read(&mut out[..share])?;
        self.flowed.wire_bytes += count as u64;
        if self.limiter.spend(count) {
            self.flowed.stopped = true;
            return Err(io::Error::other("interrupted"));
        }
        if count == 0 || self.length == Some(self.flowed.wire_bytes) {
            self.exchange.last_piece();
        }
        Ok(count)
    }
}
