//! Clips of a page, one at a time or, where the backend takes several rows, short new ones beside each other; what arrived
//! is written together.

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

use crate::device::Due;
use crate::notice::Notice;
use crate::row::{Clip, Table};
use crate::upload::Verdict;

use super::super::policy;
use super::batch::Arrived;
use super::{PassError, Running};

/// Clips on their way, and what became of those before them.
#[derive(Default)]
pub(super) struct Together {
    /// In the order in which they began.
    under_way: VecDeque<Flying>,
    /// How many were started.
    started: u64,
    /// At the server under these ids, and not yet written down.
    arrived: Vec<(Flying, i64)>,
    /// When (monotonic) the first of those was.
    since: Duration,
    /// Those that did not arrive, and why.
    troubled: Vec<(Flying, Verdict)>,
}

/// A clip on its way.
struct Flying {
    /// How many were started before it.
    place: u64,
    due: Due,
    bytes: u64,
}

impl Running<'_, '_> {
    /// Sends a page of clips, and between them events that came meanwhile; returns how many rows it came to.
    pub(super) fn clips(&mut self, page: Vec<Due>, deprioritized: bool) -> Result<u64, PassError> {
        let sent = self.send_clips(page, deprioritized);
        if sent.is_err() {
            // Their keys say what they are: whoever sends them next learns what became of them.
            while self.pass.wire.next_clip(None).is_some() {}
        }
        sent
    }

    fn send_clips(&mut self, page: Vec<Due>, deprioritized: bool) -> Result<u64, PassError> {
        let mut handled = 0;
        for row in page {
            if self.has_new_events()? {
                self.land_all()?;
                self.events_meanwhile()?;
            }
            if self.ended() || self.waits(Table::Media) {
                break;
            }
            handled += 1;
            if deprioritized || !self.starts(&row)? {
                self.land_all()?;
                if self.ended() {
                    self.report.media.waiting += 1;
                } else {
                    self.row(Table::Media, &row)?;
                }
            }
        }
        self.land_all()?;
        Ok(handled)
    }

    /// Starts to send a clip beside another, if it suits.
    fn starts(&mut self, due: &Due) -> Result<bool, PassError> {
        if self.pass.wire.clip_lanes(0) < 2 || !self.is_short(due.id) || !self.is_untried(due.id)? {
            return Ok(false);
        }
        // What is wrong with a row shows when it goes alone.
        let Some((clip, video)) = self.short_clip(due) else {
            return Ok(false);
        };
        while self.pass.wire.clips_under_way() >= self.pass.wire.clip_lanes(clip.video_len) {
            self.land()?;
        }
        self.settle()?;
        let key = self.pass.key(Table::Media, clip.id, &clip.date);
        if self.ended() || !self.pass.wire.start_clip(&clip, video, &key) {
            return Ok(false);
        }
        let (id, bytes) = (clip.id, clip.video_len);
        if self.together.under_way.is_empty() {
            self.pass.reporter.notice(&Notice::ClipStarted { id, bytes });
        }
        self.together.under_way.push_back(Flying {
            place: self.together.started,
            due: due.clone(),
            bytes,
        });
        self.together.started += 1;
        Ok(true)
    }

    /// Whether a clip is short enough to go beside another. To open a long one can mean to read through it.
    fn is_short(&mut self, id: i64) -> bool {
        let bytes = self.pass.device.clip_bytes(id).ok().flatten();
        bytes.is_some_and(|bytes| self.pass.wire.clip_lanes(bytes) > 1)
    }

    /// A short clip, held in memory.
    fn short_clip(&mut self, due: &Due) -> Option<(Clip, Vec<u8>)> {
        let pass = &mut *self.pass;
        let (clip, mut reader) = pass.device.clip(due.id, due.date.as_ref()).ok()??;
        if pass.wire.clip_lanes(clip.video_len) < 2 {
            return None;
        }
        let mut video = Vec::with_capacity(usize::try_from(clip.video_len).ok()?);
        reader.read_to_end(&mut video).ok()?;
        Some((clip, video))
    }

    /// Waits for all that are on their way, and for what becomes of those that did not arrive.
    fn land_all(&mut self) -> Result<(), PassError> {
        while self.pass.wire.clips_under_way() > 0 {
            self.land()?;
        }
        self.write_arrived()?;
        self.settle()
    }

    /// Waits for the next one to come to its end. What arrived before is written meanwhile, when its time has come.
    fn land(&mut self) -> Result<(), PassError> {
        let limit = self.time_to_write();
        let Some((id, verdict)) = self.pass.wire.next_clip(limit) else {
            return self.write_arrived();
        };
        let Some(place) = self.together.under_way.iter().position(|clip| clip.due.id == id) else {
            return Ok(());
        };
        let Some(clip) = self.together.under_way.remove(place) else {
            return Ok(());
        };
        if let (0, Some(next)) = (place, self.together.under_way.front()) {
            let (id, bytes) = (next.due.id, next.bytes);
            self.pass.reporter.notice(&Notice::ClipStarted { id, bytes });
        }
        let together = &mut self.together;
        let Verdict::Done { remote_id } = verdict else {
            together.troubled.push((clip, verdict));
            return Ok(());
        };
        if together.arrived.is_empty() {
            together.since = self.pass.clock.monotonic();
        }
        together.arrived.push((clip, remote_id));
        if self.time_to_write().is_some_and(|left| left.is_zero()) {
            self.write_arrived()?;
        }
        Ok(())
    }

    /// In how long what arrived is to be written; `None` when there is nothing.
    fn time_to_write(&self) -> Option<Duration> {
        let together = &self.together;
        if together.arrived.is_empty() {
            return None;
        }
        if together.arrived.len() >= self.batching.rows() {
            return Some(Duration::ZERO);
        }
        let passed = self.pass.clock.monotonic().saturating_sub(together.since);
        Some(policy::COMMIT_WITHIN.saturating_sub(passed))
    }

    fn write_arrived(&mut self) -> Result<(), PassError> {
        let mut arrived = std::mem::take(&mut self.together.arrived);
        if arrived.is_empty() {
            return Ok(());
        }
        arrived.sort_by_key(|(clip, _)| clip.place);
        let arrived: Vec<Arrived> = arrived
            .into_iter()
            .map(|(clip, remote_id)| Arrived {
                id: clip.due.id,
                remote_id,
                bytes: clip.bytes,
            })
            .collect();
        self.book_arrived(Table::Media, &arrived)
    }

    /// Books what the server said of those that did not arrive, or tries them again, alone, as any row that was tried once.
    fn settle(&mut self) -> Result<(), PassError> {
        if self.together.troubled.is_empty() {
            return Ok(());
        }
        while self.pass.wire.clips_under_way() > 0 {
            self.land()?;
        }
        self.write_arrived()?;
        let mut troubled = std::mem::take(&mut self.together.troubled);
        troubled.sort_by_key(|(clip, _)| clip.place);
        for (clip, verdict) in troubled {
            if self.ended() {
                self.report.media.waiting += 1;
                continue;
            }
            let tried = match verdict {
                Verdict::Interrupted => return Err(PassError::Interrupted),
                // Whether it is the row shows when it goes alone.
                Verdict::Misconfigured {
                    may_be_the_row: true, ..
                }
                | Verdict::Local(_) => None,
                verdict => Some((clip.bytes, verdict)),
            };
            if let Some((bytes, verdict)) = self.send_again(Table::Media, &clip.due, tried)? {
                self.conclude(Table::Media, clip.due.id, bytes, verdict)?;
            }
        }
        Ok(())
    }
}
