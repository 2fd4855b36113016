//! What the work tells: plain values, and the trait of those who listen. Knows nobody but `row`.

mod pass;
mod state;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDateTime;

pub(crate) use pass::{PassReport, TableReport, WireStats};
pub(crate) use state::{Counts, TableState, WaitingRow};

use crate::row::Table;

/// Something that happened, as plain data.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Notice<'a> {
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
    /// A clip that is at the server was deleted from the device.
    Pruned {
        /// Its id.
        id: i64,
        /// The server's id.
        remote_id: i64,
        /// Its length in bytes.
        bytes: u64,
    },
    /// Clips that were to be deleted stay, and why; said once.
    NotPruned(&'a str),
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

/// Something that is told what happens.
pub(crate) trait Reporter {
    /// Takes notice. What goes wrong in telling is the reporter's to bear: it never stops the work.
    fn notice(&mut self, notice: &Notice);
}

/// Several reporters as one, shared by the work and by what watches its progress.
#[derive(Clone, Default)]
pub(crate) struct Reporters(Arc<Mutex<Vec<Box<dyn Reporter + Send>>>>);

impl Reporters {
    /// All of `reporters`, told in this order.
    #[must_use]
    pub(crate) fn new(reporters: Vec<Box<dyn Reporter + Send>>) -> Self {
        Self(Arc::new(Mutex::new(reporters)))
    }

    /// Tells every reporter.
    pub(crate) fn tell(&self, notice: &Notice) {
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
