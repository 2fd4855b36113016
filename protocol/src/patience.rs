//! How long a device waits before it asks again, and whom: as sync-service does it, and whoever plays it. Chance comes in as a number
//! from 0 to 1, times as what has passed since any fixed moment.

use std::time::Duration;

/// Tries of a row in one pass before the pass ends; more where there are more servers than that.
pub const ATTEMPTS: u32 = 3;

/// Waits between the tries of a row, before jitter.
const BETWEEN_TRIES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
];

/// The pause before a clip goes on after a break, before jitter: a line that is just back is not stormed.
const RESUME: Duration = Duration::from_millis(50);

/// The first wait after a pass that the servers ended; it doubles up to the interval.
const FIRST: Duration = Duration::from_secs(5);

/// How long another server is used before the preferred one is tried again.
const PREFER_AFTER: Duration = Duration::from_secs(60);

/// Jitter of waits that were planned: devices that come back together must not stay in step.
pub const JITTER: f64 = 0.1;

/// `duration` ± `share` of it.
#[must_use]
pub fn around(duration: Duration, share: f64, chance: f64) -> Duration {
    duration.mul_f64(1.0 - share + 2.0 * share * chance)
}

/// Not before the time that a server named, and not all at that time.
fn not_before(named: Duration, chance: f64) -> Duration {
    named.mul_f64(1.0 + JITTER * chance)
}

/// The wait after the `attempt`th try (from 1) of a row: until the time that was named, which counts up to the interval.
#[must_use]
pub fn between_tries(attempt: u32, named: Option<Duration>, interval: Duration, chance: f64) -> Duration {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let own = BETWEEN_TRIES[index.min(BETWEEN_TRIES.len() - 1)];
    match named {
        Some(named) => not_before(named.min(interval), chance),
        None => around(own.min(interval), 0.5, chance),
    }
}

/// The wait before a clip goes on after a break that cost nothing.
#[must_use]
pub fn resume(chance: f64) -> Duration {
    around(RESUME, 0.5, chance)
}

/// Passes in a row that the servers ended without a word on when to come again.
#[derive(Debug, Default)]
pub struct Troubles(u32);

impl Troubles {
    /// A pass came to its own end.
    pub fn over(&mut self) {
        self.0 = 0;
    }

    /// The wait after one more pass that the servers ended. The time that one of them named takes the place of the wait that doubles:
    /// by it a busy server spreads those whom it sends away, and whoever waits for longer waits beside an idle one.
    pub fn wait(&mut self, named: Option<Duration>, interval: Duration, chance: f64) -> Duration {
        if let Some(named) = named {
            self.0 = 0;
            return not_before(named.max(FIRST).min(interval), chance);
        }
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.0));
        self.0 = self.0.saturating_add(1);
        around(doubled.min(interval), JITTER, chance)
    }
}

/// Whose turn it is among servers that stand for each other.
#[derive(Debug)]
pub struct Turns {
    preferred: usize,
    current: usize,
    /// When the preferred one is gone back to.
    back_at: Option<Duration>,
    /// Until when each wished to be left alone when it last failed.
    named: Vec<Option<Duration>>,
}

impl Turns {
    /// Of so many servers, of which one is preferred.
    #[must_use]
    pub fn new(count: usize, preferred: usize) -> Self {
        Self {
            preferred,
            current: preferred,
            back_at: None,
            named: vec![None; count],
        }
    }

    /// Whose turn it is.
    #[must_use]
    pub fn current(&self) -> usize {
        self.current
    }

    /// The one whose turn it is failed at `now`, and wished to be left alone for so long if it named a time. The turn goes to the next one
    /// that did not name a time still to come; where all others did, to the first whose time comes. Returns how long that one is to
    /// be left alone yet; `None` where there is no other and no time was named.
    pub fn failed(&mut self, now: Duration, wish: Option<Duration>) -> Option<Duration> {
        let (count, from) = (self.named.len(), self.current);
        if let Some(named) = self.named.get_mut(from) {
            *named = wish.map(|wish| now.saturating_add(wish));
        }
        let is_free = |at: Option<Duration>| at.is_none_or(|at| at <= now);
        let free = (1..count)
            .map(|step| (from + step) % count)
            .find(|next| is_free(self.named[*next]));
        let (next, at) = match free {
            Some(next) => (next, now),
            None => {
                let timed = self.named.iter().enumerate();
                let timed = timed.filter_map(|(next, at)| Some((next, (*at)?)));
                timed.min_by_key(|(_, at)| *at)?
            }
        };
        if from == self.preferred {
            self.back_at = Some(now.saturating_add(wish.unwrap_or_default().max(PREFER_AFTER)));
        }
        self.current = next;
        Some(at.saturating_sub(now))
    }

    /// Gives the turn back to the preferred one when its time has come.
    pub fn prefer(&mut self, now: Duration) {
        if self.back_at.is_some_and(|at| now >= at) {
            self.back_at = None;
            self.current = self.preferred;
        }
    }

    /// In how long the first of those that named a time may be asked again.
    #[must_use]
    pub fn named_wait(&self, now: Duration) -> Option<Duration> {
        let times = self.named.iter().flatten();
        times.filter(|at| **at > now).min().map(|at| *at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// From the least to the most that chance may bring.
    fn chances() -> impl Iterator<Item = f64> {
        (0..=100).map(|percent| f64::from(percent) / 100.0)
    }

    #[test]
    fn tries_wait_half_a_second_one_and_two_with_jitter() {
        for (attempt, planned_ms) in [(1, 500), (2, 1_000), (3, 2_000), (9, 2_000)] {
            let waits: Vec<_> = chances()
                .map(|chance| between_tries(attempt, None, INTERVAL, chance).as_millis())
                .collect();
            assert_eq!(
                (waits[0], waits[100]),
                (planned_ms / 2, planned_ms * 3 / 2),
                "{attempt}"
            );
        }
        assert!(between_tries(3, None, Duration::from_millis(600), 1.0) <= Duration::from_millis(900));
    }

    #[test]
    fn a_named_time_is_never_cut_short_and_counts_up_to_the_interval() {
        for chance in chances() {
            for (named, least, most) in [(0, 0, 0), (20, 20, 22), (86_400, 300, 330)] {
                let wait = between_tries(1, Some(seconds(named)), INTERVAL, chance);
                assert!((seconds(least)..=seconds(most)).contains(&wait), "{named}: {wait:?}");
            }
        }
        let spread =
            between_tries(1, Some(seconds(10)), INTERVAL, 1.0) - between_tries(1, Some(seconds(10)), INTERVAL, 0.0);
        assert!(
            spread > Duration::from_millis(800),
            "those sent away together come back in step: {spread:?}"
        );
    }

    #[test]
    fn waits_double_up_to_the_interval_while_nobody_names_a_time() {
        for chance in chances() {
            let mut troubles = Troubles::default();
            let planned = [5, 10, 20, 40, 80, 160, 300, 300].into_iter().chain([300; 40]);
            for planned in planned {
                let wait = troubles.wait(None, INTERVAL, chance);
                let about = seconds(planned).mul_f64(0.899)..=seconds(planned).mul_f64(1.101);
                assert!(about.contains(&wait), "{planned}: {wait:?}");
            }
            troubles.over();
            assert!(troubles.wait(None, INTERVAL, chance) < seconds(6));
        }
    }

    #[test]
    fn a_named_time_takes_the_place_of_the_wait_that_doubles() {
        for chance in chances() {
            let mut troubles = Troubles::default();
            for _ in 0..10 {
                troubles.wait(None, INTERVAL, chance);
            }
            for (named, least, most) in [(12, 12_000, 13_200), (0, 5_000, 5_500), (3_600, 300_000, 330_000)] {
                let wait = troubles.wait(Some(seconds(named)), INTERVAL, chance).as_millis();
                assert!((least..=most).contains(&wait), "{named}: {wait}");
            }
            // Whoever names a time is there: what comes after begins anew.
            assert!(troubles.wait(None, INTERVAL, chance) < seconds(6));
        }
    }

    #[test]
    fn a_server_that_named_a_time_is_not_asked_before_it() {
        let mut turns = Turns::new(2, 0);
        // The other one is asked at once, whoever named a time.
        assert_eq!(
            (turns.failed(seconds(100), Some(seconds(15))), turns.current()),
            (Some(Duration::ZERO), 1)
        );
        // Both did: the turn stays with the one whose time comes first.
        assert_eq!(
            (turns.failed(seconds(101), Some(seconds(5))), turns.current()),
            (Some(seconds(5)), 1)
        );
        assert_eq!(turns.named_wait(seconds(102)), Some(seconds(4)));
        // It fails once more, and now the other one's time comes first.
        assert_eq!(
            (turns.failed(seconds(106), Some(seconds(12))), turns.current()),
            (Some(seconds(9)), 0)
        );
        // Its time is over: it may be asked at once.
        assert_eq!(
            (turns.failed(seconds(120), None), turns.current()),
            (Some(Duration::ZERO), 1)
        );
        assert_eq!(turns.named_wait(seconds(120)), None);
    }

    #[test]
    fn one_that_is_away_does_not_hide_the_time_that_another_named() {
        let mut turns = Turns::new(2, 0);
        turns.failed(seconds(0), Some(seconds(10)));
        // The other one is away: there is no sense in asking it again before the first one's time.
        assert_eq!((turns.failed(seconds(1), None), turns.current()), (Some(seconds(9)), 0));
        // At the end of a pass the turn is the other's, and the next pass begins when the first may be asked.
        assert_eq!(
            (turns.failed(seconds(10), Some(seconds(10))), turns.current()),
            (Some(Duration::ZERO), 1)
        );
        assert_eq!(turns.named_wait(seconds(10)), Some(seconds(10)));
    }

    #[test]
    fn a_single_server_is_waited_for() {
        let mut turns = Turns::new(1, 0);
        assert_eq!(
            (turns.failed(seconds(1), None), turns.named_wait(seconds(1))),
            (None, None)
        );
        assert_eq!(turns.failed(seconds(1), Some(seconds(7))), Some(seconds(7)));
        assert_eq!(turns.named_wait(seconds(2)), Some(seconds(6)));
        assert_eq!(
            (turns.failed(seconds(9), None), turns.named_wait(seconds(9))),
            (None, None)
        );
        assert_eq!(turns.current(), 0);
    }

    #[test]
    fn the_preferred_one_is_gone_back_to_after_a_minute_or_at_the_time_it_named() {
        let mut turns = Turns::new(3, 1);
        turns.failed(seconds(1_000), None);
        turns.prefer(seconds(1_059));
        assert_eq!(turns.current(), 2);
        turns.prefer(seconds(1_060));
        assert_eq!(turns.current(), 1);
        turns.failed(seconds(2_000), Some(seconds(200)));
        turns.prefer(seconds(2_199));
        assert_eq!(turns.current(), 2);
        turns.prefer(seconds(2_200));
        assert_eq!(turns.current(), 1);
    }
}
