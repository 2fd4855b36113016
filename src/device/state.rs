//! The state of the work as anyone may read it: through a connection that writes nothing.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::connection::{connect, identify};
use super::counts;
use super::dates;
use super::due::FailedDue;
use super::earlier;
use super::error::{Context, Result};
use super::failed_rows::{self, FailedRow};
use super::layout::{self, Layout};
use super::low_water::LowWaterMark;
use super::oldest;
use super::prune::Tally;
use super::scalar::{scalar, unsigned};
use super::stock::Stock;
use crate::notice::TableState;
use crate::row::{Scalar, Table};

/// Successes looked at, newest first, for the time of the last one.
const RECENT: i64 = 100;

/// The end of a range of `idx_sync_status`, whose entries end in the rowid; the rows by it.
pub(super) const LAST_SUCCESS: &str = "SELECT max(sync_date) FROM (SELECT sync_date FROM sync_tracking
    INDEXED BY idx_sync_status WHERE sync_status = 'success' AND table_name = ?1 ORDER BY id DESC LIMIT ?2) WHERE typeof(sync_date) = 'text'";

/// Clips one statement looks at.
const WINDOW: i64 = 200;

/// A range of `idx_sync_status`, each clip by its PRIMARY KEY; its length stands in its record's header.
pub(super) const SENT_BYTES: &str = "SELECT coalesce(sum(octet_length(m.video)), 0), max(t.id) FROM
    (SELECT id, local_id FROM sync_tracking INDEXED BY idx_sync_status
     WHERE sync_status = 'success' AND table_name = 'media' AND id > ?1 ORDER BY id LIMIT ?2) t
    LEFT JOIN media m ON m.id_media = t.local_id";

/// A database open for reading.
pub(crate) struct StatusReader {
    conn: Connection,
    path: PathBuf,
    layout: Layout,
    /// Whether there is a `sync_tracking`, ours or an earlier service's.
    tracked: bool,
}

impl StatusReader {
    /// Opens a database for reading; ours need not have been set up in it.
    ///
    /// # Errors
    /// It can't be read, or is not a recorder's.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        identify(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let layout = layout::detect(&conn, path)?;
        let tracked = earlier::make_up(&conn).context(path, "lecture du schéma")?;
        Ok(Self {
            conn,
            path: path.to_path_buf(),
            layout,
            tracked,
        })
    }

    /// The state of a table, with ages by `now` (local time).
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn table(&self, table: Table, now: chrono::NaiveDateTime) -> Result<TableState> {
        let (state, first) =
            table_state(&self.conn, table, &self.layout, self.tracked).context(&self.path, "lecture de l'état")?;
        let find = |id| dates::cheap(&self.conn, &self.path, &self.layout, id);
        let oldest_waiting = oldest::waiting(&self.conn, &self.path, &self.layout, table, first, now, find)?;
        Ok(TableState {
            oldest_waiting,
            ..state
        })
    }

    /// Calls `each` for every failed row, newest try first; nothing is locked meanwhile.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn failed_rows(&self, each: impl FnMut(FailedRow)) -> Result<()> {
        if !self.tracked {
            return Ok(());
        }
        failed_rows::for_each(&self.conn, each).context(&self.path, "lecture des échecs")
    }

    /// What was deleted because it is at the server.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn pruned(&self) -> Result<Tally> {
        if !self.tracked {
            return Ok(Tally::default());
        }
        Tally::read(&self.conn).context(&self.path, "lecture de l'état")
    }

    /// The bytes of video that are at the server already.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn sent_bytes(&self) -> Result<u64> {
        if !self.tracked {
            return Ok(0);
        }
        let read = || -> rusqlite::Result<u64> {
            let (mut total, mut after) = (0, i64::MIN);
            let mut window = self.conn.prepare_cached(SENT_BYTES)?;
            loop {
                let (bytes, last): (i64, Option<i64>) =
                    window.query_row((after, WINDOW), |row| Ok((row.get(0)?, row.get(1)?)))?;
                total += unsigned(bytes);
                match last {
                    Some(last) => after = last,
                    None => return Ok(total),
                }
            }
        };
        read().context(&self.path, "lecture de l'état")
    }
}

/// Reads the state of a table and its lowest waiting id; `tracked` tells whether our tables are there.
pub(super) fn table_state(
    conn: &Connection,
    table: Table,
    layout: &Layout,
    tracked: bool,
) -> rusqlite::Result<(TableState, Option<i64>)> {
    let id = table.id_column();
    if !tracked {
        let (waiting, first): (i64, Option<i64>) =
            conn.query_row(&format!("SELECT count(*), min({id}) FROM {table}"), [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let state = TableState {
            waiting: unsigned(waiting),
            done: 0,
            failed: 0,
            vanished: 0,
            oldest_waiting: None,
            last_success: None,
        };
        return Ok((state, first));
    }
    let mark = LowWaterMark::read(conn, table)
        .optional()?
        .unwrap_or_else(LowWaterMark::none);
    let stock = Stock::count(conn, layout, table, FailedDue::All, &mark)?;
    let counts = counts::read(conn, table)?;
    let first = [stock.first_new, stock.first_tracked_due].into_iter().flatten().min();
    let state = TableState {
        waiting: stock.new + counts.pending,
        done: counts.success,
        failed: counts.failed,
        vanished: stock.vanished(&mark),
        oldest_waiting: None,
        last_success: conn
            .prepare_cached(LAST_SUCCESS)?
            .query_row((table.name(), RECENT), |row| {
                Ok(match scalar(row.get_ref(0)?) {
                    Scalar::Text(date) => Some(date),
                    _ => None,
                })
            })?,
    };
    Ok((state, first))
}
