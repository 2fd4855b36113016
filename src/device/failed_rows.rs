//! The rows that failed, newest try first, however many: nothing is locked while one of them is told.

use std::collections::BinaryHeap;

use rusqlite::{Connection, OptionalExtension};

use super::scalar::order_key;
use crate::row::Table;

/// Rows one statement looks at.
const WINDOW: i64 = 1_000;

/// Rows that are put in order at a time; for more of them the index is gone through again.
const PAGE: usize = 5_000;

/// A range of `idx_sync_status`, whose entries end in the rowid; the rows by it.
pub(super) fn window() -> String {
    format!(
        "SELECT id, coalesce(CAST({} AS TEXT), '') FROM sync_tracking INDEXED BY idx_sync_status
         WHERE sync_status = 'failed' AND table_name = ?1 AND id > ?2 ORDER BY id LIMIT {WINDOW}",
        order_key("sync_date")
    )
}

/// One row by its PRIMARY KEY, with `sync_retry` by its own. Whatever people wrote into it can be shown.
pub(super) fn details() -> String {
    format!(
        "SELECT t.table_name, CAST({} AS TEXT), coalesce(CAST({} AS TEXT), ''), CAST(r.since AS INTEGER),
                CAST(r.attempts AS INTEGER), CAST(r.due_at AS INTEGER),
                CASE WHEN octet_length(t.error_message) <= 65536 THEN CAST(t.error_message AS TEXT) ELSE '' END
         FROM sync_tracking t LEFT JOIN sync_retry r ON r.table_name = t.table_name AND r.local_id = t.local_id
            AND r.reason <> 'unknown'
         WHERE t.id = ?1 AND t.sync_status = 'failed'",
        order_key("t.local_id"),
        order_key("t.sync_date")
    )
}

/// A row that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailedRow {
    /// `evenement` or `media`.
    pub table: String,
    /// Its id, as it stands in `sync_tracking`.
    pub id: String,
    /// Local time of the last try.
    pub last_try: String,
    /// When it failed first, in Unix seconds.
    pub since: Option<i64>,
    /// Passes in which it failed.
    pub attempts: Option<i64>,
    /// When it is due again, in Unix seconds.
    pub due_at: Option<i64>,
    /// Why.
    pub message: String,
}

/// A row's place in the order: newest try first, then as they were tracked.
type Place = (std::cmp::Reverse<String>, i64);

/// Calls `each` for every failed row.
pub(super) fn for_each(conn: &Connection, mut each: impl FnMut(FailedRow)) -> rusqlite::Result<()> {
    let mut last = None;
    loop {
        let page = page(conn, last.as_ref())?;
        for (_, tracking_id) in &page {
            if let Some(row) = read(conn, *tracking_id)? {
                each(row);
            }
        }
        if page.len() < PAGE {
            return Ok(());
        }
        last = page.into_iter().next_back();
    }
}

/// The next places behind `last`, in order.
fn page(conn: &Connection, last: Option<&Place>) -> rusqlite::Result<Vec<Place>> {
    let mut first = BinaryHeap::new();
    let mut window = conn.prepare_cached(&window())?;
    for table in Table::ALL {
        let mut after = i64::MIN;
        loop {
            let mut rows = window.query((table.name(), after))?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += 1;
                after = row.get(0)?;
                let place = (std::cmp::Reverse(row.get(1)?), after);
                if last.is_some_and(|last| place <= *last) {
                    continue;
                }
                first.push(place);
                if first.len() > PAGE {
                    first.pop();
                }
            }
            if count < WINDOW {
                break;
            }
        }
    }
    Ok(first.into_sorted_vec())
}

fn read(conn: &Connection, tracking_id: i64) -> rusqlite::Result<Option<FailedRow>> {
    conn.prepare_cached(&details())?
        .query_row([tracking_id], |row| {
            Ok(FailedRow {
                table: row.get(0)?,
                id: row.get(1)?,
                last_try: row.get(2)?,
                since: row.get(3)?,
                attempts: row.get(4)?,
                due_at: row.get(5)?,
                message: row.get(6)?,
            })
        })
        .optional()
}
