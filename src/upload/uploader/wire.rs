//! What a pass asks of the uploader.

use std::time::Duration;

use chrono::NaiveDateTime;
use sync_protocol::{Extension, Extensions};

use super::uploads::Upload;
use super::{AskedInVain, Uploader};
use crate::notice::WireStats;
use crate::row::{Clip, Event, Video};
use crate::upload::batch::BatchVerdict;
use crate::upload::verdict::Verdict;
use crate::upload::wire::Wire;

impl Wire for Uploader {
    fn post_event(&mut self, event: &Event, key: &str) -> Verdict {
        self.uploads.body_left = false;
        let verdict = self.send_event(event, key);
        self.exchange.end();
        verdict
    }

    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Video, key: &str, is_new: bool) -> Verdict {
        if let Some(verdict) = self.make_acquaintance(clip) {
            self.exchange.end();
            return verdict;
        }
        if self.resumes_clips() {
            if let Some(upload) = Upload::of(clip, key, &self.device_id) {
                let verdict = self.upload_clip(&upload, video, is_new);
                self.exchange.end();
                return verdict;
            }
        }
        self.uploads.body_left = false;
        self.uploads.advanced = false;
        let verdict = self
            .send_clip(clip, &mut &mut *video, key)
            // It did not ask this time.
            .or_else(|AskedInVain| self.send_clip(clip, &mut &mut *video, key))
            .unwrap_or(Verdict::Interrupted);
        self.exchange.end();
        verdict
    }

    fn clip_lanes(&mut self, bytes: u64) -> usize {
        self.lanes(bytes)
    }

    fn start_clip(&mut self, clip: &Clip, video: Vec<u8>, key: &str) -> bool {
        self.take_off(clip, video, key)
    }

    fn clips_under_way(&self) -> usize {
        self.clips_under_way()
    }

    fn next_clip(&mut self, limit: Option<Duration>) -> Option<(i64, Verdict)> {
        self.land(limit)
    }

    fn resumes_clips(&self) -> bool {
        self.has(Extension::Uploads)
    }

    fn clip_advanced(&self) -> bool {
        self.uploads.advanced
    }

    fn takes_batches(&self) -> bool {
        self.has(Extension::Batch)
    }

    fn post_events(&mut self, events: &[(Event, String)]) -> BatchVerdict {
        self.uploads.body_left = false;
        let verdict = self.send_events(events);
        self.exchange.end();
        verdict
    }

    fn extensions(&self) -> Vec<(String, Option<Extensions>)> {
        self.backends.extensions()
    }

    fn set_extensions(&mut self, backend: &str, extensions: Extensions) {
        self.backends.set_extensions(backend, extensions);
    }

    fn refuse(&mut self, backend: &str, extension: Extension) {
        self.backends.refuse(backend, extension);
    }

    fn body_begun(&self) -> bool {
        self.uploads.body_left || self.exchange.body_left()
    }

    fn fail_over(&mut self, now: Duration, wish: Option<Duration>) -> Option<Duration> {
        self.backends.fail_over(now, wish)
    }

    fn named_wait(&self, now: Duration) -> Option<Duration> {
        self.backends.named_wait(now)
    }

    fn prefer_first(&mut self, now: Duration) {
        self.backends.prefer_first(now);
    }

    fn clips_wait_until(&self) -> Option<NaiveDateTime> {
        self.limiter.clips_wait_until()
    }

    fn backend(&self) -> &str {
        self.backends.current().url.as_str()
    }

    fn backend_count(&self) -> usize {
        self.backends.len()
    }

    fn stats(&self) -> WireStats {
        self.stats
    }
}
