//! Between two passes: the wait, and in `realtime` the watch for commits.

use std::time::Duration;

use crate::config::Mode;
use crate::device::{Device, DeviceError, FailedDue};
use crate::notice::PassReport;
use crate::row::Table;

use super::aftermath::Aftermath;
use super::policy;
use super::retry_transient::wait;
use super::service::Service;

/// How often `realtime` looks whether somebody committed, and whoever waits for the alert whether it ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Service<'_> {
    /// Waits for the pass after `last`; `true` when a stop is asked for.
    pub(super) fn idle(
        &mut self,
        device: &mut Device,
        aftermath: &mut Aftermath,
        delay: Duration,
        last: &PassReport,
    ) -> bool {
        // With the backend away, new rows change nothing.
        let watches = self.config.mode == Mode::Realtime && last.ended_by.is_none();
        // By the wall clock as it is then: it may have been wrong when the pass ended. `periodic` keeps its grid.
        let clips_wait = last.clips_wait_until.is_some() && self.config.mode != Mode::Periodic;
        let end = self.clock.monotonic() + delay;
        // Nothing is known yet of what came during the pass: the first look is a real one.
        let mut seen = None;
        loop {
            if let Err(error) = aftermath.book_alert(device) {
                log::error!("{error}");
            }
            if watches {
                match self.has_come(device, &mut seen) {
                    Ok(true) => return false,
                    Ok(false) => {}
                    // The pass will meet the same trouble and deal with it.
                    Err(error) => log::debug!("{error}"),
                }
            }
            if clips_wait && self.wire.clips_wait_until().is_none() {
                return false;
            }
            let left = end.saturating_sub(self.clock.monotonic());
            let slice = if watches || clips_wait || aftermath.is_alerting() {
                left.min(LOOK_EVERY)
            } else {
                left
            };
            // Also a wait of no time sees a stop that was asked for.
            if wait(self.clock, self.reporter, slice) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    /// Whether somebody committed since `seen`, and what is due is not nothing.
    fn has_come(&self, device: &Device, seen: &mut Option<i64>) -> Result<bool, DeviceError> {
        let version = device.data_version()?;
        if *seen == Some(version) {
            return Ok(false);
        }
        let failed_due = FailedDue::At {
            now: self.clock.unix_seconds(),
            longest_delay: policy::LONGEST_DELAY_S,
        };
        for table in Table::ALL {
            if table == Table::Media && self.wire.clips_wait_until().is_some() {
                continue;
            }
            // What takes many steps is the pass's: it gives signs of life and hears of a stop.
            if device.prepare_backlog(table, failed_due)? || device.backlog(table, failed_due)?.due > 0 {
                return Ok(true);
            }
        }
        *seen = Some(version);
        Ok(false)
    }
}
