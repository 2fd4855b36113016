//! How fast requests are served: by that a line is as long as those in it can wait, and no longer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long is counted before a pace is believed.
const COUNTED_FOR: Duration = Duration::from_millis(500);

/// Of the time that a request waits at most, how much a line is filled with: a pace falls, too.
const FILLED: f64 = 0.8;

/// When refused ones may come again, in seconds: those who were refused together do not come back together, for then there would be
/// nothing to do until they come, and too much when they do.
const COME_AGAIN_FIRST_S: u32 = 5;
const COME_AGAIN_LAST_S: u32 = 15;

/// Requests a second, as of late.
pub(super) struct Pace {
    counted: Mutex<Counted>,
    refused: AtomicU32,
}

struct Counted {
    since: Instant,
    served: u32,
    per_s: f64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        let counted = Counted {
            since: now,
            served: 0,
            per_s: 0.0,
        };
        Self {
            counted: Mutex::new(counted),
            refused: AtomicU32::new(0),
        }
    }

    /// A request was served.
    pub(super) fn served(&self, now: Instant) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.served = counted.served.saturating_add(1);
        let elapsed = now.duration_since(counted.since);
        if elapsed >= COUNTED_FOR {
            *counted = Counted {
                since: now,
                served: 0,
                per_s: f64::from(counted.served) / elapsed.as_secs_f64(),
            };
        }
    }

    /// How many are served within the time that each waits at most.
    pub(super) fn in_time(&self, wait: Duration) -> usize {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        (counted.per_s * wait.as_secs_f64() * FILLED) as usize
    }

    /// When the next one that is refused may come again: evenly spread.
    pub(super) fn come_again_s(&self) -> u32 {
        const DIFFERENT: u32 = COME_AGAIN_LAST_S - COME_AGAIN_FIRST_S + 1;
        // Steps of 7 visit each of the 11.
        let refused = self.refused.fetch_add(7, Ordering::Relaxed);
        COME_AGAIN_FIRST_S + refused % DIFFERENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_long_as_the_pace_of_late_serves_in_time() {
        let begun = Instant::now();
        let (pace, wait) = (Pace::new(begun), Duration::from_secs(5));
        let at = |ms| begun + Duration::from_millis(ms);
        assert_eq!(pace.in_time(wait), 0);
        (1..500).for_each(|ms| pace.served(at(ms)));
        assert_eq!(pace.in_time(wait), 0, "believed too early");
        pace.served(at(500));
        // 1,000 a second.
        assert_eq!(pace.in_time(wait), 4_000);
        // One in ten seconds: whoever stands in line now waits for long.
        pace.served(at(10_500));
        assert_eq!(pace.in_time(wait), 0);
    }

    #[test]
    fn refused_ones_are_spread_evenly() {
        let pace = Pace::new(Instant::now());
        let mut seconds: Vec<u32> = (0..11).map(|_| pace.come_again_s()).collect();
        seconds.sort_unstable();
        assert_eq!(seconds, (5..=15).collect::<Vec<u32>>());
    }
}
