//! Rows that `sync_tracking` does not know, above the low-water mark.

use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection};

use super::layout::Layout;
use super::scalar::{order_key, scalar};
use crate::row::{Scalar, Table};

/// Rows one statement looks at, and how long it may take.
const WINDOW: i64 = 1_000;
const WINDOW_TIME: Duration = Duration::from_millis(20);

/// A range of the PRIMARY KEY, each row in the UNIQUE index of `sync_tracking`. The date of an event comes along, as far
/// as the order needs it; that of a clip may lie behind its video.
pub(super) fn window(table: Table, layout: &Layout) -> String {
    let (name, id) = (table.name(), table.id_column());
    let date = match table {
        Table::Event => order_key(layout.event_date),
        Table::Media => "NULL".to_string(),
    };
    format!(
        "SELECT w.id, w.date, t.id IS NOT NULL FROM
            (SELECT {id} AS id, {date} AS date FROM {name} WHERE {id} > ?1 AND {id} <= ?2 ORDER BY {id} LIMIT ?3) w
         LEFT JOIN sync_tracking t ON t.table_name = '{name}' AND t.local_id = w.id ORDER BY w.id"
    )
}

/// Calls `visit(id, date, tracked)` for the rows with `after` < id ≤ `last`, a window at a time, until it
/// returns `false`.
pub(super) fn for_each(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    mut after: i64,
    last: i64,
    mut visit: impl FnMut(i64, Scalar, bool) -> bool,
) -> rusqlite::Result<()> {
    let mut statement: CachedStatement = conn.prepare_cached(&window(table, layout))?;
    while after < last {
        let began = Instant::now();
        let mut rows = statement.query((after, last, WINDOW))?;
        let mut count = 0;
        let is_cut = loop {
            let Some(row) = rows.next()? else { break false };
            count += 1;
            after = row.get(0)?;
            if !visit(after, scalar(row.get_ref(1)?), row.get(2)?) {
                return Ok(());
            }
            // Long dates take long to be read.
            if began.elapsed() > WINDOW_TIME {
                break true;
            }
        };
        if count < WINDOW && !is_cut {
            break;
        }
    }
    Ok(())
}
