//! Where the rows of the database stand.

use serde::Serialize;

use crate::row::Scalar;

/// A row that waits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WaitingRow {
    /// Its id.
    pub id: i64,
    /// Its date, as the recorder wrote it.
    pub date: Scalar,
    /// How old it is by that date and the local clock, in seconds; `None` when the date can't be read.
    pub age_seconds: Option<i64>,
}

/// Where the rows of a table stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TableState {
    /// Rows never tried, or set to `pending`.
    pub waiting: u64,
    /// Rows at the server.
    pub done: u64,
    /// Rows that were tried in vain and wait for another try.
    pub failed: u64,
    /// Rows the recorder deleted before they were sent.
    pub vanished: u64,
    /// The first of the rows that wait or failed.
    pub oldest_waiting: Option<WaitingRow>,
    /// Local time of the last success.
    pub last_success: Option<String>,
}

/// Counts by status, for the statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows with `sync_status = 'success'`.
    pub success: u64,
    /// Rows with `sync_status = 'failed'`.
    pub failed: u64,
    /// Rows with `sync_status = 'pending'`.
    pub pending: u64,
}
