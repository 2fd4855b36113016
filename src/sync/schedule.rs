//! When the next pass begins.

use std::time::Duration;

use crate::config::{Config, Mode};
use crate::notice::PassReport;

use fastrand::Rng;
use sync_protocol::patience::Troubles;

use super::policy;

/// The schedule of a process: what it was told, and how the last passes ended.
pub(super) struct Schedule {
    mode: Mode,
    interval: Duration,
    start: Duration,
    troubles: Troubles,
}

impl Schedule {
    /// A schedule that begins at `start` (monotonic).
    pub(super) fn new(config: &Config, start: Duration) -> Self {
        Self {
            mode: config.mode,
            interval: config.interval,
            start,
            troubles: Troubles::default(),
        }
    }

    /// The wait after a pass that ended at `now` (monotonic); `named` is in how long the first of the servers that named a time may be
    /// asked again.
    pub(super) fn after(
        &mut self,
        report: &PassReport,
        named: Option<Duration>,
        now: Duration,
        random: &mut Rng,
    ) -> Duration {
        let ended = report.ended_by.is_some();
        if !ended {
            self.troubles.over();
        }
        match self.mode {
            // Start + k × interval: the first point of the grid that is still to come.
            Mode::Periodic => {
                let passed = (now - self.start).as_nanos();
                let step = self.interval.as_nanos();
                let left = step - passed % step;
                Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
            }
            Mode::Realtime if ended => self.troubles.wait(named, self.interval, random.f64()),
            Mode::Once | Mode::Continuous | Mode::Realtime => policy::pass_delay(self.interval, random),
        }
    }
}
