//! Bytes leave no faster than `SYNC_MAX_RATE_KBPS` says, so that the line stays usable for others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDateTime;

use super::timetable::{Rate, Timetable};
use crate::shutdown::Shutdown;

/// Bytes handed out at once are at most what so much time allows.
const BURST: Duration = Duration::from_millis(50);

/// The least that is handed out at once, whatever the rate.
const LEAST_BYTES: usize = 64;

/// Tells the local time.
pub(super) type LocalTime = Box<dyn Fn() -> NaiveDateTime + Send>;

/// Keeps a rate over all requests of the process. What is due counts by a clock that never jumps; the wall clock says
/// only which rate holds.
pub(super) struct RateLimiter {
    timetable: Timetable,
    local_time: LocalTime,
    /// What held last, in bytes a second, while clips were allowed to go; `None` is as fast as it goes.
    bytes_per_s: Option<f64>,
    /// When the bytes handed out so far will have been due.
    due: Instant,
    shutdown: Arc<Shutdown>,
}

impl RateLimiter {
    /// What `timetable` says at `local_time`.
    pub(super) fn new(timetable: Timetable, local_time: LocalTime, shutdown: Arc<Shutdown>) -> Self {
        Self {
            timetable,
            local_time,
            bytes_per_s: None,
            due: Instant::now(),
            shutdown,
        }
    }

    /// Until when clips wait (local time), if they do.
    pub(super) fn clips_wait_until(&self) -> Option<NaiveDateTime> {
        let in_force = self.timetable.in_force((self.local_time)());
        in_force.until.filter(|_| in_force.rate == Rate::EventsOnly)
    }

    /// The rate of what leaves now. A clip that is under way when clips begin to wait keeps the rate it had: to break
    /// it off would waste what the line has carried, and be paid for again.
    fn bytes_per_s(&mut self) -> Option<f64> {
        match self.timetable.in_force((self.local_time)()).rate {
            Rate::Unlimited => self.bytes_per_s = None,
            #[allow(clippy::cast_precision_loss)] // a rate needs no 53 bits
            Rate::Kbps(kbps) => self.bytes_per_s = Some(kbps as f64 * 1_000.0),
            Rate::EventsOnly => {}
        }
        self.bytes_per_s
    }

    /// Whether everything goes as fast as it can.
    pub(super) fn is_unlimited(&mut self) -> bool {
        self.bytes_per_s().is_none() && self.clips_wait_until().is_none()
    }

    /// How many of `wanted` bytes may be handed out at once.
    pub(super) fn share(&mut self, wanted: usize) -> usize {
        match self.bytes_per_s() {
            None => wanted,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive, and cut at wanted
            Some(rate) => wanted.min(((rate * BURST.as_secs_f64()) as usize).max(LEAST_BYTES)),
        }
    }

    /// Accounts for `bytes` and waits until they are due; `true` when a stop was asked for.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let Some(rate) = self.bytes_per_s() else {
            return self.shutdown.is_requested();
        };
        let now = Instant::now();
        // Time that nobody used is gone: it does not add up to a burst.
        self.due = self.due.max(now);
        #[allow(clippy::cast_precision_loss)] // a chunk is small
        let cost = Duration::from_secs_f64(bytes as f64 / rate);
        self.due += cost;
        self.shutdown.wait(self.due.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A limiter whose clock the test sets.
    fn limiter(timetable: &str, at: &str) -> (RateLimiter, impl Fn(&str)) {
        let parse = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let now = Arc::new(Mutex::new(parse(at)));
        let clock = Arc::clone(&now);
        let limiter = RateLimiter::new(
            timetable.parse().unwrap(),
            Box::new(move || *clock.lock().unwrap()),
            Arc::default(),
        );
        (limiter, move |at: &str| *now.lock().unwrap() = parse(at))
    }

    #[test]
    fn the_rate_follows_the_clock() {
        let (mut limiter, set) = limiter("07:00,50 19:00,400 23:30,off", "2025-12-18 07:00");
        assert_eq!(limiter.share(1 << 20), 2_500);
        set("2025-12-18 19:00");
        assert_eq!(limiter.share(1 << 20), 20_000);
        set("2025-12-18 23:30");
        assert_eq!(limiter.share(1 << 20), 1 << 20);
    }

    #[test]
    fn a_clock_that_jumps_neither_stalls_nor_floods() {
        let (mut limiter, set) = limiter("07:00,50 19:00,400", "2025-12-18 08:00");
        let begun = Instant::now();
        for at in [
            "1970-01-01 08:00",
            "2038-01-20 08:00",
            "2025-12-18 08:00",
            "2025-12-17 08:00",
        ] {
            set(at);
            let share = limiter.share(1 << 20);
            assert_eq!(share, 2_500, "{at}");
            limiter.spend(share);
        }
        // Four times 50 ms, neither years nor nothing.
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }

    #[test]
    fn clips_wait_where_the_timetable_says_0_and_one_under_way_goes_on() {
        let (mut limiter, set) = limiter("07:00,0 19:00,50 23:00,off", "2025-12-18 18:59");
        let until = limiter.clips_wait_until().map(|until| until.to_string());
        assert_eq!(until.as_deref(), Some("2025-12-18 19:00:00"));
        // An event after a start at such a time: nothing held before.
        assert_eq!(limiter.share(1 << 20), 1 << 20);
        set("2025-12-18 19:00");
        assert_eq!((limiter.clips_wait_until(), limiter.share(1 << 20)), (None, 2_500));
        set("2025-12-19 07:00");
        assert!(limiter.clips_wait_until().is_some());
        assert_eq!(limiter.share(1 << 20), 2_500);
    }
}
