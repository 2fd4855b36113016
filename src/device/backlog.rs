//! Which rows are due, found without reading history and without ever holding the whole list.
//!
//! Two sources: rows above the low-water mark that have no row in `sync_tracking`, and rows in `sync_tracking` that
//! are not `success`. Every statement looks at a bounded number of rows, so that none holds its read lock for
//! longer than a few milliseconds however long the backlog or the history is.

use rusqlite::{Connection, OptionalExtension};

use super::connection::breathe;
use super::due::{Due, FailedDue};
use super::error::{Context, Result};
use super::generation;
use super::layout::Layout;
use super::low_water::LowWaterMark;
use super::scalar::{order_key, scalar};
use super::stock::Stock;
use super::tracked::{self, Cursor};
use super::untracked;
use super::{Device, SEARCH};
use crate::row::Table;

/// Rows of one page: the longest list in memory. Within a page the order is date, then id; over a longer
/// backlog pages follow each other by id.
const PAGE_EVENTS: usize = 10_000;
const PAGE_CLIPS: usize = 2_000;

/// The rows that are due in a pass, from first to last, page by page.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    table: Table,
    /// How many rows were due when it was taken.
    pub due: u64,
    /// How many of them are deprioritized: rows over which the backend failed in several passes.
    deprioritized_due: u64,
    /// Whether its pages hold the deprioritized alone, or all the others.
    only_deprioritized: bool,
    /// Rows the recorder deleted before they were sent, since the database is ours to upload.
    pub vanished: u64,
    tracked: Cursor,
    /// Row id bounds: rows that come later belong to the next look.
    new_after: i64,
    new_last: i64,
}

impl Backlog {
    /// The rows over which the backend failed in several passes. They come last: a row that brings the server down
    /// must not keep the others waiting for ever.
    #[must_use]
    pub(crate) fn deprioritized(&self) -> Self {
        Self {
            due: self.deprioritized_due,
            only_deprioritized: true,
            tracked: self.tracked.rewound(),
            new_after: self.new_last,
            ..self.clone()
        }
    }

    /// Whether its rows are those over which the backend failed in several passes.
    #[must_use]
    pub(crate) fn is_deprioritized(&self) -> bool {
        self.only_deprioritized
    }

    /// The highest row id this backlog knows; later rows came after it was taken.
    #[must_use]
    pub(crate) fn last_id(&self) -> i64 {
        self.new_last
    }

    pub(super) fn table(&self) -> Table {
        self.table
    }

    fn most(&self) -> usize {
        match self.table {
            Table::Event => PAGE_EVENTS,
            Table::Media => PAGE_CLIPS,
        }
    }
}

impl Device {
    /// Does one short step of what comes before a look at what is due; whether there may be more. The recorder's turn
    /// comes between two.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn prepare_backlog(&self, table: Table, failed_due: FailedDue) -> Result<bool> {
        prepare(&self.conn, &self.layout, table, failed_due).context(&self.path, SEARCH)
    }

    /// Takes stock of what is due in `table`.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn backlog(&self, table: Table, failed_due: FailedDue) -> Result<Backlog> {
        take(&self.conn, &self.layout, table, failed_due).context(&self.path, SEARCH)
    }
}

/// What is tracked of ids that started over is set apart; due times too far away are pulled in.
fn prepare(conn: &Connection, layout: &Layout, table: Table, failed_due: FailedDue) -> rusqlite::Result<bool> {
    Ok(generation::go_on(conn, layout, table)? || tracked::pull_in(conn, table, failed_due)?)
}

/// Takes stock of what is due in `table`, and moves its low-water mark on.
fn take(conn: &Connection, layout: &Layout, table: Table, failed_due: FailedDue) -> rusqlite::Result<Backlog> {
    while prepare(conn, layout, table, failed_due)? {
        breathe();
    }
    generation::keep(conn, layout, table)?;
    let mark = LowWaterMark::read(conn, table)?;
    let stock = Stock::count(conn, layout, table, failed_due, &mark)?;
    mark.move_on(conn, table, stock.reached, stock.lost)?;
    tracked::set_gone(conn, table, failed_due, &stock.gone_ids)?;
    Ok(Backlog {
        table,
        due: stock.new + stock.tracked_due,
        deprioritized_due: stock.deprioritized_due,
        only_deprioritized: false,
        vanished: stock.vanished(&mark),
        tracked: Cursor::new(failed_due, stock.last_tracked),
        new_after: mark.id,
        new_last: stock.last,
    })
}

/// The next page of a backlog, not yet in order; empty at its end. Rows that vanish after this are
/// noticed when they are read.
pub(super) fn next_page(conn: &Connection, layout: &Layout, backlog: &mut Backlog) -> rusqlite::Result<Vec<Due>> {
    let most = backlog.most();
    let mut page: Vec<Due> = Vec::new();
    add_tracked(conn, layout, backlog, &mut page)?;
    if page.len() < most {
        let new_after = backlog.new_after;
        let mut reached = backlog.new_last;
        untracked::for_each(
            conn,
            layout,
            backlog.table,
            new_after,
            backlog.new_last,
            |id, date, tracked| {
                if !tracked {
                    page.push(Due { id, date: Some(date) });
                }
                reached = id;
                page.len() < most
            },
        )?;
        backlog.new_after = reached.max(new_after);
    }
    Ok(page)
}

/// By the recorder's PRIMARY KEY: the date of an event as far as the order needs it.
pub(super) fn date_of(table: Table, layout: &Layout) -> String {
    let date = match table {
        Table::Event => order_key(layout.event_date),
        Table::Media => "NULL".to_string(),
    };
    format!("SELECT {date} FROM {table} WHERE {} = ?1", table.id_column())
}

/// Fills a page with rows of `sync_tracking`, those that are still there.
fn add_tracked(conn: &Connection, layout: &Layout, backlog: &mut Backlog, page: &mut Vec<Due>) -> rusqlite::Result<()> {
    let mut date_of = conn.prepare_cached(&date_of(backlog.table, layout))?;
    loop {
        let window = backlog.tracked.window(conn, backlog.table)?;
        if window.is_empty() {
            return Ok(());
        }
        for tracked in window {
            if page.len() == backlog.most() {
                return Ok(());
            }
            backlog.tracked.pass(&tracked);
            if tracked.is_deprioritized != backlog.only_deprioritized {
                continue;
            }
            let date = date_of
                .query_row([tracked.id], |row| Ok(scalar(row.get_ref(0)?)))
                .optional()?;
            if let Some(date) = date {
                page.push(Due {
                    id: tracked.id,
                    date: Some(date),
                });
            }
        }
    }
}
