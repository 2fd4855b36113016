//! A row that is due, and which of the failed ones are.

use crate::row::Scalar;

/// A row that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its id.
    pub id: i64,
    /// Its date as far as it is known without reading through a video.
    pub date: Option<Scalar>,
}

/// Which `failed` rows are due: all of them (`once`), or those whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedDue {
    /// Every one.
    All,
    /// Those with `due_at` ≤ `now`, and those with a `due_at` so far away that only a clock jump explains it.
    At {
        /// Unix seconds.
        now: i64,
        /// The longest delay the policy gives, in seconds.
        longest_delay: i64,
    },
    /// None that has a time on record: this pass has looked at them before.
    No,
}

impl FailedDue {
    pub(super) fn is_due(self, due_at: Option<i64>) -> bool {
        match (self, due_at) {
            // No time on record: the Python service failed it, or people did.
            (FailedDue::All, _) | (_, None) => true,
            (FailedDue::No, Some(_)) => false,
            (FailedDue::At { now, longest_delay }, Some(due_at)) => {
                due_at <= now || due_at.saturating_sub(now) > longest_delay
            }
        }
    }
}
