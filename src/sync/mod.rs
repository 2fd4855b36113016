//! The work: a pass over what is due, the policy of its retries, and the schedule of passes.

mod key;
mod pass;
pub mod policy;
mod retry_transient;
mod row;
pub mod service;
mod streak;
#[cfg(test)]
mod tests;

pub use key::idempotency_key;
pub use pass::{Pass, PassError};
pub use streak::Streak;

use std::io::Read;
use std::time::Duration;

use crate::notice::WireStats;
use crate::row::{Clip, Event};
use crate::upload::Attempt;

/// The server's side as the pass sees it.
pub trait Wire {
    /// Tries to send an event, once.
    fn post_event(&mut self, event: &Event, key: &str) -> Attempt;

    /// Tries to send a clip, once; `video` gives exactly `clip.video_len` bytes.
    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Attempt;

    /// Moves on to the next backend after the one in use failed at `now` (monotonic); `false` when there is no
    /// other.
    fn fail_over(&mut self, now: Duration) -> bool;

    /// Returns to the first backend when its time has come at `now` (monotonic).
    fn prefer_first(&mut self, now: Duration);

    /// The backend in use.
    fn backend(&self) -> &str;

    /// What went over the wire so far.
    fn stats(&self) -> WireStats;

    /// How many backends there are.
    fn backend_count(&self) -> usize;
}

impl Wire for crate::upload::Uploader {
    fn post_event(&mut self, event: &Event, key: &str) -> Attempt {
        self.post_event(event, key)
    }

    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Attempt {
        self.post_clip(clip, video, key)
    }

    fn fail_over(&mut self, now: Duration) -> bool {
        self.fail_over(now)
    }

    fn prefer_first(&mut self, now: Duration) {
        self.prefer_first(now);
    }

    fn backend(&self) -> &str {
        self.backend()
    }

    fn stats(&self) -> WireStats {
        self.stats()
    }

    fn backend_count(&self) -> usize {
        self.backend_count()
    }
}
