//! When and how much is deleted of what is at the server: after a pass, oldest first, a clip a transaction, within bounds, and
//! with room for the recorder between two.

use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};

use super::policy;
use super::too_long::TooLong;
use crate::clock::Clock;
use crate::config::PruneConfig;
use crate::device::{BREATH, Device, DeviceError, Prunable, Removal};
use crate::notice::{Notice, Reporter};

/// Why clips go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// They were recorded and sent before this moment.
    Age(NaiveDateTime),
    /// So many bytes must be free.
    Space(u64),
}

impl Why {
    /// What an owner asked for, as of `now` (local time): first what is old enough, then what must go for room.
    #[must_use]
    pub(crate) fn of(config: &PruneConfig, now: NaiveDateTime) -> Vec<Self> {
        let days = config.after_days.and_then(|days| i64::try_from(days).ok());
        let age = days
            .and_then(TimeDelta::try_days)
            .and_then(|days| now.checked_sub_signed(days));
        let space = config.keep_free_mb.map(|mb| mb.saturating_mul(1_000_000));
        age.map(Why::Age).into_iter().chain(space.map(Why::Space)).collect()
    }

    /// Clips sent later need not be looked at.
    #[must_use]
    pub(crate) fn sent_before(self) -> Option<NaiveDateTime> {
        match self {
            Why::Age(moment) => Some(moment),
            Why::Space(_) => None,
        }
    }

    /// Whether a clip that is certainly at the server goes for this reason. One whose date can't be read has no age.
    #[must_use]
    pub(crate) fn takes(self, clip: &Prunable) -> bool {
        match self {
            Why::Age(moment) => [clip.recorded, clip.sent]
                .iter()
                .all(|at| at.is_some_and(|at| at < moment)),
            Why::Space(_) => true,
        }
    }

    /// Bytes that are missing; more than there can be where that is not the question.
    fn missing(self, device: &Device) -> Result<u64, DeviceError> {
        match self {
            Why::Age(_) => Ok(u64::MAX),
            Why::Space(bytes) => Ok(bytes.saturating_sub(device.free_bytes()?)),
        }
    }
}

/// Where a sweep over the clips ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing is left to do.
    Done,
    /// It goes on above this id another time.
    At(i64),
    /// A stop is asked for.
    Interrupted,
}

/// A sweep over the clips, with all it needs.
pub(crate) struct Sweep<'a> {
    pub device: &'a mut Device,
    pub reporter: &'a mut dyn Reporter,
    pub clock: &'a dyn Clock,
    pub too_long: &'a mut TooLong,
    /// When it ends at the latest (monotonic), and after how many clips; at least one goes.
    pub until: Duration,
    pub most: u64,
    /// `PRAGMA data_version` at the start, where new rows come first.
    pub version: Option<i64>,
    /// Clips and bytes deleted.
    pub deleted: (u64, u64),
}

impl Sweep<'_> {
    /// Deletes what goes for a reason, above id `after`. Where not the `whole` table is asked for, many clips in a row that stay are
    /// taken for its young end.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn run(&mut self, why: Why, mut after: i64, whole: bool) -> Result<End, DeviceError> {
        let mut others = 0;
        while why.missing(self.device)? > 0 {
            let window = self.device.prunable(after, why.sent_before())?;
            for clip in window.clips.iter().filter(|clip| why.takes(clip)) {
                if self.is_over()? {
                    return Ok(End::At(clip.id.saturating_sub(1)));
                }
                if self.clip(clip)? == Removal::Interrupted || self.clock.wait(BREATH) {
                    return Ok(End::Interrupted);
                }
                if why.missing(self.device)? == 0 {
                    return Ok(End::Done);
                }
            }
            self.reporter.notice(&Notice::Waiting);
            let Some(reached) = window.reached else {
                return Ok(End::Done);
            };
            others = window.others + if window.clips.is_empty() { others } else { 0 };
            if !whole && others >= policy::PRUNE_YOUNG_ROWS {
                return Ok(End::Done);
            }
            after = reached;
            // To look at a long table takes its time on a slow card, also where nothing goes.
            if self.clock.wait(Duration::ZERO) {
                return Ok(End::Interrupted);
            }
            if self.is_disturbed()? {
                return Ok(End::At(after));
            }
        }
        Ok(End::Done)
    }

    /// Whether the rest is for another time.
    fn is_over(&self) -> Result<bool, DeviceError> {
        let (deleted, _) = self.deleted;
        if deleted == 0 {
            return Ok(false);
        }
        Ok(self.is_disturbed()? || deleted >= self.most || self.clock.monotonic() >= self.until)
    }

    /// Whether somebody committed, where new rows come first.
    fn is_disturbed(&self) -> Result<bool, DeviceError> {
        match self.version {
            Some(version) => Ok(self.device.data_version()? != version),
            None => Ok(false),
        }
    }

    fn clip(&mut self, clip: &Prunable) -> Result<Removal, DeviceError> {
        if self.too_long.is(clip.bytes, self.clock.unix_seconds()) {
            return Ok(Removal::TooLong);
        }
        let (clock, reporter) = (self.clock, &mut *self.reporter);
        let mut pulse = || {
            reporter.notice(&Notice::Waiting);
            clock.wait(Duration::ZERO)
        };
        let now = clock.unix_seconds();
        let removal = self.device.prune(clip, policy::PRUNE_LOCK, now, &mut pulse)?;
        match removal {
            Removal::Done { locked } => {
                log::info!("media {} deleted in {locked:?}, {} bytes", clip.id, clip.bytes);
                let (clips, bytes) = self.deleted;
                self.deleted = (clips + 1, bytes.saturating_add(clip.bytes));
                self.learn(clip.bytes, locked);
                self.reporter.notice(&Notice::Pruned {
                    id: clip.id,
                    remote_id: clip.remote_id,
                    bytes: clip.bytes,
                });
            }
            Removal::TooLong => self.too_long.rehearsed(clip.bytes, now),
            Removal::Left | Removal::Interrupted => {}
        }
        Ok(removal)
    }

    /// A deletion that took too long says which length would not have.
    fn learn(&mut self, bytes: u64, locked: Duration) {
        // A commit alone can take long on a card that is busy: that is no matter of length.
        if locked <= policy::PRUNE_LOCK || bytes <= policy::PRUNE_ALWAYS_BYTES {
            return;
        }
        log::warn!("deleting {bytes} bytes took {locked:?}: clips that long stay for a day");
        let now = self.clock.unix_seconds();
        let kept = self.too_long.overran(self.device, bytes, locked, now);
        if let Err(error) = kept {
            log::error!("{error}");
        }
    }
}
