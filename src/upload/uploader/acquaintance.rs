//! What a server has beyond the contract, asked where nothing is known yet and much is about to be sent.

use std::time::{Duration, Instant};

use sync_protocol::uploads::PATH;

use super::{ASK_FIRST_BYTES, HEADER_BYTES, Uploader};
use crate::row::Clip;
use crate::upload::answer::Answer;
use crate::upload::exchange::Manner;
use crate::upload::verdict::Verdict;

/// How long the answer may take: it is worth no more, since the clip can go without.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

impl Uploader {
    /// Asks a server that was never heard of, before a long clip. Whatever it answers, the clip goes; a verdict is there
    /// only when it can't: there is no way to the server, or a stop was asked for.
    pub(super) fn make_acquaintance(&mut self, clip: &Clip) -> Option<Verdict> {
        if clip.video_len <= ASK_FIRST_BYTES || !self.backends.current().is_to_be_asked() {
            return None;
        }
        if self.limiter.spend(HEADER_BYTES) {
            return Some(Verdict::Interrupted);
        }
        self.uploads.body_left = false;
        self.uploads.advanced = false;
        self.exchange.begin(Manner::Streamed);
        self.stats.requests += 1;
        let start = Instant::now();
        let backend = self.backends.current();
        let outcome = backend.options(PATH, self.token.as_ref(), ANSWER_WITHIN);
        match self.read(outcome, start) {
            // Only its own header counts: tus' headers are those of any tus server.
            Ok(answer) => {
                let backend = self.backends.current_mut();
                if answer.tells_extensions() {
                    backend.names(answer.extensions);
                } else {
                    backend.asked_in_vain();
                }
                None
            }
            Err(error) => {
                let verdict = self.conclude(Err(error), false);
                if matches!(
                    verdict,
                    Verdict::Interrupted | Verdict::Unavailable { unreachable: true, .. }
                ) {
                    return Some(verdict);
                }
                self.backends.current_mut().asked_in_vain();
                None
            }
        }
    }

    /// What an answer's headers say of the server.
    pub(super) fn learn(&mut self, answer: &Answer) {
        self.packing.learn(answer.accept_encoding.as_deref());
        if answer.tells_extensions() {
            self.backends.current_mut().names(answer.extensions);
        }
    }
}
