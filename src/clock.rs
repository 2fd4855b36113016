//! Time, let in through the front door: the schedule is tested with a simulated clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local, NaiveDateTime};

use crate::shutdown::Shutdown;

/// What the schedule needs to know of time.
pub(crate) trait Clock {
    /// Time since an arbitrary start that never jumps; for intervals and delays.
    fn monotonic(&self) -> Duration;

    /// Wall-clock seconds since 1970, possibly wrong (no RTC) and possibly jumping; for due times that
    /// must survive a restart.
    fn unix_seconds(&self) -> i64;

    /// The same in milliseconds, for whoever compares clocks.
    fn unix_ms(&self) -> i64 {
        self.unix_seconds().saturating_mul(1_000)
    }

    /// Seconds that local time is ahead of UTC.
    fn utc_offset_s(&self) -> i32 {
        0
    }

    /// The local wall-clock time, for what people read and `sync_date`.
    fn local(&self) -> NaiveDateTime;

    /// Waits, and returns early with `true` when the service is asked to stop.
    fn wait(&self, duration: Duration) -> bool;
}

/// Wall-clock seconds since 1970, for commands that look once and end.
#[allow(clippy::disallowed_methods, reason = "the one place that asks the system")]
#[must_use]
pub(crate) fn unix_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // A clock before 1970: any small number does, due times are checked for plausibility.
        Err(_) => 0,
    }
}

/// The local wall-clock time, with its fraction of a second.
#[must_use]
pub(crate) fn local_now() -> NaiveDateTime {
    zoned_now().naive_local()
}

/// The same with its distance from UTC.
#[allow(clippy::disallowed_methods, reason = "the one place that asks the system")]
#[must_use]
pub(crate) fn zoned_now() -> DateTime<Local> {
    DateTime::from(SystemTime::now())
}

/// The machine's own clock.
pub(crate) struct SystemClock {
    start: Instant,
    shutdown: std::sync::Arc<Shutdown>,
}

impl SystemClock {
    /// A clock whose waits end when `shutdown` is requested.
    #[must_use]
    pub(crate) fn new(shutdown: std::sync::Arc<Shutdown>) -> Self {
        Self {
            start: Instant::now(),
            shutdown,
        }
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix_seconds(&self) -> i64 {
        unix_seconds()
    }

    fn unix_ms(&self) -> i64 {
        zoned_now().timestamp_millis().max(0)
    }

    fn utc_offset_s(&self) -> i32 {
        zoned_now().offset().local_minus_utc()
    }

    fn local(&self) -> NaiveDateTime {
        local_now()
    }

    fn wait(&self, duration: Duration) -> bool {
        self.shutdown.wait(duration)
    }
}
