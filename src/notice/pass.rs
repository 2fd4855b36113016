//! What became of a pass.

use chrono::NaiveDateTime;

use crate::row::Table;

/// What went over the wire since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WireStats {
    /// Requests begun.
    pub requests: u64,
    /// Bytes of bodies before packing.
    pub raw_bytes: u64,
    /// Bytes of bodies as sent.
    pub wire_bytes: u64,
    /// Time from start to answer, summed, in milliseconds.
    pub duration_ms: u64,
}

/// What became of one table in a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TableReport {
    /// Rows that arrived.
    pub sent: u64,
    /// Rows that were tried in vain.
    pub failed: u64,
    /// Rows that were due and not tried because the pass ended.
    pub waiting: u64,
    /// Rows that the recorder deleted before they were sent, so far.
    pub vanished: u64,
}

/// What became of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PassReport {
    /// `evenement`.
    pub events: TableReport,
    /// `media`.
    pub media: TableReport,
    /// The backend in use at the end.
    pub backend: String,
    /// Whether there is more than one backend to choose from.
    pub several_backends: bool,
    /// Until when clips wait by the timetable of rates (local time), if some did.
    pub clips_wait_until: Option<NaiveDateTime>,
    /// Why the pass ended before its rows did.
    pub ended_by: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went over the wire since the process started.
    pub wire: WireStats,
}

impl PassReport {
    /// The report of one table.
    pub(crate) fn table_mut(&mut self, table: Table) -> &mut TableReport {
        match table {
            Table::Event => &mut self.events,
            Table::Media => &mut self.media,
        }
    }

    /// Whether every row arrived that was due and allowed to go.
    #[must_use]
    pub(crate) fn is_well(&self) -> bool {
        let clips_wait = self.clips_wait_until.is_some() && self.ended_by.is_none();
        let failed = self.events.failed + self.media.failed;
        self.is_complete() || (clips_wait && failed == 0 && self.events.waiting == 0)
    }

    /// Whether every row that was due arrived.
    #[must_use]
    pub(crate) fn is_complete(&self) -> bool {
        [self.events, self.media]
            .iter()
            .all(|table| table.failed == 0 && table.waiting == 0)
            && self.ended_by.is_none()
    }
}
