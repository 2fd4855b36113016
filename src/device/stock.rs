//! How much is due, counted without writing anything.

use rusqlite::Connection;

use super::due::FailedDue;
use super::layout::Layout;
use super::low_water::LowWaterMark;
use super::quiet::highest_there;
use super::scalar::unsigned;
use super::tracked::{self, Cursor};
use super::untracked;
use crate::row::Table;

/// Failed rows that were deleted, remembered of one look.
const GONE_MOST: usize = 500;

/// The end of the PRIMARY KEY.
pub(super) const LAST_TRACKED: &str = "SELECT max(id) FROM sync_tracking";

/// By the recorder's PRIMARY KEY.
pub(super) fn is_there(table: Table) -> String {
    format!("SELECT 1 FROM {table} WHERE {} = ?1", table.id_column())
}

/// What is where in a table.
#[derive(Default)]
pub(super) struct Stock {
    /// Rows without a row in `sync_tracking`, and the first of them.
    pub new: u64,
    pub first_new: Option<i64>,
    /// Rows that are `pending` or `failed` and due, and the first of them.
    pub tracked_due: u64,
    pub first_tracked_due: Option<i64>,
    pub deprioritized_due: u64,
    /// Rows that are `pending` or `failed` and no longer there, and which they are as far as they were looked for.
    gone: u64,
    pub gone_ids: Vec<i64>,
    /// The highest id, and the highest `sync_tracking.id`.
    pub last: i64,
    pub last_tracked: i64,
    /// Up to here every row has a row in `sync_tracking`, and so many ids have neither.
    pub reached: i64,
    pub lost: i64,
}

impl Stock {
    /// Rows the recorder deleted before they were sent.
    pub(super) fn vanished(&self, mark: &LowWaterMark) -> u64 {
        unsigned(mark.vanished.saturating_add(self.lost)).saturating_add(self.gone)
    }

    /// Counts what is due.
    pub(super) fn count(
        conn: &Connection,
        layout: &Layout,
        table: Table,
        failed_due: FailedDue,
        mark: &LowWaterMark,
    ) -> rusqlite::Result<Self> {
        let last: Option<i64> = conn
            .prepare_cached(&highest_there(table))?
            .query_row([], |row| row.get(0))?;
        let last_tracked: Option<i64> = conn.prepare_cached(LAST_TRACKED)?.query_row([], |row| row.get(0))?;
        let mut stock = Self {
            last: last.unwrap_or(i64::MIN),
            last_tracked: last_tracked.unwrap_or(i64::MIN),
            reached: mark.id,
            ..Self::default()
        };
        stock.count_new(conn, layout, table)?;
        stock.lost = mark.count_lost(conn, table, stock.reached)?;
        stock.count_tracked(conn, table, failed_due)?;
        Ok(stock)
    }

    fn count_new(&mut self, conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<()> {
        untracked::for_each(conn, layout, table, self.reached, self.last, |id, _, tracked| {
            if !tracked {
                self.new += 1;
                self.first_new.get_or_insert(id);
            } else if self.first_new.is_none() {
                self.reached = id;
            }
            true
        })?;
        // Ids before the first new row that are not there are the recorder's deletions too.
        self.reached = self.first_new.map_or(self.reached, |id| id - 1);
        Ok(())
    }

    fn count_tracked(&mut self, conn: &Connection, table: Table, failed_due: FailedDue) -> rusqlite::Result<()> {
        let mut is_there = conn.prepare_cached(&is_there(table))?;
        let mut cursor = Cursor::new(failed_due, self.last_tracked);
        loop {
            let window = cursor.window(conn, table)?;
            let Some(last) = window.last() else { break };
            cursor.pass(last);
            for tracked in window {
                if is_there.exists([tracked.id])? {
                    self.tracked_due += 1;
                    self.deprioritized_due += u64::from(tracked.is_deprioritized);
                    self.first_tracked_due.get_or_insert(tracked.id);
                } else {
                    self.gone += 1;
                    if self.gone_ids.len() < GONE_MOST {
                        self.gone_ids.push(tracked.id);
                    }
                }
            }
        }
        self.gone += tracked::count_gone(conn, table, failed_due)?;
        Ok(())
    }
}
