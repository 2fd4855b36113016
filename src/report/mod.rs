//! What people and their tools are told: the work sends [`Notice`]s, each [`Reporter`] makes of them what it is for.

pub mod alert;
pub mod console;
pub mod heartbeat;
pub mod journal;
pub mod json;
pub mod liveness;
pub mod metrics;
pub mod progress_bars;
pub mod systemd;
pub mod width;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDateTime;

use crate::device::{Counts, TableState};
use crate::row::Table;
use crate::upload::WireStats;

/// Something that happened, as plain data.
#[derive(Debug, Clone, Copy)]
pub enum Notice<'a> {
    /// The service starts; nothing is open yet.
    Started,
    /// The database is open and our tables are there.
    Ready,
    /// The local database is in trouble; said once per trouble.
    Trouble(&'a str),
    /// The trouble is over.
    TroubleOver,
    /// A pass begins.
    PassStarted {
        /// Local time.
        at: NaiveDateTime,
    },
    /// A table's turn in the pass.
    Section {
        /// Which.
        table: Table,
        /// Rows that are due.
        due: u64,
    },
    /// A clip begins to be sent.
    ClipStarted {
        /// Its id.
        id: i64,
        /// Its length in bytes.
        bytes: u64,
    },
    /// More of the clip that is being sent has left.
    ClipProgress {
        /// Bytes of video on their way so far.
        bytes: u64,
    },
    /// A row is at the server and the result is in `sync_tracking`.
    Sent {
        /// Its table.
        table: Table,
        /// Its id.
        id: i64,
        /// The server's id.
        remote_id: i64,
        /// A clip's length in bytes.
        bytes: u64,
    },
    /// A try failed and another follows in this pass.
    Retrying {
        /// Its table.
        table: Table,
        /// Its id.
        id: i64,
        /// Why.
        message: &'a str,
    },
    /// A row was tried in vain, and the result is in `sync_tracking`.
    Failed {
        /// Its table.
        table: Table,
        /// Its id.
        id: i64,
        /// Why.
        message: &'a str,
        /// What kind of answer it was.
        verdict: &'static str,
        /// The server could not be reached at all.
        unreachable: bool,
        /// Passes in which it failed.
        attempts: u32,
        /// When it is due again, in Unix seconds.
        due_at: i64,
    },
    /// A pass ended.
    PassEnded(&'a PassReport),
    /// Where the rows stand after a pass, when somebody wants to know.
    State {
        /// Unix seconds.
        now: i64,
        /// `evenement`.
        events: &'a TableState,
        /// `media`.
        media: &'a TableState,
    },
    /// A wait that is meant goes on.
    Waiting,
    /// Nothing to do for a while.
    Idle {
        /// When the next pass begins, in Unix seconds.
        next_pass: i64,
    },
    /// The counts of `sync_tracking`, at the end.
    Statistics {
        /// Of `evenement`.
        events: Counts,
        /// Of `media`.
        media: Counts,
    },
    /// The service stops.
    Stopping,
}

/// What became of one table in a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableReport {
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
pub struct PassReport {
    /// `evenement`.
    pub events: TableReport,
    /// `media`.
    pub media: TableReport,
    /// The backend in use at the end.
    pub backend: String,
    /// Whether there is more than one backend to choose from.
    pub several_backends: bool,
    /// Why the pass ended before its rows did.
    pub ended_by: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went over the wire since the process started.
    pub wire: WireStats,
}

impl PassReport {
    /// The report of one table.
    pub fn table_mut(&mut self, table: Table) -> &mut TableReport {
        match table {
            Table::Event => &mut self.events,
            Table::Media => &mut self.media,
        }
    }

    /// Whether every row that was due arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        [self.events, self.media]
            .iter()
            .all(|table| table.failed == 0 && table.waiting == 0)
            && self.ended_by.is_none()
    }
}

/// Something that is told what happens.
pub trait Reporter {
    /// Takes notice. What goes wrong in telling is the reporter's to bear: it never stops the work.
    fn notice(&mut self, notice: &Notice);
}

/// Several reporters as one, shared by the work and by what watches its progress.
#[derive(Clone, Default)]
pub struct Reporters(Arc<Mutex<Vec<Box<dyn Reporter + Send>>>>);

impl Reporters {
    /// All of `reporters`, told in this order.
    #[must_use]
    pub fn new(reporters: Vec<Box<dyn Reporter + Send>>) -> Self {
        Self(Arc::new(Mutex::new(reporters)))
    }

    /// Tells every reporter.
    pub fn tell(&self, notice: &Notice) {
        for reporter in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            reporter.notice(notice);
        }
    }
}

impl Reporter for Reporters {
    fn notice(&mut self, notice: &Notice) {
        self.tell(notice);
    }
}

impl crate::upload::ClipProgress for Reporters {
    fn sent(&self, bytes: u64) {
        self.tell(&Notice::ClipProgress { bytes });
    }
}
