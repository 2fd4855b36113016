//! The one thread that writes: requests that come together are committed together.

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::reading_sql::DEVICE_STORED;
use super::worker::{Reply, answer};
use super::{BUSY_TIMEOUT, sql};
use crate::store::StoreError;
use crate::store::rows::{Added, NewRow, NewStatus, lost};

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
                    Job::Status(status, reply) => work.statuses.push((status, reply)),
                    Job::Change(change) => work.changes.push(change),
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

    fn commit(&mut self, mut work: Work) -> Result<(), StoreError> {
        match store(&mut self.conn, &mut work).map_err(StoreError::from) {
            Ok(mut added) => {
                for (count, reply) in work.requests.into_iter().rev() {
                    let own = added.split_off(added.len().saturating_sub(count));
                    answer(reply, Ok(own));
                }
                work.statuses.into_iter().for_each(|(_, reply)| answer(reply, Ok(())));
                work.changes.into_iter().for_each(|change| change.answer(Ok(())));
                self.succeeded();
                Ok(())
            }
            Err(error) => {
                work.requests
                    .into_iter()
                    .for_each(|(_, reply)| answer(reply, Err(error.clone())));
                work.statuses
                    .into_iter()
                    .for_each(|(_, reply)| answer(reply, Err(error.clone())));
                work.changes
                    .into_iter()
                    .for_each(|change| change.answer(Err(error.clone())));
                self.trouble = Some((error.clone(), None));
                Err(error)
            }
        }
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

/// Something to be done inside a transaction, told when that is durable.
pub(super) trait Change: Send {
    fn apply(&mut self, conn: &Connection) -> rusqlite::Result<()>;

    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A change as a function of the connection.
pub(super) struct Changing<F, T> {
    work: F,
    outcome: Option<T>,
    reply: Reply<T>,
}

impl<F, T> Changing<F, T> {
    pub(super) fn new(work: F, reply: Reply<T>) -> Self {
        let outcome = None;
        Self { work, outcome, reply }
    }
}

impl<F, T> Change for Changing<F, T>
where
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn apply(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.outcome = Some((self.work)(conn)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.ok_or_else(|| lost("the database's thread"));
        answer(self.reply, committed.and(outcome));
    }
}

/// What is written in one transaction.
#[derive(Default)]
struct Work {
    rows: Vec<NewRow>,
    /// Who is told, and of how many of the rows.
    requests: Vec<(usize, Reply<Vec<Added>>)>,
    statuses: Vec<(Box<NewStatus>, Reply<()>)>,
    changes: Vec<Box<dyn Change>>,
}

impl Work {
    fn add(&mut self, mut rows: Vec<NewRow>, reply: Reply<Vec<Added>>) {
        self.requests.push((rows.len(), reply));
        self.rows.append(&mut rows);
    }

    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.statuses.is_empty() && self.changes.is_empty()
    }

    fn len(&self) -> usize {
        self.rows.len() + self.statuses.len() + self.changes.len()
    }
}

/// All of it, or nothing.
fn store(conn: &mut Connection, work: &mut Work) -> rusqlite::Result<Vec<Added>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let added = work
        .rows
        .iter()
        .map(|row| sql::add(&tx, row))
        .collect::<rusqlite::Result<Vec<Added>>>()?;
    // Once for all the rows of a device: what comes together is of few.
    let new = work.rows.iter().zip(&added).filter(|(_, added)| added.is_new);
    let devices: BTreeSet<&str> = new.map(|(row, _)| row.device_id()).collect();
    for device in devices {
        tx.prepare_cached(DEVICE_STORED)?.execute([device])?;
    }
    for (status, _) in &work.statuses {
        sql::put_status(&tx, status)?;
    }
    for change in &mut work.changes {
        change.apply(&tx)?;
    }
    tx.commit()?;
    Ok(added)
}

fn try_to_write(conn: &mut Connection, failed: bool) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if failed {
        tx.execute_batch("CREATE TABLE write_check (x); DROP TABLE write_check;")?;
        return tx.commit();
    }
    tx.rollback()
}
