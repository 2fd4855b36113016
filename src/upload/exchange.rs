//! The request on its way, as its connection sees it: what the socket took, what the server said to `Expect`, and
//! whether nothing but the answer is missing. Written by the sending thread, read by whoever wants to know.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ClipProgress;

/// Pieces that a fast line is handed.
const LARGEST_PIECE: usize = 1 << 20;

/// Pieces that a slow line is handed, so that its progress shows in time.
const SMALLEST_PIECE: usize = 8 << 10;

/// A piece that took longer than this to leave was too large.
const SLOW: Duration = Duration::from_secs(1);

/// How a request goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Head and body at once.
    Small,
    /// The body follows piece by piece.
    Streamed,
    /// The same, after the server was asked (`Expect: 100-continue`).
    Asking,
}

/// One request at a time, shared by the uploader, its connections and whoever ends them.
#[derive(Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Default)]
struct State {
    manner: Option<Manner>,
    body_begun: bool,
    /// The socket took a request whose body goes out with its head.
    small_sent: bool,
    /// Nobody said anything to the question in time.
    unanswered: bool,
    /// The server said to go on, in a form for which the HTTP client never sends the body.
    continued: bool,
    /// All of the request is in the socket, or its last piece on the way there.
    answer_due: bool,
    video: Video,
    largest_piece: usize,
    progress: Option<Arc<dyn ClipProgress>>,
}

/// How far a clip is, from the card to the socket.
#[derive(Default)]
struct Video {
    /// Where in the video the body begins.
    start: u64,
    /// Bytes of video that were read.
    read: u64,
    /// Bytes of body that became of them.
    produced: u64,
    /// Bytes of body that the socket took.
    taken: u64,
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells `progress` how clips move.
    pub(super) fn watch(&self, progress: Arc<dyn ClipProgress>) {
        self.state().progress = Some(progress);
    }

    /// A request begins.
    pub(super) fn begin(&self, manner: Manner) {
        self.begin_at(manner, 0);
    }

    /// A request begins whose body goes on at `start` of a video.
    pub(super) fn begin_at(&self, manner: Manner, start: u64) {
        let mut state = self.state();
        let progress = state.progress.take();
        *state = State {
            manner: Some(manner),
            largest_piece: LARGEST_PIECE,
            progress,
            video: Video {
                start,
                ..Video::default()
            },
            ..State::default()
        };
    }

    /// Of a video, so many bytes were read that are at the server already: that is progress too.
    pub(super) fn passed_over(&self, bytes: u64) {
        let progress = self.state().progress.clone();
        if let Some(progress) = progress {
            progress.sent(bytes);
        }
    }

    /// The request is over, answered or not.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.manner = None;
        state.answer_due = false;
        self.over.notify_all();
    }

    /// Waits, at most for `limit`, while nothing but an answer is missing.
    pub(super) fn wait_for_answer(&self, limit: Duration) {
        let state = self.state();
        // What it guards is read anew by whoever locks it next.
        drop(self.over.wait_timeout_while(state, limit, |state| state.answer_due));
    }

    /// The body begins to leave.
    pub(super) fn begin_body(&self) {
        self.state().body_begun = true;
    }

    /// Whether a byte of the body was asked for.
    pub(super) fn body_begun(&self) -> bool {
        self.state().body_begun
    }

    /// Whether anything of the body was sent, or is about to be.
    pub(super) fn body_left(&self) -> bool {
        let state = self.state();
        state.body_begun || state.small_sent
    }

    /// What follows is the last of the request.
    pub(super) fn last_piece(&self) {
        self.state().answer_due = true;
    }

    /// So many bytes may be handed to the socket at once.
    pub(super) fn largest_piece(&self) -> usize {
        self.state().largest_piece
    }

    /// So many bytes of video were read.
    pub(super) fn video_read(&self, bytes: usize) {
        self.state().video.read += bytes as u64;
    }

    /// So many bytes of body are ready.
    pub(super) fn produced(&self, bytes: usize) {
        self.state().video.produced += bytes as u64;
    }

    /// Whether the question of this request was left unanswered.
    pub(super) fn is_unanswered(&self) -> bool {
        self.state().unanswered
    }

    /// Whether the server wants a body that the HTTP client will not send.
    pub(super) fn is_body_withheld(&self) -> bool {
        let state = self.state();
        state.manner == Some(Manner::Asking) && state.continued && !state.body_begun
    }

    /// Nobody answered the question in time.
    pub(super) fn set_unanswered(&self) {
        self.state().unanswered = true;
    }

    /// `100 Continue` came, or another interim answer.
    pub(super) fn set_continued(&self) {
        self.state().continued = true;
    }

    /// Bytes go to the socket now.
    pub(super) fn sending(&self) {
        let mut state = self.state();
        state.answer_due |= state.manner == Some(Manner::Small);
    }

    /// The socket took so many bytes, handed to it at `since`.
    pub(super) fn taken(&self, bytes: usize, since: Instant) {
        let mut state = self.state();
        state.small_sent |= state.manner == Some(Manner::Small);
        if !state.body_begun {
            return;
        }
        state.largest_piece = if since.elapsed() > SLOW {
            SMALLEST_PIECE
        } else {
            (state.largest_piece * 2).min(LARGEST_PIECE)
        };
        state.video.taken += bytes as u64;
        let (progress, bytes) = (state.progress.clone(), state.video.sent());
        drop(state);
        if let Some(progress) = progress {
            progress.sent(bytes);
        }
    }
}

impl Video {
    /// Bytes of video that the socket took: what it took of the body, by the share of video in what was produced.
    fn sent(&self) -> u64 {
        let taken = u128::from(self.taken.min(self.produced));
        let sent = taken * u128::from(self.read) / u128::from(self.produced.max(1));
        u64::try_from(sent).unwrap_or(u64::MAX).saturating_add(self.start)
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_has_moved_as_far_as_the_socket_took_of_it() {
        for (read, produced, taken, sent) in [
            (0, 0, 0, 0),
            (300, 400, 0, 0),
            (300, 400, 200, 150),
            (300, 400, 400, 300),
            // Chunked coding adds a little.
            (300, 400, 410, 300),
        ] {
            for start in [0, 5] {
                let video = Video {
                    start,
                    read,
                    produced,
                    taken,
                };
                assert_eq!(video.sent(), start + sent, "{read} {produced} {taken}");
            }
        }
    }

    #[test]
    fn nobody_waits_for_the_answer_of_a_request_that_is_not_out() {
        let exchange = Exchange::default();
        let begun = Instant::now();
        exchange.wait_for_answer(Duration::from_secs(60));
        exchange.begin(Manner::Small);
        exchange.wait_for_answer(Duration::from_secs(60));
        exchange.begin(Manner::Streamed);
        exchange.sending();
        exchange.begin_body();
        exchange.wait_for_answer(Duration::from_secs(60));
        exchange.last_piece();
        exchange.end();
        exchange.wait_for_answer(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
