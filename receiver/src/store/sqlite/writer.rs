//! The one thread that writes: requests that come together are committed together.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::BUSY_TIMEOUT;
use super::work::{Change, Work};
use super::worker::{Reply, answer};
use crate::store::StoreError;
use crate::store::row::{Added, NewRow, NewStatus};

/// Rows after which no more requests are committed together.
const BATCH_MAX_ROWS: usize = 256;

/// How long the check of the database's health waits for its lock: who asks has no more than a second.
const CHECK_BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// How often it is tried, at most, whether writing works again.
const PROBE_EVERY: Duration = Duration::from_secs(1);

pub(super) enum Job {
    Add(Vec<NewRow>, Reply<Vec<Added>>),
    Status(Box<NewStatus>, Reply<()>),
    Change(Box<dyn Change>),
    Check(Reply<()>),
}

/// When something was written last, for those who can't wait for the thread.
#[derive(Clone, Default)]
pub(super) struct LastSuccess(Arc<Mutex<Option<Instant>>>);

impl LastSuccess {
    pub(super) fn is_within(&self, age: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < age)
    }

    fn is_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

pub(super) struct Writer {
    conn: Connection,
    last_success: LastSuccess,
    /// Why the last rows could not be written, and when that was found by a check, unless some could since.
    trouble: Option<(StoreError, Option<Instant>)>,
}

impl Writer {
    pub(super) fn new(conn: Connection, last_success: LastSuccess) -> Self {
        Self {
            conn,
            last_success,
            trouble: None,
        }
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let (mut work, mut checks) = (Work::default(), Vec::new());
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Add(rows, reply) => work.add(rows, reply),
                    Job::Status(status, reply) => work.add_status(status, reply),
                    Job::Change(change) => work.add_change(change),
                    Job::Check(reply) => checks.push(reply),
                }
                if work.len() < BATCH_MAX_ROWS {
                    next = jobs.try_recv().ok();
                }
            }
            // What could be written, or not, says it for those who only ask.
            let checked = if work.is_empty() {
                self.check()
            } else {
                self.commit(work)
            };
            for reply in checks {
                answer(reply, checked.clone());
            }
        }
    }

    fn commit(&mut self, work: Work) -> Result<(), StoreError> {
        let committed = work.commit(&mut self.conn);
        match &committed {
            Ok(()) => self.succeeded(),
            Err(error) => self.trouble = Some((error.clone(), None)),
        }
        committed
    }

    fn succeeded(&mut self) {
        self.trouble = None;
        self.last_success.is_now();
    }

    /// Takes the write lock; after a failure, writes as well, since a full disk is noticed by nothing less.
    fn check(&mut self) -> Result<(), StoreError> {
        let failed = match &self.trouble {
            Some((error, Some(probed))) if probed.elapsed() < PROBE_EVERY => return Err(error.clone()),
            trouble => trouble.is_some(),
        };
        let checked = self
            .conn
            .busy_timeout(CHECK_BUSY_TIMEOUT)
            .and_then(|()| try_to_write(&mut self.conn, failed));
        let checked = checked
            .and(self.conn.busy_timeout(BUSY_TIMEOUT))
            .map_err(StoreError::from);
        match &checked {
            Ok(()) => self.succeeded(),
            Err(error) if failed => self.trouble = Some((error.clone(), Some(Instant::now()))),
            Err(_) => {}
        }
        checked
    }
}

fn try_to_write(conn: &mut Connection, failed: bool) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if failed {
        tx.execute_batch("CREATE TABLE write_check (x); DROP TABLE write_check;")?;
        return tx.commit();
    }
    tx.rollback()
}
