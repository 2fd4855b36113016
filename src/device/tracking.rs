//! `sync_tracking` and `sync_retry`: what became of each row.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::scalar::unsigned;
use crate::notice::Counts;
use crate::row::Table;

/// Upsert, so that the `id` and the row of a pair never change (served by the table's UNIQUE index).
pub(super) const UPSERT: &str = "
INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status, error_message)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (table_name, local_id) DO UPDATE SET
    remote_id = coalesce(excluded.remote_id, remote_id), sync_date = excluded.sync_date,
    sync_status = excluded.sync_status, error_message = excluded.error_message";

/// Why a row is waiting for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The backend was not well or we are misconfigured: due again at the next pass.
    Backend,
    /// The server refused this row or answered something unusable: due on the schedule.
    Row,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Backend => "backend",
            Reason::Row => "row",
        }
    }
}

/// What to write about a row that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// At the server, under this id.
    Success {
        /// The server's id.
        remote_id: i64,
    },
    /// Not at the server.
    Failed {
        /// One line for `error_message`.
        message: String,
        /// Why it waits.
        reason: Reason,
        /// Passes in which it failed, this one included, and how many of them for its own fault.
        failures: Failures,
        /// When it is due again, in Unix seconds.
        due_at: i64,
    },
}

/// A result with everything that is written about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The table.
    pub table: Table,
    /// The row's id.
    pub id: i64,
    /// Local ISO 8601, for `sync_date`.
    pub date: String,
    /// Unix seconds, for `sync_retry.since`.
    pub now: i64,
    /// What became of it.
    pub outcome: Outcome,
}

/// Writes one result in one short transaction.
pub(super) fn write(conn: &mut Connection, record: &Record) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut upsert = tx.prepare_cached(UPSERT)?;
        let table = record.table.name();
        match &record.outcome {
            Outcome::Success { remote_id } => {
                upsert.execute((
                    table,
                    record.id,
                    Some(*remote_id),
                    &record.date,
                    "success",
                    None::<&str>,
                ))?;
            }
            Outcome::Failed {
                message,
                reason,
                failures,
                due_at,
            } => {
                upsert.execute((table, record.id, None::<i64>, &record.date, "failed", Some(message)))?;
                tx.prepare_cached(
                    "INSERT INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (table_name, local_id) DO UPDATE SET
                        reason = excluded.reason, attempts = excluded.attempts, refusals = excluded.refusals, due_at = excluded.due_at",
                )?
                .execute((table, record.id, reason.name(), failures.attempts, failures.refusals, record.now, due_at))?;
            }
        }
    }
    tx.commit()
}

/// How often a row has failed; zeros when never, or since people set it to `pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Passes in which it failed.
    pub attempts: u32,
    /// Those of them in which the row itself was refused: what its schedule counts.
    pub refusals: u32,
}

/// Reads how often a row has failed (`sync_retry` by its PRIMARY KEY).
pub(super) fn failures(conn: &Connection, table: Table, id: i64) -> rusqlite::Result<Failures> {
    let failures = conn
        .prepare_cached("SELECT attempts, refusals FROM sync_retry WHERE table_name = ?1 AND local_id = ?2")?
        .query_row((table.name(), id), |row| {
            Ok(Failures {
                attempts: row.get(0)?,
                refusals: row.get(1)?,
            })
        })
        .optional()?;
    Ok(failures.unwrap_or_default())
}

/// Counts the rows of a table with a status (served by `idx_sync_status` alone).
pub(super) fn count(conn: &Connection, table: Table, status: &str) -> rusqlite::Result<u64> {
    conn.prepare_cached(
        "SELECT count(*) FROM sync_tracking INDEXED BY idx_sync_status WHERE sync_status = ?1 AND table_name = ?2",
    )?
    .query_row((status, table.name()), |row| row.get(0))
    .map(unsigned)
}

/// Counts the rows of a table by status.
pub(super) fn counts(conn: &Connection, table: Table) -> rusqlite::Result<Counts> {
    Ok(Counts {
        success: count(conn, table, "success")?,
        failed: count(conn, table, "failed")?,
        pending: count(conn, table, "pending")?,
    })
}
