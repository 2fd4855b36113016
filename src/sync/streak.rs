//! Rows that failed one after the other in a way that may be theirs or the backend's: three different ones are the
//! backend's.

use crate::device::Failures;
use crate::row::Table;

use super::policy;

/// A row whose failure may not be its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub table: Table,
    pub id: i64,
    /// What was booked against it.
    pub message: String,
    /// How often it had failed before.
    pub before: Failures,
}

/// The run of such rows, kept from pass to pass: behind a captive portal a pass may hold one new event only.
#[derive(Debug, Default)]
pub(super) struct Streak(Vec<Suspect>);

impl Streak {
    /// One more. Once there are enough of them, all are handed back: none is to blame.
    pub(super) fn add(&mut self, suspect: Suspect) -> Vec<Suspect> {
        self.0.retain(|row| (row.table, row.id) != (suspect.table, suspect.id));
        self.0.push(suspect);
        if self.0.len() < policy::UNPROVEN_FAILURES {
            return Vec::new();
        }
        std::mem::take(&mut self.0)
    }

    /// The backend proved that it works: what came before was the rows' own.
    pub(super) fn end(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(id: i64) -> Suspect {
        Suspect {
            table: Table::Event,
            id,
            message: format!("HTTP 500: {id}"),
            before: Failures::default(),
        }
    }

    #[test]
    fn three_different_rows_make_a_streak_and_one_row_alone_never_does() {
        let mut streak = Streak::default();
        for _ in 0..5 {
            assert_eq!(streak.add(suspect(1)), []);
        }
        assert_eq!(streak.add(suspect(2)), []);
        assert_eq!(streak.add(suspect(3)), [suspect(1), suspect(2), suspect(3)]);
        assert_eq!(streak.add(suspect(4)), [], "a new one begins");
        streak.end();
        assert_eq!(streak.add(suspect(5)), []);
        assert_eq!(streak.add(suspect(6)), []);
    }
}
