//! The low-water mark of a table: up to this id every row has a row in `sync_tracking`.

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::row::Table;

/// The mark is written when it has moved this far, so that a new row now and then costs no extra write.
const MARK_STEP: i64 = 256;

/// A gap in the ids larger than this is a renumbering, not a loss.
const LARGEST_LOSS: i64 = 1_000_000;

/// By the PRIMARY KEY; a number that earlier arithmetic took out of the integers is brought back.
pub(super) const READ: &str =
    "SELECT CAST(low_water AS INTEGER), edits, CAST(counted_to AS INTEGER), CAST(vanished AS INTEGER)
    FROM sync_low_water WHERE table_name = ?1";

/// By the PRIMARY KEY, and only when nobody edited `sync_tracking` meanwhile.
pub(super) const MOVE: &str =
    "UPDATE sync_low_water SET low_water = ?2, counted_to = max(counted_to, ?2), vanished = vanished + ?3
    WHERE table_name = ?1 AND edits = ?4";

/// By the PRIMARY KEY.
pub(super) const LOWER: &str =
    "UPDATE sync_low_water SET low_water = min(low_water, ?2), edits = edits + 1 WHERE table_name = ?1";

/// Rows one statement counts.
const WINDOW: i64 = 1_000;

/// A range of the UNIQUE index of `sync_tracking`.
pub(super) const COUNT_TRACKED: &str = "SELECT count(*), max(local_id) FROM
    (SELECT local_id FROM sync_tracking WHERE table_name = ?1 AND local_id > ?2 AND local_id <= ?3 ORDER BY local_id LIMIT ?4)";

/// A mark as it is written.
pub(super) struct LowWaterMark {
    /// Up to this id every row has a row in `sync_tracking`.
    pub id: i64,
    /// How often people have taken rows out of `sync_tracking`.
    pub edits: i64,
    counted_to: i64,
    /// Rows counted as deleted before they were sent.
    pub vanished: i64,
}

impl LowWaterMark {
    /// Where a database stands that is not ours yet.
    pub(super) fn none() -> Self {
        Self {
            id: i64::MIN,
            edits: 0,
            counted_to: i64::MIN,
            vanished: 0,
        }
    }

    pub(super) fn read(conn: &Connection, table: Table) -> rusqlite::Result<Self> {
        conn.prepare_cached(READ)?.query_row([table.name()], |row| {
            Ok(Self {
                id: row.get(0)?,
                edits: row.get(1)?,
                counted_to: row.get(2)?,
                vanished: row.get(3)?,
            })
        })
    }

    /// Ids between what was counted and `reached` that have neither a row nor a tracking row.
    pub(super) fn count_lost(&self, conn: &Connection, table: Table, reached: i64) -> rusqlite::Result<i64> {
        if reached <= self.counted_to || self.counted_to == i64::MIN {
            return Ok(0);
        }
        let tracked = count_tracked(conn, table, self.counted_to, reached)?;
        let lost = reached.saturating_sub(self.counted_to).saturating_sub(tracked);
        Ok(if (0..=LARGEST_LOSS).contains(&lost) { lost } else { 0 })
    }

    /// Moves the mark on to `reached` when it is worth it, and only when nobody edited `sync_tracking` since it was read.
    pub(super) fn move_on(&self, conn: &Connection, table: Table, reached: i64, lost: i64) -> rusqlite::Result<()> {
        if lost == 0 && reached.saturating_sub(self.id) < MARK_STEP {
            return Ok(());
        }
        let moved = conn
            .prepare_cached(MOVE)?
            .execute((table.name(), reached, lost, self.edits))?;
        log::debug!("low-water mark of {table}: {reached} (moved: {moved}, lost: {lost})");
        Ok(())
    }
}

/// Rows that are tracked, counted in windows: everything sent since the mark last moved may be a million.
fn count_tracked(conn: &Connection, table: Table, above: i64, last: i64) -> rusqlite::Result<i64> {
    let mut statement = conn.prepare_cached(COUNT_TRACKED)?;
    // As SQLite has it: people may write anything.
    let (mut after, mut tracked) = (Value::Integer(above), 0);
    loop {
        let (count, reached): (i64, Value) = statement.query_row((table.name(), &after, last, WINDOW), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        tracked += count;
        if count < WINDOW {
            return Ok(tracked);
        }
        after = reached;
    }
}

/// Lowers the mark, so that the rows above `id` are looked at again.
pub(super) fn lower(conn: &Connection, table: Table, id: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(LOWER)?.execute((table.name(), id))?;
    Ok(())
}
