//! What the work asks of the way to the server; tests put a scripted one in its place.

use std::time::Duration;

use chrono::NaiveDateTime;
use sync_protocol::{Extension, Extensions};

use super::batch::BatchVerdict;
use super::verdict::Verdict;
use crate::notice::WireStats;
use crate::row::{Clip, Event, Video};

/// The server's side as a pass sees it.
pub(crate) trait Wire {
    /// Tries to send an event, once.
    fn post_event(&mut self, event: &Event, key: &str) -> Verdict;

    /// Tries to send a clip, once; `video` gives exactly `clip.video_len` bytes. `is_new` tells that nothing of it can
    /// be at a server, as far as is known.
    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Video, key: &str, is_new: bool) -> Verdict;

    /// How many new clips of so many bytes may be on their way at once: 1 is one at a time, by [`Wire::post_clip`].
    fn clip_lanes(&mut self, bytes: u64) -> usize;

    /// Starts to send a new clip, whose video is all there; `false`, and nothing was done, where that does not suit.
    fn start_clip(&mut self, clip: &Clip, video: Vec<u8>, key: &str) -> bool;

    /// Clips that were started and not taken by [`Wire::next_clip`].
    fn clips_under_way(&self) -> usize;

    /// Takes the next of those that came to an end, with its id; `None` when none does within `limit`, or there is none.
    fn next_clip(&mut self, limit: Option<Duration>) -> Option<(i64, Verdict)>;

    /// Whether clips to the backend in use go on after a break.
    fn resumes_clips(&self) -> bool;

    /// Whether more of the last clip was at the server than at the try before.
    fn clip_advanced(&self) -> bool;

    /// Whether the backend in use takes several events in one request.
    fn takes_batches(&self) -> bool;

    /// Tries to send several events with their keys, as many of the first as go into one request, once.
    fn post_events(&mut self, events: &[(Event, String)]) -> BatchVerdict;

    /// What each backend has beyond the contract, by its URL; `None` of one that was never heard of.
    fn extensions(&self) -> Vec<(String, Option<Extensions>)>;

    /// What an earlier process learned of a backend.
    fn set_extensions(&mut self, backend: &str, extensions: Extensions);

    /// A backend answered that it has no such extension, whatever it says.
    fn refuse(&mut self, backend: &str, extension: Extension);

    /// Whether anything of the last request's body left the device: only then may its row be why the backend failed.
    fn body_begun(&self) -> bool;

    /// Moves on after the backend in use failed at `now` (monotonic) and, if it named a time, wished to be left alone for so
    /// long. Returns how long the next one is to be left alone yet: no time where another may be asked at once; `None` where there is
    /// no other, and none named a time.
    fn fail_over(&mut self, now: Duration, wish: Option<Duration>) -> Option<Duration>;

    /// In how long the first of the backends that named a time when they failed may be asked again.
    fn named_wait(&self, now: Duration) -> Option<Duration>;

    /// Returns to the first backend when its time has come at `now` (monotonic).
    fn prefer_first(&mut self, now: Duration);

    /// Until when clips wait by the timetable of rates (local time), if they do; events go all the same.
    fn clips_wait_until(&self) -> Option<NaiveDateTime>;

    /// The backend in use.
    fn backend(&self) -> &str;

    /// What went over the wire so far.
    fn stats(&self) -> WireStats;

    /// How many backends there are.
    fn backend_count(&self) -> usize;
}
