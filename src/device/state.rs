//! The state of the work as anyone may read it: through a connection that writes nothing.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::Serialize;

use super::connection::{connect, identify};
use super::counts;
use super::due::FailedDue;
use super::error::{Context, Result};
use super::layout::{self, Layout};
use super::low_water::LowWaterMark;
use super::scalar::{scalar, unsigned};
use super::stock::Stock;
use crate::local_time;
use crate::notice::{TableState, WaitingRow};
use crate::row::{Scalar, Table};

/// Successes looked at, newest first, for the time of the last one.
const RECENT: i64 = 100;

/// The end of a range of `idx_sync_status`, whose entries end in the rowid; the rows by it.
pub(super) const LAST_SUCCESS: &str = "SELECT max(sync_date) FROM (SELECT sync_date FROM sync_tracking
    INDEXED BY idx_sync_status WHERE sync_status = 'success' AND table_name = ?1 ORDER BY id DESC LIMIT ?2) WHERE typeof(sync_date) = 'text'";

/// A row that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailedRow {
    /// `evenement` or `media`.
    pub table: String,
    /// Its id.
    pub id: i64,
    /// Local time of the last try.
    pub last_try: String,
    /// When it failed first, in Unix seconds.
    pub since: Option<i64>,
    /// Passes in which it failed.
    pub attempts: Option<u32>,
    /// When it is due again, in Unix seconds.
    pub due_at: Option<i64>,
    /// Why.
    pub message: String,
}

/// A database open for reading.
pub struct StatusReader {
    conn: Connection,
    path: PathBuf,
    layout: Layout,
    /// Whether `sync_tracking` and our state tables are there.
    tracked: bool,
}

impl StatusReader {
    /// Opens a database for reading; ours need not have been set up in it.
    ///
    /// # Errors
    /// It can't be read, or is not a recorder's.
    pub fn open(path: &Path) -> Result<Self> {
        identify(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let layout = layout::detect(&conn, path)?;
        let tables: i64 = conn
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('sync_tracking','sync_low_water','sync_retry')",
                [],
                |row| row.get(0),
            )
            .context(path, "lecture du schéma")?;
        Ok(Self {
            conn,
            path: path.to_path_buf(),
            layout,
            tracked: tables == 3,
        })
    }

    /// The state of a table, with ages by `now` (local time).
    ///
    /// # Errors
    /// The database can't be read.
    pub fn table(&self, table: Table, now: chrono::NaiveDateTime) -> Result<TableState> {
        table_state(&self.conn, &self.layout, table, self.tracked, now).context(&self.path, "lecture de l'état")
    }

    /// Calls `each` for every failed row, newest try first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn failed_rows(&self, mut each: impl FnMut(FailedRow)) -> Result<()> {
        if !self.tracked {
            return Ok(());
        }
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.conn.prepare(
                "SELECT t.table_name, t.local_id, t.sync_date, r.since, r.attempts, r.due_at, coalesce(t.error_message, '')
                 FROM sync_tracking t LEFT JOIN sync_retry r ON r.table_name = t.table_name AND r.local_id = t.local_id
                    AND r.reason <> 'unknown'
                 WHERE t.sync_status = 'failed' ORDER BY t.sync_date DESC, t.id",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(FailedRow {
                    table: row.get(0)?,
                    id: row.get(1)?,
                    last_try: row.get(2)?,
                    since: row.get(3)?,
                    attempts: row.get(4)?,
                    due_at: row.get(5)?,
                    message: row.get(6)?,
                });
            }
            Ok(())
        };
        read().context(&self.path, "lecture des échecs")
    }

    /// The bytes of video that are at the server already.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn sent_bytes(&self) -> Result<u64> {
        if !self.tracked {
            return Ok(0);
        }
        let bytes: i64 = self
            .conn
            .query_row(
                "SELECT coalesce(sum(length(m.video)), 0) FROM media m JOIN sync_tracking t
                 ON t.table_name = 'media' AND t.local_id = m.id_media WHERE t.sync_status = 'success'",
                [],
                |row| row.get(0),
            )
            .context(&self.path, "lecture de l'état")?;
        Ok(unsigned(bytes))
    }
}

/// Reads the state of a table; `tracked` tells whether our tables are there.
pub(super) fn table_state(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    tracked: bool,
    now: chrono::NaiveDateTime,
) -> rusqlite::Result<TableState> {
    let id = table.id_column();
    if !tracked {
        let (waiting, first): (i64, Option<i64>) =
            conn.query_row(&format!("SELECT count(*), min({id}) FROM {table}"), [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        return Ok(TableState {
            waiting: unsigned(waiting),
            done: 0,
            failed: 0,
            vanished: 0,
            oldest_waiting: oldest(conn, layout, table, first, now)?,
            last_success: None,
        });
    }
    let mark = LowWaterMark::read(conn, table)
        .optional()?
        .unwrap_or_else(LowWaterMark::none);
    let stock = Stock::count(conn, layout, table, FailedDue::All, &mark)?;
    let counts = counts::read(conn, table)?;
    let first = [stock.first_new, stock.first_tracked_due].into_iter().flatten().min();
    Ok(TableState {
        waiting: stock.new + counts.pending,
        done: counts.success,
        failed: counts.failed,
        vanished: stock.vanished(&mark),
        oldest_waiting: oldest(conn, layout, table, first, now)?,
        last_success: conn
            .prepare_cached(LAST_SUCCESS)?
            .query_row((table.name(), RECENT), |row| {
                Ok(match scalar(row.get_ref(0)?) {
                    Scalar::Text(date) => Some(date),
                    _ => None,
                })
            })?,
    })
}

/// The row with the lowest waiting id, with its age.
fn oldest(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    first: Option<i64>,
    now: chrono::NaiveDateTime,
) -> rusqlite::Result<Option<WaitingRow>> {
    let Some(id) = first else { return Ok(None) };
    let date = match table {
        Table::Event => layout.event_date,
        Table::Media => layout.media_date,
    };
    let date = conn
        .prepare_cached(&format!("SELECT {date} FROM {table} WHERE {} = ?1", table.id_column()))?
        .query_row([id], |row| Ok(scalar(row.get_ref(0)?)))
        .optional()?;
    Ok(date.map(|date| WaitingRow {
        id,
        age_seconds: age(&date, now),
        date,
    }))
}

/// Seconds from a recorder's date (local ISO 8601, or a Unix timestamp) to `now`; a date to come is no age.
fn age(date: &Scalar, now: chrono::NaiveDateTime) -> Option<i64> {
    let date = match date {
        Scalar::Text(text) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok())?,
        #[allow(clippy::cast_possible_truncation)] // whole seconds do
        Scalar::Real(seconds) => local_time::of(*seconds as i64)?,
        Scalar::Integer(seconds) => local_time::of(*seconds)?,
        Scalar::Null => return None,
    };
    Some((now - date).num_seconds().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_from_the_recorders_dates() {
        let now = chrono::NaiveDate::from_ymd_opt(2025, 12, 18)
            .unwrap()
            .and_hms_opt(17, 30, 0)
            .unwrap();
        for (date, expected) in [
            (Scalar::Text("2025-12-18T17:29:00.500000".into()), Some(59)),
            (Scalar::Text("2025-12-18T17:29:00".into()), Some(60)),
            (Scalar::Text("2025-12-17 17:30:00".into()), Some(86_400)),
            (Scalar::Text("2031-01-01T00:00:00".into()), Some(0)),
            (Scalar::Text("yesterday".into()), None),
            (Scalar::Null, None),
        ] {
            assert_eq!(age(&date, now), expected, "{date:?}");
        }
    }
}
