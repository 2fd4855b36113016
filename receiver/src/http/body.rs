//! Bodies: read within the time a sender has, or left unread without losing the answer.

use std::io;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::headers;
use crate::answer::Refusal;
use crate::config::Config;
use crate::decode::{Decoder, Packing, WindowBudget};
use crate::json::{RefusedBody, refused};

/// A body up to this length that is not wanted is read behind the answer's back, so that the connection lives on.
const DRAIN_MAX_BYTES: u64 = 2 << 20;

/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers without the body.
///
/// The answer goes out at once. A sender that waits for `100 Continue` is told by it not to send; what another one is
/// about to send is dropped as it comes, or the connection is closed when that is much.
pub(super) fn answer_unread(request: Request, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let asks_first = headers::asks_first(request.headers());
    let mut body = request.into_body();
    if body.is_end_stream() {
        return response;
    }
    let short = body.size_hint().upper().is_some_and(|length| length <= DRAIN_MAX_BYTES);
    if asks_first || !short {
        close(&mut response);
    } else {
        tokio::spawn(async move {
            let drain = async { while let Some(Ok(_)) = body.frame().await {} };
            // A sender that takes longer finds the connection closed.
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, drain).await;
        });
    }
    response
}

fn close(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// A body, piece by piece, within the time a sender has.
pub(super) struct BodyReader {
    body: Body,
    stall: Duration,
    min_bytes_per_s: u64,
    bytes: u64,
    max_bytes: u64,
    waited: Duration,
    ended: bool,
}

impl BodyReader {
    /// Reads `body` as `config` allows, and `max_bytes` of it at most, packed or not.
    pub(super) fn new(config: &Config, body: Body, max_bytes: u64) -> Self {
        Self {
            body,
            stall: config.stall,
            min_bytes_per_s: config.min_bytes_per_s,
            bytes: 0,
            max_bytes,
            waited: Duration::ZERO,
            ended: false,
        }
    }

    /// The next piece, never empty; `None` at the end. 408 when it takes too long, 413 when there is too much, 400 when
    /// the body breaks off.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let start = Instant::now();
            let frame = tokio::time::timeout(self.stall, self.body.frame())
                .await
                .map_err(|_| too_slow())?;
            // Only the time spent waiting for the sender is the sender's: our disk may be the slow one.
            self.waited += start.elapsed();
            let Some(frame) = frame else {
                self.ended = true;
                return Ok(None);
            };
            let frame = frame.map_err(|_| Refusal::bad("le corps est incomplet"))?;
            let Ok(piece) = frame.into_data() else { continue };
            self.bytes += piece.len() as u64;
            if self.bytes > self.max_bytes {
                return Err(Refusal::too_long("corps trop long"));
            }
            if self.waited > self.stall && self.bytes < self.min_bytes_per_s.saturating_mul(self.waited.as_secs()) {
                return Err(too_slow());
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    /// Ends the request with `answer`; whatever of the body is left goes down with the connection.
    pub(super) fn answer(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        if !self.ended {
            close(&mut response);
        }
        response
    }
}

/// A body that is short enough to be held.
pub(super) struct Whole {
    bytes: Vec<u8>,
    max_bytes: usize,
    too_long: fn() -> Refusal,
}

impl Whole {
    pub(super) fn new(max_bytes: usize, too_long: fn() -> Refusal) -> Self {
        Self {
            bytes: Vec::new(),
            max_bytes,
            too_long,
        }
    }

    /// Reads and unpacks it.
    ///
    /// # Errors
    /// As [`BodyReader::next`]; what `too_long` says; 400 when it can't be unpacked.
    pub(super) async fn read(
        self,
        packing: Option<Packing>,
        windows: &WindowBudget,
        pieces: &mut BodyReader,
    ) -> Result<Vec<u8>, Refusal> {
        let mut decoder = Decoder::new(packing, windows, self).map_err(Refusal::unavailable)?;
        let mut pushed = Ok(());
        // Read to its end also after it was found wrong, so that the connection lives on.
        while let Some(piece) = pieces.next().await? {
            if pushed.is_ok() {
                pushed = decoder.push(&piece);
            }
        }
        let whole = pushed.and_then(|()| decoder.finish()).map_err(refusal)?;
        Ok(whole.bytes)
    }
}

impl io::Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            return Err(refused((self.too_long)()));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_slow() -> Refusal {
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "le corps arrive trop lentement")
}

/// What an error on the way through a decoder means: the refusal of what comes after it, or a packing that can't be
/// undone.
pub(super) fn refusal(error: io::Error) -> Refusal {
    match error.downcast::<RefusedBody>() {
        Ok(refused) => refused.0,
        Err(error) => Refusal::bad(format!("Content-Encoding: corps illisible ({error})")),
    }
}
