//! Which rows are due, found without reading history and without ever holding the whole list.
//!
//! Two sources: rows above the low-water mark that have no row in `sync_tracking`, and rows in `sync_tracking` that
//! are not `success`. Every statement looks at a bounded number of rows, so that none holds its read lock for
//! longer than a few milliseconds however long the backlog or the history is.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::dates;
use super::due::{Due, FailedDue};
use super::layout::Layout;
use super::low_water::LowWaterMark;
use super::scalar::{scalar, unsigned};
use crate::row::{Scalar, Table};

/// Rows one statement looks at.
const WINDOW: i64 = 1_000;

/// Rows of one page: the longest list in memory. Within a page the order is date, then id; over a longer
/// backlog pages follow each other by id.
const PAGE_EVENTS: usize = 10_000;
const PAGE_CLIPS: usize = 2_000;

/// A row with which the backend failed in so many passes comes last: it may be what the backend fails on.
const DEPRIORITIZE_AFTER: u32 = 2;

/// The rows that are due in a pass, from first to last, page by page.
#[derive(Debug, Clone)]
pub struct Backlog {
    table: Table,
    failed_due: FailedDue,
    /// How many rows were due when it was taken.
    pub due: u64,
    /// How many of them are deprioritized: rows with which the backend failed in several passes.
    deprioritized_due: u64,
    /// Whether its pages hold the deprioritized alone, or all the others.
    only_deprioritized: bool,
    /// Rows the recorder deleted before they were sent, since the database is ours to upload.
    pub vanished: u64,
    /// `sync_tracking.id` bounds: rows that fail in this pass stay out of it.
    tracked_after: i64,
    tracked_last: i64,
    /// Row id bounds: rows that come later belong to the next look.
    new_after: i64,
    new_last: i64,
}

impl Backlog {
    /// The rows with which the backend failed in several passes. They come last: a row that brings the server down
    /// must not keep the others waiting for ever.
    #[must_use]
    pub fn deprioritized(&self) -> Self {
        Self {
            due: self.deprioritized_due,
            only_deprioritized: true,
            tracked_after: i64::MIN,
            new_after: self.new_last,
            ..self.clone()
        }
    }

    /// The highest row id this backlog knows; later rows came after it was taken.
    #[must_use]
    pub fn last_id(&self) -> i64 {
        self.new_last
    }
}

/// SQL of one table, with this layout's names in it.
struct Names<'a> {
    table: Table,
    id: &'static str,
    layout: &'a Layout,
}

impl<'a> Names<'a> {
    fn new(table: Table, layout: &'a Layout) -> Self {
        Self {
            table,
            id: table.id_column(),
            layout,
        }
    }

    /// A window of rows by id with whether each is tracked (PRIMARY KEY range, then UNIQUE index of
    /// `sync_tracking`). The date of an event comes along; that of a clip may lie behind its video.
    fn window(&self) -> String {
        let (table, id) = (self.table.name(), self.id);
        let date = match self.table {
            Table::Event => self.layout.event_date,
            Table::Media => "NULL",
        };
        format!(
            "SELECT w.id, w.date, t.id IS NOT NULL FROM
                (SELECT {id} AS id, {date} AS date FROM {table} WHERE {id} > ?1 AND {id} <= ?2 ORDER BY {id} LIMIT ?3) w
             LEFT JOIN sync_tracking t ON t.table_name = '{table}' AND t.local_id = w.id ORDER BY w.id"
        )
    }
}

/// Takes stock of what is due in `table`, and moves its low-water mark on.
pub(super) fn take(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    failed_due: FailedDue,
) -> rusqlite::Result<Backlog> {
    let mark = LowWaterMark::read(conn, table)?;
    let stock = count(conn, layout, table, failed_due, &mark)?;
    mark.move_on(conn, table, stock.reached, stock.lost)?;
    Ok(Backlog {
        table,
        failed_due,
        due: stock.new + stock.tracked_due,
        deprioritized_due: stock.deprioritized_due,
        only_deprioritized: false,
        vanished: stock.vanished(&mark),
        tracked_after: i64::MIN,
        tracked_last: stock.tracked_last,
        new_after: mark.id,
        new_last: stock.last,
    })
}

/// What is where in a table.
pub(super) struct Stock {
    /// Rows without a row in `sync_tracking`, and the first of them.
    pub new: u64,
    pub first_new: Option<i64>,
    /// Rows that are `pending` or `failed` and due, and the first of them.
    pub tracked_due: u64,
    pub first_tracked_due: Option<i64>,
    deprioritized_due: u64,
    /// Rows that are `pending` or `failed` and no longer there.
    gone: u64,
    /// The highest id, and the highest `sync_tracking.id`.
    last: i64,
    tracked_last: i64,
    /// Up to here every row has a row in `sync_tracking`, and so many ids have neither.
    pub reached: i64,
    pub lost: i64,
}

impl Stock {
    /// Rows the recorder deleted before they were sent.
    pub(super) fn vanished(&self, mark: &LowWaterMark) -> u64 {
        unsigned(mark.vanished.saturating_add(self.lost)).saturating_add(self.gone)
    }
}

/// Counts what is due, without writing anything.
pub(super) fn count(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    failed_due: FailedDue,
    mark: &LowWaterMark,
) -> rusqlite::Result<Stock> {
    let names = Names::new(table, layout);
    let last: Option<i64> = conn
        .prepare_cached(&format!("SELECT max({}) FROM {}", names.id, table))?
        .query_row([], |row| row.get(0))?;
    let tracked_last: Option<i64> = conn
        .prepare_cached("SELECT max(id) FROM sync_tracking")?
        .query_row([], |row| row.get(0))?;
    let mut stock = Stock {
        new: 0,
        first_new: None,
        tracked_due: 0,
        first_tracked_due: None,
        deprioritized_due: 0,
        gone: 0,
        last: last.unwrap_or(i64::MIN),
        tracked_last: tracked_last.unwrap_or(i64::MIN),
        reached: mark.id,
        lost: 0,
    };
    for_each_window(conn, &names, mark.id, stock.last, |id, _, tracked| {
        if !tracked {
            stock.new += 1;
            stock.first_new.get_or_insert(id);
        } else if stock.first_new.is_none() {
            stock.reached = id;
        }
        true
    })?;
    // Ids before the first new row that are not there are the recorder's deletions too.
    stock.reached = stock.first_new.map_or(stock.reached, |id| id - 1);
    stock.lost = mark.count_lost(conn, table, stock.reached)?;

    let mut exists = conn.prepare_cached(&format!("SELECT 1 FROM {table} WHERE {} = ?1", names.id))?;
    let mut after = i64::MIN;
    loop {
        let window = tracked_window(conn, table, after, stock.tracked_last)?;
        let Some(last) = window.last() else { break };
        after = last.tracking_id;
        for tracked in window {
            if !exists.exists([tracked.id])? {
                stock.gone += 1;
            } else if failed_due.is_due(tracked.due_at) {
                stock.tracked_due += 1;
                stock.deprioritized_due += u64::from(tracked.is_deprioritized);
                stock.first_tracked_due.get_or_insert(tracked.id);
            }
        }
    }
    Ok(stock)
}

/// The next page of a backlog in the order date, then id; empty at its end. Rows that vanish after this are
/// noticed when they are read.
pub(super) fn next_page(conn: &Connection, layout: &Layout, backlog: &mut Backlog) -> rusqlite::Result<Vec<Due>> {
    let names = Names::new(backlog.table, layout);
    let most = match backlog.table {
        Table::Event => PAGE_EVENTS,
        Table::Media => PAGE_CLIPS,
    };
    let mut page: Vec<Due> = Vec::new();
    while page.len() < most {
        let window = tracked_window(conn, backlog.table, backlog.tracked_after, backlog.tracked_last)?;
        if window.is_empty() {
            break;
        }
        let mut row = conn.prepare_cached(&format!(
            "SELECT {} FROM {} WHERE {} = ?1",
            match backlog.table {
                Table::Event => layout.event_date,
                Table::Media => "NULL",
            },
            backlog.table,
            names.id
        ))?;
        for tracked in window {
            backlog.tracked_after = tracked.tracking_id;
            if !backlog.failed_due.is_due(tracked.due_at) || tracked.is_deprioritized != backlog.only_deprioritized {
                continue;
            }
            let date = row
                .query_row([tracked.id], |row| Ok(scalar(row.get_ref(0)?)))
                .optional()?;
            if let Some(date) = date {
                page.push(Due {
                    id: tracked.id,
                    date: Some(date),
                });
            }
            if page.len() == most {
                break;
            }
        }
    }
    if page.len() < most {
        let new_after = backlog.new_after;
        let mut reached = backlog.new_last;
        for_each_window(conn, &names, new_after, backlog.new_last, |id, date, tracked| {
            if !tracked {
                page.push(Due { id, date: Some(date) });
            }
            reached = id;
            page.len() < most
        })?;
        backlog.new_after = reached.max(new_after);
    }
    if backlog.table == Table::Media {
        dates::find(conn, layout, &mut page)?;
    }
    page.sort_by(|a, b| dates::compare(a.date.as_ref(), b.date.as_ref()).then(a.id.cmp(&b.id)));
    Ok(page)
}

/// Calls `visit(id, date, tracked)` for the rows with `after` < id ≤ `last`, a window at a time, until it
/// returns `false`.
fn for_each_window(
    conn: &Connection,
    names: &Names,
    mut after: i64,
    last: i64,
    mut visit: impl FnMut(i64, Scalar, bool) -> bool,
) -> rusqlite::Result<()> {
    let mut statement: CachedStatement = conn.prepare_cached(&names.window())?;
    while after < last {
        let mut rows = statement.query((after, last, WINDOW))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            after = row.get(0)?;
            if !visit(after, scalar(row.get_ref(1)?), row.get(2)?) {
                return Ok(());
            }
        }
        if count < WINDOW {
            break;
        }
    }
    Ok(())
}

/// A row of `sync_tracking` that is not `success`.
struct Tracked {
    tracking_id: i64,
    id: i64,
    due_at: Option<i64>,
    is_deprioritized: bool,
}

/// The next rows that are `pending` or `failed`, by `sync_tracking.id` (two ranges of `idx_sync_status`, whose
/// entries end in the rowid; `sync_retry` by its PRIMARY KEY).
fn tracked_window(conn: &Connection, table: Table, after: i64, last: i64) -> rusqlite::Result<Vec<Tracked>> {
    let mut window = Vec::new();
    for status in ["pending", "failed"] {
        let mut statement = conn.prepare_cached(
            "SELECT t.id, t.local_id, CASE r.reason WHEN 'backend' THEN NULL ELSE r.due_at END,
                coalesce(r.reason = 'backend' AND r.attempts >= ?6, 0) FROM sync_tracking t INDEXED BY idx_sync_status
             LEFT JOIN sync_retry r ON r.table_name = t.table_name AND r.local_id = t.local_id
             WHERE t.sync_status = ?1 AND t.table_name = ?2 AND t.id > ?3 AND t.id <= ?4 ORDER BY t.id LIMIT ?5",
        )?;
        let rows = statement.query_map((status, table.name(), after, last, WINDOW, DEPRIORITIZE_AFTER), |row| {
            Ok(Tracked {
                tracking_id: row.get(0)?,
                id: row.get(1)?,
                // What people set to pending is due whatever was planned before, and what failed with the backend
                // is due at the next pass whatever the clock says.
                due_at: if status == "pending" { None } else { row.get(2)? },
                is_deprioritized: status == "failed" && row.get(3)?,
            })
        })?;
        for row in rows {
            window.push(row?);
        }
    }
    // Two lists, each cut at WINDOW: what lies beyond the shorter reach waits for the next window.
    window.sort_by_key(|tracked| tracked.tracking_id);
    window.truncate(usize::try_from(WINDOW).unwrap_or(usize::MAX));
    Ok(window)
}
