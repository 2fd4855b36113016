//! The local database in trouble: say so once, wait, try again; never spin, never lose a result.

use crate::clock::Clock;
use crate::device::{Device, DeviceError, Kind};
use crate::notice::{Notice, Reporter};

use fastrand::Rng;

use super::policy;

/// Why an operation on the database was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// A stop was asked for.
    Interrupted,
    /// The tries of a single pass are used up.
    Trouble(DeviceError),
    /// Another file, or other tables, took the place of what was opened.
    Replaced,
    /// The database can't be used; time will not heal it.
    Unusable(DeviceError),
}

/// Repeats `operation` while the trouble is one that passes: without end, or in `once` a few times.
///
/// Errors that concern one row ([`Kind::Row`], [`Kind::Changed`], [`Kind::Vanished`]) are handed back inside `Ok`.
pub(super) fn retry_transient<T>(
    device: &mut Device,
    clock: &dyn Clock,
    reporter: &mut dyn Reporter,
    random: &mut Rng,
    once: bool,
    mut operation: impl FnMut(&mut Device) -> Result<T, DeviceError>,
) -> Result<Result<T, DeviceError>, GiveUp> {
    let mut tries = 0;
    loop {
        let error = match operation(device) {
            Ok(value) => {
                if tries > 0 {
                    log::info!("the local database is well again");
                    reporter.notice(&Notice::TroubleOver);
                }
                return Ok(Ok(value));
            }
            Err(error) => error,
        };
        let replaced = match error.kind {
            Kind::Row | Kind::Changed | Kind::Vanished => return Ok(Err(error)),
            Kind::Unusable if device.is_current() != Ok(false) => return Err(GiveUp::Unusable(error)),
            Kind::Unusable => true,
            // A result is kept for as long as there is a file to write it to.
            Kind::NotYet | Kind::Transient | Kind::Denied => device.is_replaced(),
        };
        if replaced {
            log::warn!("{error}");
            if tries > 0 {
                reporter.notice(&Notice::TroubleOver);
            }
            return Err(GiveUp::Replaced);
        }
        tries += 1;
        if tries == 1 {
            log::error!("{error}");
            reporter.notice(&Notice::Trouble(&error.message));
        }
        if once && tries >= policy::DATABASE_TRIES_ONCE {
            return Err(GiveUp::Trouble(error));
        }
        let delay = policy::database_delay(tries, random);
        log::debug!("try {tries} failed ({error}), next in {delay:?}");
        if wait(clock, reporter, delay) {
            return Err(GiveUp::Interrupted);
        }
    }
}

/// Waits in slices, so that whoever watches for progress sees that this wait was meant.
pub(super) fn wait(clock: &dyn Clock, reporter: &mut dyn Reporter, duration: std::time::Duration) -> bool {
    const SLICE: std::time::Duration = std::time::Duration::from_secs(5);
    let end = clock.monotonic() + duration;
    loop {
        let left = end.saturating_sub(clock.monotonic());
        if left.is_zero() {
            // Also a wait of no time sees a stop that was asked for.
            return clock.wait(left);
        }
        if clock.wait(left.min(SLICE)) {
            return true;
        }
        reporter.notice(&Notice::Waiting);
    }
}
