//! The tracking of rows whose ids were given again, moved out of `sync_tracking` in steps so short that the recorder never waits. What
//! is under way stands in `sync_low_water`: a move that was cut off goes on at the next pass.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::row::Table;

/// Rows moved in one transaction.
const STEP: i64 = 200;

/// By the PRIMARY KEY; the end of the PRIMARY KEY of `sync_tracking`.
pub(super) const BEGIN: &str = "UPDATE sync_low_water SET generation = generation + 1, edits = edits + 1,
        low_water = min(low_water, ?2), counted_to = ?2, archive_above = ?2,
        archive_last = (SELECT max(id) FROM sync_tracking), sent_id = NULL, sent_shown = NULL, sent_date = NULL
    WHERE table_name = ?1";

/// A range of the PRIMARY KEY.
pub(super) const DROP_ANCHORS: &str = "DELETE FROM sync_anchor WHERE table_name = ?1 AND local_id > ?2";

/// By the PRIMARY KEY.
pub(super) const UNDER_WAY: &str = "SELECT generation - 1, archive_above, archive_last FROM sync_low_water
    WHERE table_name = ?1 AND archive_last IS NOT NULL";

/// A range of the UNIQUE index, whose entries end in the rowid; each row by it.
pub(super) const COPY: &str = "INSERT OR REPLACE INTO sync_archive
    (table_name, generation, local_id, remote_id, sync_date, sync_status, error_message)
    SELECT table_name, ?5, local_id, remote_id, sync_date, sync_status, error_message FROM sync_tracking WHERE id IN
    (SELECT id FROM sync_tracking WHERE table_name = ?1 AND local_id > ?2 AND id <= ?3 ORDER BY local_id LIMIT ?4)";

/// The same range.
pub(super) const REMOVE: &str = "DELETE FROM sync_tracking WHERE id IN
    (SELECT id FROM sync_tracking WHERE table_name = ?1 AND local_id > ?2 AND id <= ?3 ORDER BY local_id LIMIT ?4)";

/// By the PRIMARY KEY.
pub(super) const END: &str =
    "UPDATE sync_low_water SET archive_above = NULL, archive_last = NULL WHERE table_name = ?1";

/// Writes down that what is tracked above `above` is of rows that are no more. From this commit on nothing of it counts as sent.
pub(super) fn begin(conn: &Connection, table: Table, above: i64) -> rusqlite::Result<()> {
    let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    tx.prepare_cached(BEGIN)?.execute((table.name(), above))?;
    tx.prepare_cached(DROP_ANCHORS)?.execute((table.name(), above))?;
    tx.commit()
}

/// Whether rows are being moved.
pub(super) fn is_under_way(conn: &Connection, table: Table) -> rusqlite::Result<bool> {
    conn.prepare_cached(UNDER_WAY)?.exists([table.name()])
}

/// Moves a step of what is left to move; whether there may be more.
pub(super) fn go_on(conn: &Connection, table: Table) -> rusqlite::Result<bool> {
    let under_way: Option<(i64, i64, i64)> = conn
        .prepare_cached(UNDER_WAY)?
        .query_row([table.name()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((generation, above, last)) = under_way else {
        return Ok(false);
    };
    let moved = step(conn, table, generation, above, last)?;
    if !moved {
        conn.prepare_cached(END)?.execute([table.name()])?;
    }
    Ok(moved)
}

/// One transaction: a row is in one of the two tables, never in both or none.
fn step(conn: &Connection, table: Table, generation: i64, above: i64, last: i64) -> rusqlite::Result<bool> {
    let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    let name = table.name();
    tx.prepare_cached(COPY)?
        .execute((name, above, last, STEP, generation))?;
    let moved = tx.prepare_cached(REMOVE)?.execute((name, above, last, STEP))?;
    tx.commit()?;
    Ok(moved > 0)
}
