//! How many rows of a table have which status: kept by the triggers, counted only when those may have missed something.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::connection::connect;
use super::error::{Context, Result};
use super::scalar::unsigned;
use crate::notice::Counts;
use crate::row::Table;

/// Index entries one statement counts.
const WINDOW: i64 = 5_000;

/// By the PRIMARY KEY.
pub(super) const READ: &str =
    "SELECT success, failed, pending, checked, edits FROM sync_low_water WHERE table_name = ?1";

/// By the PRIMARY KEY, and only when nothing changed since the counting began.
pub(super) const CORRECT: &str =
    "UPDATE sync_low_water SET success = ?2, failed = ?3, pending = ?4, checked = 1 WHERE table_name = ?1
    AND success = ?5 AND failed = ?6 AND pending = ?7 AND checked = ?8 AND edits = ?9";

/// A range of `idx_sync_status`, whose entries end in the rowid, and nothing of the table.
pub(super) const COUNT: &str = "SELECT count(*), max(id) FROM (SELECT id FROM sync_tracking INDEXED BY idx_sync_status
    WHERE sync_status = ?1 AND table_name = ?2 AND id > ?3 ORDER BY id LIMIT ?4)";

/// The row of `sync_low_water` as far as it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept {
    counts: [i64; 3],
    checked: i64,
    edits: i64,
}

fn kept(conn: &Connection, table: Table) -> rusqlite::Result<Option<Kept>> {
    conn.prepare_cached(READ)?
        .query_row([table.name()], |row| {
            Ok(Kept {
                counts: [row.get(0)?, row.get(1)?, row.get(2)?],
                checked: row.get(3)?,
                edits: row.get(4)?,
            })
        })
        .optional()
}

/// The counts of a table: one row is read, unless they are unsure.
pub(super) fn read(conn: &Connection, table: Table) -> rusqlite::Result<Counts> {
    let [success, failed, pending] = match kept(conn, table)? {
        Some(kept) if kept.checked == 1 => kept.counts,
        _ => count_all(conn, table, &mut || {})?,
    }
    .map(unsigned);
    Ok(Counts {
        success,
        failed,
        pending,
    })
}

/// Whether the counts of a table are sure.
pub(super) fn are_sure(conn: &Connection, table: Table) -> rusqlite::Result<bool> {
    Ok(kept(conn, table)?.is_some_and(|kept| kept.checked == 1))
}

/// Counts anew, and corrects what is kept; where others write meanwhile, at the next look.
pub(super) fn verify(conn: &Connection, table: Table, pulse: &mut dyn FnMut()) -> rusqlite::Result<()> {
    const TRIES: u32 = 3;
    for _ in 0..TRIES {
        let Some(before) = kept(conn, table)? else {
            return Ok(());
        };
        let [success, failed, pending] = count_all(conn, table, pulse)?;
        if before.checked == 1 && before.counts == [success, failed, pending] {
            return Ok(());
        }
        let [kept_success, kept_failed, kept_pending] = before.counts;
        let corrected = conn.prepare_cached(CORRECT)?.execute((
            table.name(),
            success,
            failed,
            pending,
            kept_success,
            kept_failed,
            kept_pending,
            before.checked,
            before.edits,
        ))?;
        if corrected == 1 {
            if before.checked == 1 {
                log::warn!("the counts of {table} in sync_low_water were wrong: taken anew");
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Counts window by window, so that no statement holds its lock for long.
fn count_all(conn: &Connection, table: Table, pulse: &mut dyn FnMut()) -> rusqlite::Result<[i64; 3]> {
    let mut counts = [0; 3];
    let mut statement = conn.prepare_cached(COUNT)?;
    for (count, status) in counts.iter_mut().zip(["success", "failed", "pending"]) {
        let mut after = i64::MIN;
        loop {
            pulse();
            let (found, last): (i64, Option<i64>) = statement
                .query_row((status, table.name(), after, WINDOW), |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            *count += found;
            let Some(last) = last else { break };
            after = last;
            if found < WINDOW {
                break;
            }
        }
    }
    Ok(counts)
}

/// Counts by status of `evenement` and `media`, through a connection of its own.
///
/// # Errors
/// The database can't be read.
pub(crate) fn statistics(path: &Path) -> Result<(Counts, Counts)> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let of = |table| read(&conn, table).context(path, "statistiques");
    Ok((of(Table::Event)?, of(Table::Media)?))
}
