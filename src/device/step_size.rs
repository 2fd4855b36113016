//! How many rows one transaction of a series changes, so that the recorder never waits for one.

use std::time::Duration;

/// As many as a fast disk does in no time, to begin with as few as a slow card may need.
pub(super) const FEWEST: i64 = 20;
const MOST: i64 = 200;

/// A transaction that took longer was too large.
const LONGEST_STEP: Duration = Duration::from_millis(5);

/// The rows of the next transaction, after one with `rows` took so long.
pub(super) fn next_size(rows: i64, took: Duration) -> i64 {
    if took > LONGEST_STEP {
        (rows / 2).max(FEWEST)
    } else {
        (rows * 2).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_shrinks_when_it_held_its_lock_for_long_and_grows_when_it_did_not() {
        let ms = Duration::from_millis;
        assert_eq!(next_size(FEWEST, ms(1)), 40);
        assert_eq!(next_size(MOST, ms(1)), MOST);
        assert_eq!(next_size(MOST, ms(6)), 100);
        assert_eq!(next_size(FEWEST, ms(500)), FEWEST);
    }
}
