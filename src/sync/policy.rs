//! Every limit and delay of the work, with its unit and its reason.

use std::time::Duration;

use fastrand::Rng;
use sync_protocol::patience;

use crate::device::{Failures, Reason};

/// Tries of a row in one pass before the pass ends.
pub(super) const ATTEMPTS: u32 = patience::ATTEMPTS;

/// Rows in a row that get a 500, or a 2xx without a usable id, before it is the backend's trouble and not theirs.
pub(super) const UNPROVEN_FAILURES: usize = 3;

/// A refused row is due again after an hour, and from this refusal on once a day.
const DAILY_FROM: u32 = 24;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// Rows that go in one request and whose results are one commit, before a card has shown how fast it is.
pub(super) const BATCH_ROWS_FIRST: usize = 125;

/// The same on the slowest card.
pub(super) const BATCH_ROWS_LEAST: usize = 25;

/// The same on the fastest.
pub(super) const BATCH_ROWS_MOST: usize = 500;

/// Results of rows that went beside each other are written after so long, at the latest.
pub(super) const COMMIT_WITHIN: Duration = Duration::from_millis(250);

/// A commit of a batch that takes longer holds its write lock for too long: the next batch is smaller.
pub(super) const BATCH_COMMIT: Duration = Duration::from_millis(50);

/// The longest delay the schedule gives, in seconds: a due time further away is a clock that jumped.
pub(super) const LONGEST_DELAY_S: i64 = DAY_S + DAY_S / 10 + 1;

/// Waits between tries of the local database when it is in trouble.
const DATABASE_FIRST: Duration = Duration::from_secs(1);
const DATABASE_LONGEST: Duration = Duration::from_secs(30);

/// Clips deleted after one pass, and for how long: what is left is for the next.
pub(super) const PRUNE_CLIPS: u64 = 200;
pub(super) const PRUNE_TIME: Duration = Duration::from_secs(20);

/// How long a deletion may keep its lock: 250 ms are promised, and who waits with SQLite's own patience looks after 228 ms and not
/// again before 328.
pub(super) const PRUNE_LOCK: Duration = Duration::from_millis(200);

/// No clip up to this length is left for a commit that took long.
pub(super) const PRUNE_ALWAYS_BYTES: u64 = 1 << 20;

/// A length that takes too long by its rehearsal, which nobody waits for, is tried again after so many seconds; one whose deletion did, after
/// a day.
pub(super) const PRUNE_REHEARSED_S: i64 = HOUR_S;
pub(super) const PRUNE_OVERRAN_S: i64 = DAY_S;

/// Clips get too old, and reasons to stay go away, slowly.
pub(super) const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
pub(super) const PRUNE_WHOLE_EVERY_S: i64 = DAY_S;

/// So many clips in a row that are too young: those behind them are too, but for clocks that jumped.
pub(super) const PRUNE_YOUNG_ROWS: u64 = 500;

/// Tries of a result's write in `once`, where nobody waits for the trouble to end (about 7 s).
pub(super) const DATABASE_TRIES_ONCE: u32 = 4;

/// The pause before a clip goes on after a break that cost nothing.
pub(super) fn resume_delay(random: &mut Rng) -> Duration {
    patience::resume(random.f64())
}

/// `duration` with the jitter of the schedule and of the waits between passes: a hundred devices that come back with the
/// power must not stay in step.
fn around(duration: Duration, random: &mut Rng) -> Duration {
    patience::around(duration, patience::JITTER, random.f64())
}

/// The wait after the `attempt`th try (from 1) of a row, and what the server still named of it.
pub(super) fn attempt_delay(attempt: u32, named: Option<Duration>, interval: Duration, random: &mut Rng) -> Duration {
    patience::between_tries(attempt, named, interval, random.f64())
}

/// The failures of a row after one more, and when it is due again, in Unix seconds.
pub(super) fn schedule(before: Failures, reason: Reason, now: i64, random: &mut Rng) -> (Failures, i64) {
    let attempts = before.attempts.saturating_add(1);
    match reason {
        Reason::Backend => (Failures { attempts, ..before }, now),
        Reason::Suspect => {
            let suspicions = before.suspicions.saturating_add(1);
            let after = Failures {
                attempts,
                suspicions,
                ..before
            };
            (after, now)
        }
        Reason::Row => {
            let refusals = before.refusals.saturating_add(1);
            let delay = if refusals < DAILY_FROM { HOUR_S } else { DAY_S };
            let delay = around(Duration::from_secs(delay.unsigned_abs()), random);
            let delay = i64::try_from(delay.as_secs()).unwrap_or(DAY_S);
            let after = Failures {
                attempts,
                refusals,
                ..before
            };
            (after, now.saturating_add(delay))
        }
    }
}

/// The wait between two passes in `continuous`.
pub(super) fn pass_delay(interval: Duration, random: &mut Rng) -> Duration {
    around(interval, random)
}

/// The wait after the `tries`th failed access (from 1) to the local database.
pub(super) fn database_delay(tries: u32, random: &mut Rng) -> Duration {
    let doubled = DATABASE_FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
    around(doubled.min(DATABASE_LONGEST), random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_due_hourly_and_from_the_24th_time_daily() {
        let mut random = Rng::with_seed(1);
        let mut failures = Failures::default();
        for refusal in 1..=30 {
            let (after, due_at) = schedule(failures, Reason::Row, 1_000_000, &mut random);
            failures = after;
            let planned = if refusal < 24 { HOUR_S } else { DAY_S };
            let delay = due_at - 1_000_000;
            assert!(
                (planned * 9 / 10 - 1..=planned * 11 / 10 + 1).contains(&delay),
                "{refusal}: {delay}"
            );
            assert!(delay <= LONGEST_DELAY_S);
        }
        assert_eq!(
            failures,
            Failures {
                attempts: 30,
                refusals: 30,
                suspicions: 0
            }
        );
    }

    #[test]
    fn rows_that_failed_with_the_backend_are_due_at_once_and_suspected_only_after_their_body() {
        let before = Failures {
            attempts: 3,
            refusals: 2,
            suspicions: 1,
        };
        for (reason, suspicions) in [(Reason::Backend, 1), (Reason::Suspect, 2)] {
            let (after, due_at) = schedule(before, reason, 77, &mut Rng::with_seed(1));
            let expected = Failures {
                attempts: 4,
                refusals: 2,
                suspicions,
            };
            assert_eq!((after, due_at), (expected, 77), "{reason:?}");
        }
    }

    #[test]
    fn passes_keep_within_a_tenth_of_the_interval() {
        let mut random = Rng::with_seed(3);
        for _ in 0..1_000 {
            let delay = pass_delay(Duration::from_secs(300), &mut random).as_secs_f64();
            assert!((270.0..=330.0).contains(&delay));
        }
    }
}
