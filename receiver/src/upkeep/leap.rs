//! A clock that leaps forward makes everything old at once. Nothing is removed by age until it has shown that it stays.

use std::time::{Duration, Instant};

use crate::store::{Store, StoreError};

/// How far ahead of the time that has passed a clock may get: more than any correction while it is about right.
const LEAP_MOST: Duration = Duration::from_secs(300);

/// How long ages are not believed after a leap: time for who keeps the clock to put it right again.
const GRACE: Duration = Duration::from_secs(3_600);

/// The database's clock, against the time that has passed.
pub(super) struct Leap {
    /// Who asks.
    work: &'static str,
    /// What it said, and when.
    believed: Option<(i64, Instant)>,
    until: Option<Instant>,
}

impl Leap {
    pub(super) fn new(work: &'static str) -> Self {
        Self {
            work,
            believed: None,
            until: None,
        }
    }

    /// The time by the clock that stamps rows, in seconds since 1970; `None` while it is not believed.
    pub(super) async fn now_s(&mut self, store: &Store) -> Result<Option<i64>, StoreError> {
        let (now_s, at) = (store.now_ms().await? / 1_000, Instant::now());
        Ok(self.is_believed(now_s, at).then_some(now_s))
    }

    fn is_believed(&mut self, now_s: i64, at: Instant) -> bool {
        let (then_s, then) = *self.believed.get_or_insert((now_s, at));
        let passed_s = i64::try_from(at.duration_since(then).as_secs()).unwrap_or(i64::MAX);
        let ahead_s = now_s.saturating_sub(then_s).saturating_sub(passed_s);
        if ahead_s.unsigned_abs() > LEAP_MOST.as_secs() {
            self.believed = Some((now_s, at));
            // One that goes back makes nothing old.
            if ahead_s > 0 {
                self.until = Some(at + GRACE);
                log::warn!(
                    "{}: the clock has leapt {ahead_s} s forward: nothing is removed by age for {} s; look whether it is right",
                    self.work,
                    GRACE.as_secs()
                );
            }
        }
        self.until.is_none_or(|until| at >= until)
    }
}

#[cfg(test)]
impl Leap {
    /// As if the clock had been believed so long ago, by itself and by the time that has passed.
    pub(super) fn since(clock_s: i64, passed_s: u64) -> Self {
        let passed = Instant::now().checked_sub(Duration::from_secs(passed_s)).unwrap();
        Self {
            work: "test",
            believed: Some((crate::people::now_s() - clock_s, passed)),
            until: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_forward_is_not_believed_for_an_hour() {
        let (mut leap, start) = (Leap::new("test"), Instant::now());
        let mut look = |clock_s: i64, passed_s: u64| {
            leap.is_believed(1_800_000_000 + clock_s, start + Duration::from_secs(passed_s))
        };
        // Seconds by the clock, seconds that passed, and whether it is believed.
        for (clock_s, passed_s, believed) in [
            (0, 0, true),
            (10_000, 9_990, true),
            (10_300, 10_000, true),
            (10_301, 10_000, false),
            (13_900, 13_599, false),
            (13_901, 13_600, true),
            // Again, and put right: until the hour is over it is all the same.
            (1_000_000, 13_601, false),
            (13_902, 13_602, false),
            (17_501, 17_201, true),
            // Back is none, and from there it may leap again.
            (-1_000_000, 17_202, true),
            (17_502, 17_203, false),
        ] {
            assert_eq!(look(clock_s, passed_s), believed, "{clock_s} {passed_s}");
        }
    }
}
