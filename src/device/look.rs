//! The look at what passes take for settled: that every row at and below the low-water mark is tracked, that the
//! counts are right, that every failed row has its plan. History is read, in windows that hold no lock for long.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::connection::breathe;
use super::counts;
use super::low_water::{self, LowWaterMark};
use super::step_size::{FEWEST, next_size};
use crate::row::Table;

/// Rows one statement compares: at first, at most, and at least.
const WINDOW_FIRST: i64 = 128;
const WINDOW_MOST: i64 = 2_000;
const WINDOW_LEAST: i64 = 16;

/// A window that took longer is followed by a smaller one: the recorder waits for as long as one is read.
const WINDOW_TIME: Duration = Duration::from_millis(20);

/// A range of `idx_sync_status`, each row by the PRIMARY KEY of `sync_retry`.
pub(super) const UNPLANNED: &str = "SELECT count(*), max(t.id), sum(r.local_id IS NULL) FROM
    (SELECT id, table_name, local_id FROM sync_tracking INDEXED BY idx_sync_status
     WHERE sync_status = 'failed' AND table_name = ?1 AND id > ?2 ORDER BY id LIMIT ?3) t
    LEFT JOIN sync_retry r ON r.table_name = t.table_name AND r.local_id = t.local_id";

/// The same range.
pub(super) const PLAN: &str =
    "INSERT OR IGNORE INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at)
    SELECT table_name, local_id, 'unknown', 0, 0, 0, 0 FROM sync_tracking INDEXED BY idx_sync_status
    WHERE sync_status = 'failed' AND table_name = ?1 AND id > ?2 AND id <= ?3";

/// A range of the recorder's PRIMARY KEY, each id in the UNIQUE index of `sync_tracking`.
pub(super) fn compare(table: Table) -> String {
    let (table, id) = (table.name(), table.id_column());
    format!(
        "SELECT count(*), max(w.id), min(CASE WHEN t.id IS NULL THEN w.id END) FROM
            (SELECT {id} AS id FROM {table} WHERE {id} > ?1 AND {id} <= ?2 ORDER BY {id} LIMIT ?3) w
         LEFT JOIN sync_tracking t ON t.table_name = '{table}' AND t.local_id = w.id"
    )
}

/// Looks at a table and mends what is not as passes take it to be; `pulse` is called between two statements.
pub(super) fn look(conn: &Connection, table: Table, pulse: &mut dyn FnMut()) -> rusqlite::Result<()> {
    plan_failed_rows(conn, table, pulse)?;
    counts::verify(conn, table, pulse)?;
    let mark = LowWaterMark::read(conn, table)?;
    if let Some(hole) = first_hole(conn, table, mark.id, pulse)? {
        log::warn!(
            "{table} {hole} is below the low-water mark and was never tracked: the rows from there on are looked at again"
        );
        low_water::lower(conn, table, hole.saturating_sub(1))?;
    }
    Ok(())
}

/// The first row up to `last` that `sync_tracking` does not know.
fn first_hole(conn: &Connection, table: Table, last: i64, pulse: &mut dyn FnMut()) -> rusqlite::Result<Option<i64>> {
    let mut statement = conn.prepare_cached(&compare(table))?;
    let (mut after, mut window) = (i64::MIN, WINDOW_FIRST);
    while after < last {
        pulse();
        let start = Instant::now();
        let (count, reached, hole): (i64, Option<i64>, Option<i64>) =
            statement.query_row((after, last, window), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if hole.is_some() {
            return Ok(hole);
        }
        let Some(reached) = reached.filter(|_| count == window) else {
            break;
        };
        after = reached;
        window = next_window(window, start.elapsed());
    }
    Ok(None)
}

fn next_window(window: i64, took: Duration) -> i64 {
    if took > WINDOW_TIME {
        (window / 4).max(WINDOW_LEAST)
    } else if took < WINDOW_TIME / 4 {
        (window * 2).min(WINDOW_MOST)
    } else {
        window
    }
}

/// Gives failed rows without a plan one: due now, as the Python service's are. Where it left many, each step leaves the
/// recorder its turn.
fn plan_failed_rows(conn: &Connection, table: Table, pulse: &mut dyn FnMut()) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(UNPLANNED)?;
    let (mut after, mut rows) = (i64::MIN, FEWEST);
    loop {
        pulse();
        let start = Instant::now();
        let (count, last, unplanned): (i64, Option<i64>, Option<i64>) = statement
            .query_row((table.name(), after, rows), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let Some(last) = last else { return Ok(()) };
        let writes = unplanned.is_some_and(|unplanned| unplanned > 0);
        if writes {
            conn.prepare_cached(PLAN)?.execute((table.name(), after, last))?;
        }
        if count < rows {
            return Ok(());
        }
        after = last;
        rows = next_size(rows, start.elapsed());
        if writes {
            breathe();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shrinks_when_it_held_its_lock_for_long_and_grows_when_it_did_not() {
        let ms = Duration::from_millis;
        assert_eq!(next_window(128, ms(1)), 256);
        assert_eq!(next_window(WINDOW_MOST, ms(1)), WINDOW_MOST);
        assert_eq!(next_window(256, ms(10)), 256);
        assert_eq!(next_window(2_000, ms(45)), 500);
        assert_eq!(next_window(WINDOW_LEAST, ms(500)), WINDOW_LEAST);
    }
}
