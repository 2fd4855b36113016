//! What people do to `sync_tracking` by command instead of SQL, in steps so short that the recorder never waits.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};

use super::connection::{breathe, connect, identify};
use super::error::{Context, Result};
use super::step_size::{FEWEST, next_size};
use super::stock::LAST_TRACKED;
use crate::row::Table;

/// A range of the PRIMARY KEY.
pub(super) const NEXT: &str =
    "SELECT max(id) FROM (SELECT id FROM sync_tracking WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";

/// The same range: ids are never given twice, so that it holds the rows that were found.
pub(super) const FORGET: &str = "DELETE FROM sync_tracking WHERE id > ?1 AND id <= ?2";

/// A range of `idx_sync_status`, whose entries end in the rowid.
pub(super) const NEXT_FAILED: &str = "SELECT max(id) FROM (SELECT id FROM sync_tracking INDEXED BY idx_sync_status
    WHERE sync_status = 'failed' AND table_name = ?4 AND id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3)";

/// The same range.
pub(super) const RETRY: &str = "UPDATE sync_tracking INDEXED BY idx_sync_status SET sync_status = 'pending'
    WHERE sync_status = 'failed' AND table_name = ?3 AND id > ?1 AND id <= ?2";

/// By the UNIQUE index.
pub(super) const RETRY_ONE: &str = "UPDATE sync_tracking SET sync_status = 'pending'
    WHERE table_name = ?1 AND local_id = ?2 AND sync_status = 'failed'";

/// Sets failed rows to `pending`; returns how many.
///
/// # Errors
/// The database can't be written, or has no `sync_tracking`.
pub(crate) fn retry(path: &Path, table: Option<Table>, id: Option<i64>) -> Result<usize> {
    change(path, |conn| {
        let tables = table.map_or(Table::ALL.to_vec(), |table| vec![table]);
        let mut total = 0;
        for name in tables.into_iter().map(Table::name) {
            total += match id {
                Some(id) => conn.execute(RETRY_ONE, (name, id))?,
                None => in_steps(
                    conn,
                    |after, last, rows| {
                        conn.prepare_cached(NEXT_FAILED)?
                            .query_row((after, last, rows, name), |row| row.get(0))
                    },
                    |after, last| conn.prepare_cached(RETRY)?.execute((after, last, name)),
                )?,
            };
        }
        Ok(total)
    })
}

/// Forgets everything that was sent, so that it is sent again; returns how many rows. What a running service tracks anew meanwhile
/// stays.
///
/// # Errors
/// The database can't be written, or has no `sync_tracking`.
pub(crate) fn reset(path: &Path) -> Result<usize> {
    change(path, |conn| {
        in_steps(
            conn,
            |after, last, rows| {
                conn.prepare_cached(NEXT)?
                    .query_row((after, last, rows), |row| row.get(0))
            },
            |after, last| conn.prepare_cached(FORGET)?.execute((after, last)),
        )
    })
}

fn change(path: &Path, work: impl FnOnce(&Connection) -> rusqlite::Result<usize>) -> Result<usize> {
    identify(path)?;
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    work(&conn).context(path, "modification de sync_tracking")
}

/// Goes once through what was tracked when it began: `next` finds the end of a step, `change` does it.
fn in_steps(
    conn: &Connection,
    next: impl Fn(i64, i64, i64) -> rusqlite::Result<Option<i64>>,
    change: impl Fn(i64, i64) -> rusqlite::Result<usize>,
) -> rusqlite::Result<usize> {
    let last: Option<i64> = conn.query_row(LAST_TRACKED, [], |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    let (mut after, mut total, mut rows) = (i64::MIN, 0, FEWEST);
    while let Some(end) = next(after, last, rows)? {
        let start = Instant::now();
        total += change(after, end)?;
        after = end;
        rows = next_size(rows, start.elapsed());
        breathe();
    }
    Ok(total)
}
