//! Events that are sent together, and what a server said that it has beyond the contract.

use std::time::Instant;

use sync_protocol::{Extension, batch as wire};

use super::{Destination, HEADER_BYTES, Uploader};
use crate::row::Event;
use crate::upload::batch::{self, BatchVerdict};
use crate::upload::exchange::Manner;
use crate::upload::verdict::Verdict;

impl Uploader {
    /// Whether the backend in use takes `extension`.
    pub(super) fn has(&self, extension: Extension) -> bool {
        self.backends.current().has(extension)
    }

    pub(super) fn send_events(&mut self, events: &[(Event, String)]) -> BatchVerdict {
        let body = match batch::body(events, &self.device_id) {
            Ok(body) => body,
            Err(error) => return BatchVerdict::Whole(Verdict::Local(error.into())),
        };
        if body.events == 0 {
            return BatchVerdict::Each(Vec::new());
        }
        if self.limiter.spend(HEADER_BYTES) {
            return BatchVerdict::Whole(Verdict::Interrupted);
        }
        self.exchange.begin(Manner::Streamed);
        let start = Instant::now();
        let encoding = self.packing.encoding();
        let length = body.bytes.len() as u64;
        let to = Destination {
            path: wire::PATH,
            key: None,
        };
        let (outcome, flowed) = match self.stream(body.bytes.as_slice(), length, encoding, false, &to) {
            Ok(sent) => sent,
            Err(error) => return BatchVerdict::Whole(Verdict::Local(error)),
        };
        self.stats.wire_bytes += flowed.wire_bytes;
        self.stats.raw_bytes += length;
        if flowed.stopped {
            return BatchVerdict::Whole(Verdict::Interrupted);
        }
        let answer = self.read(outcome, start);
        if let Ok(answer) = &answer {
            if matches!(answer.status, 404 | 405 | 501) {
                self.learn(answer);
                self.backends.current_mut().refuses(Extension::Batch);
                return BatchVerdict::NotTaken;
            }
            if answer.status == 200 {
                let verdicts = batch::verdicts(answer, body.events);
                self.learn(answer);
                return match verdicts {
                    Ok(verdicts) => BatchVerdict::Each(verdicts.into_iter().map(|one| self.discreet(one)).collect()),
                    Err(reason) => BatchVerdict::Whole(Verdict::InvalidResponse {
                        message: format!("HTTP 200: {reason}"),
                    }),
                };
            }
        }
        BatchVerdict::Whole(self.conclude(answer, length > 0 && encoding.name().is_some()))
    }
}
