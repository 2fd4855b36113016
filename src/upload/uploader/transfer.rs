//! The requests of an upload: with a piece of the video, or without; and what follows when one breaks.

use std::io::Read;
use std::time::Instant;

use sync_protocol::uploads::CONTENT_TYPE;
use ureq::SendBody;
use ureq::http::Method;
use ureq::http::request::Builder;

use super::raw_video::RawVideo;
use super::uploads::{Place, Upload};
use super::{ASK_FIRST_BYTES, HEADER_BYTES, Outcome, Uploader, rejects_question};
use crate::upload::answer::Answer;
use crate::upload::exchange::Manner;
use crate::upload::outflow;
use crate::upload::verdict::{Verdict, judge};

/// Times that what is there of a clip is thrown away, in a row, because its row is another now.
const DISCARDS_MAX: u32 = 3;

impl Uploader {
    /// A request without a body; nothing of a row leaves with it.
    pub(super) fn send_empty(&mut self, request: Builder) -> Result<Result<Answer, ureq::Error>, Verdict> {
        if self.limiter.spend(HEADER_BYTES) {
            return Err(Verdict::Interrupted);
        }
        self.exchange.begin(Manner::Streamed);
        self.stats.requests += 1;
        let start = Instant::now();
        let outcome = self.backends.current().run(request, SendBody::none());
        Ok(self.read(outcome, start))
    }

    /// Sends `length` bytes of a video, which go on at `offset`. Returns the answer and how many bytes went out.
    pub(super) fn send_video(
        &mut self,
        request: Builder,
        video: &mut RawVideo<'_>,
        offset: u64,
        length: u64,
    ) -> Result<(Result<Answer, ureq::Error>, u64), Verdict> {
        if self.limiter.spend(HEADER_BYTES) {
            return Err(Verdict::Interrupted);
        }
        let asks = length > ASK_FIRST_BYTES && self.backends.current().asks_first;
        let manner = if asks { Manner::Asking } else { Manner::Streamed };
        self.exchange.begin_at(manner, offset);
        let mut request = request
            .header("Content-Type", CONTENT_TYPE)
            .header("Content-Length", length);
        if asks {
            request = request.header("Expect", "100-continue");
        }
        self.stats.requests += 1;
        let start = Instant::now();
        let (limiter, exchange) = (&mut self.limiter, &*self.exchange);
        let backend = self.backends.current();
        let send = |body: SendBody| -> Outcome { backend.run(request, body) };
        let sent = outflow::send_by(send, video.by_ref().take(length), Some(length), limiter, exchange);
        let (outcome, flowed) = sent.map_err(Verdict::Local)?;
        self.stats.wire_bytes += flowed.wire_bytes;
        self.stats.raw_bytes += flowed.wire_bytes;
        self.uploads.body_left |= self.exchange.body_left();
        if asks && self.exchange.is_unanswered() {
            let backend = self.backends.current_mut();
            backend.stop_asking("did not answer the question in time");
        }
        if flowed.stopped {
            return Err(Verdict::Interrupted);
        }
        if let Some(error) = video.take_failure() {
            return Err(Verdict::Local(error));
        }
        let answer = self.read(outcome, start);
        if asks && !self.exchange.body_begun() && !self.shutdown.is_requested() && rejects_question(&answer) {
            let backend = self.backends.current_mut();
            backend.stop_asking("can't deal with a question before the body");
            return Err(Verdict::Resume);
        }
        Ok((answer, flowed.wire_bytes))
    }

    /// The line broke after `sent` bytes from `offset` on: asks what arrived. What moved is no failed try.
    pub(super) fn broken(&mut self, upload: &Upload, offset: u64, sent: u64, error: ureq::Error) -> Verdict {
        let verdict = self.conclude(Err(error), false);
        if matches!(verdict, Verdict::Interrupted) {
            return verdict;
        }
        match self.ask(upload) {
            Ok(place) => {
                let moved = place.offset.saturating_sub(offset);
                let lost = moved < sent / 2 && self.backends.current_mut().pieces.shorten(sent);
                if moved > 0 || lost { Verdict::Resume } else { verdict }
            }
            Err(done @ Verdict::Done { .. }) => done,
            Err(_) => verdict,
        }
    }

    /// Throws away what is there: it is not how the row begins.
    pub(super) fn discard(&mut self, upload: &Upload, place: &Place) -> Verdict {
        let backend = self.backends.current();
        let request = backend.tus(Method::DELETE, &place.url, self.token.as_ref());
        let answer = match self.send_empty(request) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return self.conclude(Err(error), false),
            Err(verdict) => return verdict,
        };
        log::info!(
            "{} bytes of a clip at the server are another's: it begins anew",
            place.offset
        );
        let discards = match &mut self.uploads.last {
            Some(last) if last.key == upload.key => {
                last.offset = 0;
                last.discards += 1;
                last.discards
            }
            _ => 1,
        };
        match answer.status {
            200 | 204 | 404 | 410 if discards <= DISCARDS_MAX => Verdict::Resume,
            200..=299 | 404 | 409 | 410 | 423 => self.later(&answer),
            _ => self.discreet(judge(&answer, false)),
        }
    }
}
