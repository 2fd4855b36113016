//! `sync_tracking` and `sync_retry`: what became of each row.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::generation;
use super::layout::Layout;
use super::sent_clips::{SentClip, SentClips};
use crate::row::Table;

/// One row by the UNIQUE index: `id` and row of a pair never change.
pub(super) const UPDATE: &str = "UPDATE sync_tracking SET remote_id = coalesce(?3, remote_id), sync_date = ?4,
    sync_status = ?5, error_message = ?6 WHERE table_name = ?1 AND local_id = ?2";

/// Where there is no row yet. An upsert instead of the two would look like a `REPLACE` to the trigger before it.
pub(super) const INSERT: &str =
    "INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status, error_message)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// By the PRIMARY KEY. `since` stays the first failure's, unless that was not ours to date.
pub(super) const PLAN: &str =
    "INSERT INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at, suspicions)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (table_name, local_id) DO UPDATE SET
        since = CASE reason WHEN 'unknown' THEN excluded.since ELSE since END, reason = excluded.reason,
        attempts = excluded.attempts, refusals = excluded.refusals, due_at = excluded.due_at,
        suspicions = excluded.suspicions";

/// By the PRIMARY KEY.
pub(super) const FAILURES: &str =
    "SELECT CAST(attempts AS INTEGER), CAST(refusals AS INTEGER), CAST(suspicions AS INTEGER)
    FROM sync_retry WHERE table_name = ?1 AND local_id = ?2";

/// Why a row is waiting for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The backend was not well or we are misconfigured: due again at the next pass.
    Backend,
    /// The same once the row's body was on its way: it may be why. Behind the others when that has happened twice.
    Suspect,
    /// The server refused this row or answered something unusable: due on the schedule.
    Row,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Backend | Reason::Suspect => "backend",
            Reason::Row => "row",
        }
    }
}

/// What to write about a row that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
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
pub(crate) struct Record {
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

/// Writes results of one table in one short transaction, with what is known of the clips among them.
pub(super) fn write(
    conn: &mut Connection,
    layout: &Layout,
    records: &[Record],
    sent_clips: &SentClips,
) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for record in records {
        write_one(&tx, record)?;
        if let Some(clip) = arrived_clip(record, sent_clips) {
            clip.keep(&tx, &record.date)?;
        }
    }
    let sent = |record: &&Record| matches!(record.outcome, Outcome::Success { .. });
    if let Some(last) = records.iter().rfind(sent) {
        let clip = arrived_clip(last, sent_clips);
        let date = clip.as_ref().and_then(|clip| clip.date.as_deref());
        generation::note_sent(&tx, layout, last.table, last.id, date)?;
    }
    tx.commit()?;
    if let Some(Table::Media) = records.first().map(|record| record.table) {
        let written: Vec<i64> = records.iter().map(|record| record.id).collect();
        sent_clips.forget(&written);
    }
    Ok(())
}

/// The clip that a record says has arrived, as it was read.
fn arrived_clip(record: &Record, sent_clips: &SentClips) -> Option<SentClip> {
    match (record.table, &record.outcome) {
        (Table::Media, Outcome::Success { .. }) => sent_clips.of(record.id),
        _ => None,
    }
}

fn write_one(tx: &Connection, record: &Record) -> rusqlite::Result<()> {
    match &record.outcome {
        Outcome::Success { remote_id } => mark(tx, record, Some(*remote_id), "success", None),
        Outcome::Failed {
            message,
            reason,
            failures,
            due_at,
        } => {
            // Before the trigger finds a failed row without a plan.
            tx.prepare_cached(PLAN)?.execute((
                record.table.name(),
                record.id,
                reason.name(),
                failures.attempts,
                failures.refusals,
                record.now,
                due_at,
                failures.suspicions,
            ))?;
            mark(tx, record, None, "failed", Some(message))
        }
    }
}

fn mark(
    conn: &Connection,
    record: &Record,
    remote_id: Option<i64>,
    status: &str,
    message: Option<&str>,
) -> rusqlite::Result<()> {
    let values = (record.table.name(), record.id, remote_id, &record.date, status, message);
    if conn.prepare_cached(UPDATE)?.execute(values)? == 0 {
        conn.prepare_cached(INSERT)?.execute(values)?;
    }
    Ok(())
}

/// How often a row has failed; zeros when never, or since people set it to `pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// Passes in which it failed.
    pub attempts: u32,
    /// Those of them in which the row itself was refused: what its schedule counts.
    pub refusals: u32,
    /// Those of them in which the backend failed once this row's body was on its way.
    pub suspicions: u32,
}

/// Reads how often a row has failed (`sync_retry` by its PRIMARY KEY).
pub(super) fn failures(conn: &Connection, table: Table, id: i64) -> rusqlite::Result<Failures> {
    let failures = conn
        .prepare_cached(FAILURES)?
        .query_row((table.name(), id), |row| {
            Ok(Failures {
                attempts: count(row.get(0)?),
                refusals: count(row.get(1)?),
                suspicions: count(row.get(2)?),
            })
        })
        .optional()?;
    Ok(failures.unwrap_or_default())
}

/// A number that people may have changed.
fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
