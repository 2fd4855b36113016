//! What is written in one transaction, for whom, and what becomes of each.

use std::collections::BTreeSet;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::reading_sql::DEVICE_STORED;
use super::sql;
use super::worker::{Reply, answer};
use crate::store::StoreError;
use crate::store::row::{Added, NewRow, NewStatus};
use crate::store::rows::lost;

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
pub(super) struct Work {
    rows: Vec<NewRow>,
    /// Who is told, and of how many of the rows.
    requests: Vec<(usize, Reply<Vec<Added>>)>,
    statuses: Vec<(Box<NewStatus>, Reply<()>)>,
    changes: Vec<Box<dyn Change>>,
}

/// What became of each of them, in their order.
struct Outcome {
    requests: Vec<Result<Vec<Added>, StoreError>>,
    statuses: Vec<Result<(), StoreError>>,
    changes: Vec<Result<(), StoreError>>,
}

impl Work {
    pub(super) fn add(&mut self, mut rows: Vec<NewRow>, reply: Reply<Vec<Added>>) {
        self.requests.push((rows.len(), reply));
        self.rows.append(&mut rows);
    }

    pub(super) fn add_status(&mut self, status: Box<NewStatus>, reply: Reply<()>) {
        self.statuses.push((status, reply));
    }

    pub(super) fn add_change(&mut self, change: Box<dyn Change>) {
        self.changes.push(change);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.statuses.is_empty() && self.changes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.statuses.len() + self.changes.len()
    }

    /// Commits it and tells everybody; an error is that of the database.
    pub(super) fn commit(mut self, conn: &mut Connection) -> Result<(), StoreError> {
        let stored = match self.store(conn) {
            // One of them can't be stored: the others must not suffer.
            Err(error) if is_its_own(&error) => self.store_each(conn),
            stored => stored,
        };
        let (outcome, committed) = match stored.map_err(StoreError::from) {
            Ok(outcome) => (outcome, Ok(())),
            Err(error) => (self.failed(&error), Err(error)),
        };
        let requests = self.requests.into_iter().zip(outcome.requests);
        requests.for_each(|((_, reply), added)| answer(reply, added));
        let statuses = self.statuses.into_iter().zip(outcome.statuses);
        statuses.for_each(|((_, reply), put)| answer(reply, put));
        let changes = self.changes.into_iter().zip(outcome.changes);
        changes.for_each(|(change, applied)| change.answer(applied));
        committed
    }

    /// All of it, or nothing.
    fn store(&mut self, conn: &mut Connection) -> rusqlite::Result<Outcome> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut added = add_rows(&tx, &self.rows)?;
        for (status, _) in &self.statuses {
            sql::put_status(&tx, status)?;
        }
        for change in &mut self.changes {
            change.apply(&tx)?;
        }
        tx.commit()?;
        let last_first = self.requests.iter().rev();
        let mut requests: Vec<_> = last_first
            .map(|(count, _)| Ok(added.split_off(added.len().saturating_sub(*count))))
            .collect();
        requests.reverse();
        Ok(Outcome {
            requests,
            statuses: vec![Ok(()); self.statuses.len()],
            changes: vec![Ok(()); self.changes.len()],
        })
    }

    /// What can be stored of it, in one commit all the same.
    fn store_each(&mut self, conn: &mut Connection) -> rusqlite::Result<Outcome> {
        let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rows = self.rows.as_slice();
        let mut outcome = Outcome {
            requests: Vec::new(),
            statuses: Vec::new(),
            changes: Vec::new(),
        };
        for (count, _) in &self.requests {
            let (own, later) = rows.split_at(*count);
            outcome.requests.push(alone(&mut tx, |conn| add_rows(conn, own))?);
            rows = later;
        }
        for (status, _) in &self.statuses {
            let put = alone(&mut tx, |conn| sql::put_status(conn, status))?;
            outcome.statuses.push(put);
        }
        for change in &mut self.changes {
            outcome.changes.push(alone(&mut tx, |conn| change.apply(conn))?);
        }
        tx.commit()?;
        Ok(outcome)
    }

    fn failed(&self, error: &StoreError) -> Outcome {
        let all = |count| vec![Err(error.clone()); count];
        Outcome {
            requests: self.requests.iter().map(|_| Err(error.clone())).collect(),
            statuses: all(self.statuses.len()),
            changes: all(self.changes.len()),
        }
    }
}

fn add_rows(conn: &Connection, rows: &[NewRow]) -> rusqlite::Result<Vec<Added>> {
    let added = rows.iter().map(|row| sql::add(conn, row));
    let added = added.collect::<rusqlite::Result<Vec<Added>>>()?;
    // Once for all the rows of a device: what comes together is of few.
    let new = rows.iter().zip(&added).filter(|(_, added)| added.is_new);
    let devices: BTreeSet<&str> = new.map(|(row, _)| row.device_id()).collect();
    for device in devices {
        conn.prepare_cached(DEVICE_STORED)?.execute([device])?;
    }
    Ok(added)
}

/// Does one thing inside a transaction or, if it can't be done, nothing. An error is that of the whole.
fn alone<T>(
    tx: &mut Transaction<'_>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<Result<T, StoreError>> {
    let savepoint = tx.savepoint()?;
    match work(&savepoint) {
        Ok(done) => savepoint.commit().map(|()| Ok(done)),
        Err(error) if is_its_own(&error) => savepoint.finish().map(|()| Err(error.into())),
        Err(error) => Err(error),
    }
}

/// Whether an error is that of what was to be written, not of the database.
fn is_its_own(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            // The first one is that of a statement: of a trigger that somebody made, for instance.
            ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
        ),
        // A value that can't be read as what it should be.
        None => true,
    }
}
