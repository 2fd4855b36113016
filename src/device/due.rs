//! A row that is due, and which of the failed ones are.

use crate::row::Scalar;

/// A row that is due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Due {
    /// Its id.
    pub id: i64,
    /// Its date as far as it is known without reading through a video.
    pub date: Option<Scalar>,
}

/// Which `failed` rows are due: all of them (`once`), or those whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailedDue {
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
