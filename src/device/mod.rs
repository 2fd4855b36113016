//! The local database: the recorder's tables, read; our own, written.
//!
//! The rules that keep the recorder from waiting (`docs/design.md` has the reasons): every read is a short statement
//! or a bounded chunk, no lock is held while anything else happens, every write is one row's transaction, and
//! the file's lasting settings (journal mode, page size, …) are the recorder's.

mod anchors;
mod archive;
mod backlog;
mod bookmarks;
mod clip;
mod clip_steps;
mod codes;
mod connection;
mod counts;
mod dates;
mod due;
mod earlier;
mod error;
mod failed_rows;
mod found;
mod generation;
mod identity;
mod layout;
mod look;
mod low_water;
mod meta;
mod oldest;
mod pages;
mod prune;
mod quiet;
mod record;
mod requeue;
mod room;
mod rows;
mod scalar;
mod schema;
mod sent_clips;
mod small_cache;
mod span;
mod state;
mod step_size;
mod stock;
#[cfg(test)]
pub(crate) mod tests;
mod tracked;
mod tracking;
mod triggers;
mod untracked;
mod walk;

use std::cell::RefCell;
use std::path::PathBuf;

use rusqlite::Connection;
use uuid::Uuid;

pub(crate) use backlog::Backlog;
pub(crate) use clip::ClipReader;
pub(crate) use connection::{BREATH, bound_memory};
pub(crate) use counts::statistics;
pub(crate) use due::{Due, FailedDue};
pub(crate) use error::{DeviceError, Kind, Result};
pub(crate) use found::{Found, inspect};
pub(crate) use prune::{Prunable, Removal, Tally};
pub(crate) use requeue::{reset, retry};
pub(crate) use state::StatusReader;
pub(crate) use tracking::{Failures, Outcome, Reason, Record};

use crate::notice::{Counts, TableState};
use crate::row::{Clip, Event, Scalar, Table};
use bookmarks::Bookmarks;
use connection::{data_version, identify, schema_version};
use error::Context;
use layout::Layout;
use quiet::Quiet;
use sent_clips::SentClips;

/// The local database, open for uploading.
pub(crate) struct Device {
    conn: Connection,
    path: PathBuf,
    layout: Layout,
    database_id: Uuid,
    /// (device, inode) of the open file: another file may take its place.
    identity: (u64, u64),
    schema_version: i64,
    quiet: Quiet,
    /// The clip that waits longest, and its date.
    oldest_clip: RefCell<Option<(i64, Scalar)>>,
    /// The clips read last: what is kept of them when they are sent.
    sent_clips: SentClips,
    /// Where the clip read last can be read on.
    bookmarks: Bookmarks,
}

/// What was done when a search for rows failed.
const SEARCH: &str = "recherche des lignes à envoyer";

impl Device {
    /// Whether the file at the path is still the one that is open, with the schema that was read.
    ///
    /// # Errors
    /// [`Kind::NotYet`] when the file is gone.
    pub(crate) fn is_current(&self) -> Result<bool> {
        Ok(identify(&self.path)? == self.identity
            && schema_version(&self.conn).context(&self.path, "lecture du schéma")? == self.schema_version)
    }

    /// Whether another file has taken the place of the one that is open, which can't be written any more.
    #[must_use]
    pub(crate) fn is_replaced(&self) -> bool {
        identify(&self.path).is_ok_and(|identity| identity != self.identity)
    }

    /// The random id of this database: the namespace of its idempotency keys.
    #[must_use]
    pub(crate) fn database_id(&self) -> Uuid {
        self.database_id
    }

    /// Compares the recorder's rows with `sync_tracking` from the first on, and mends what passes rely on; `now` is Unix
    /// seconds. `pulse` is called between two of its short steps.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn look(&mut self, now: i64, pulse: &mut dyn FnMut()) -> Result<()> {
        self.quiet
            .look(&self.conn, now, pulse)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// The same, unless the file shows that it would find nothing.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn look_at_start(&mut self, now: i64, pulse: &mut dyn FnMut()) -> Result<()> {
        self.quiet
            .look_unless_quiet(&self.conn, now, pulse)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// Writes down what the next start need not look at again.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn keep_look(&self) -> Result<()> {
        self.quiet
            .keep(&self.conn)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// The next due rows of a backlog; empty at its end.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn next_page(&self, backlog: &mut Backlog) -> Result<Vec<Due>> {
        let mut page = backlog::next_page(&self.conn, &self.layout, backlog).context(&self.path, SEARCH)?;
        dates::arrange(&self.conn, &self.path, &self.layout, backlog.table(), &mut page)?;
        Ok(page)
    }

    /// The highest id in `table`, by its PRIMARY KEY.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn last_id(&self, table: Table) -> Result<Option<i64>> {
        self.conn
            .prepare_cached(&quiet::highest_there(table))
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .context(&self.path, SEARCH)
    }

    /// Reads an event; `None` when it is gone.
    ///
    /// # Errors
    /// The row can't be read.
    pub(crate) fn event(&self, id: i64) -> Result<Option<Event>> {
        rows::event(&self.conn, &self.path, &self.layout, id).map_err(error::of_row)
    }

    /// Reads several events under one lock, which a few hundred rows hold for a few milliseconds; each as [`Self::event`]
    /// gives it.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn events(&self, ids: &[i64]) -> Result<Vec<Result<Option<Event>>>> {
        let reading = self.conn.unchecked_transaction();
        let reading = reading.context(&self.path, "lecture d'un événement")?;
        let events = ids.iter().map(|id| self.event(*id)).collect();
        reading.finish().context(&self.path, "lecture d'un événement")?;
        Ok(events)
    }

    /// Opens a clip, read through a connection that does nothing else meanwhile; `None` when it is gone. `date` is the one its page of the backlog gave.
    ///
    /// # Errors
    /// The row can't be read.
    pub(crate) fn clip(&self, id: i64, date: Option<&Scalar>) -> Result<Option<(Clip, ClipReader<'_>)>> {
        let opened = clip::open(self, id, date).map_err(error::of_row)?;
        if let Some((clip, _)) = &opened {
            self.sent_clips.remember(clip);
        }
        Ok(opened)
    }

    /// How often a row has failed so far.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn failures(&self, table: Table, id: i64) -> Result<Failures> {
        tracking::failures(&self.conn, table, id).context(&self.path, "lecture de sync_retry")
    }

    /// Writes one result, durably, in one short transaction.
    ///
    /// # Errors
    /// The database can't be written; nothing was.
    pub(crate) fn record(&mut self, record: &Record) -> Result<()> {
        self.record_all(std::slice::from_ref(record))
    }

    /// Writes several results of one table, durably, in one transaction.
    ///
    /// # Errors
    /// The database can't be written; nothing was.
    pub(crate) fn record_all(&mut self, records: &[Record]) -> Result<()> {
        tracking::write(&mut self.conn, &self.layout, records, &self.sent_clips)
            .context(&self.path, "écriture de sync_tracking")
    }

    /// Counts by status.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn counts(&self, table: Table) -> Result<Counts> {
        counts::read(&self.conn, table).context(&self.path, "statistiques")
    }

    /// The state of a table, with ages by `now` (local time).
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn state(&self, table: Table, now: chrono::NaiveDateTime) -> Result<TableState> {
        let (state, first) =
            state::table_state(&self.conn, table, &self.layout, true).context(&self.path, "lecture de l'état")?;
        let find = |id| self.date_of_clip(id);
        let oldest_waiting = oldest::waiting(&self.conn, &self.path, &self.layout, table, first, now, find)?;
        Ok(TableState {
            oldest_waiting,
            ..state
        })
    }

    /// The date of a clip that waits. It may lie behind the video, which is read once for it, not after every pass.
    fn date_of_clip(&self, id: i64) -> Result<Option<Scalar>> {
        if let Some((known, date)) = self.oldest_clip.borrow().as_ref().filter(|(known, _)| *known == id) {
            log::trace!("the date of clip {known} is known");
            return Ok(Some(date.clone()));
        }
        let date = dates::thorough(&self.conn, &self.path, &self.layout, id)?;
        *self.oldest_clip.borrow_mut() = date.clone().map(|date| (id, date));
        Ok(date)
    }

    /// A value of ours that outlives the process.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>> {
        meta::read(&self.conn, key).context(&self.path, "lecture de sync_meta")
    }

    /// Keeps a value of ours.
    ///
    /// # Errors
    /// The database can't be written.
    pub(crate) fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        meta::write(&self.conn, key, value).context(&self.path, "écriture de sync_meta")
    }

    /// A number that changes when another program has committed
    /// (<https://www.sqlite.org/pragma.html#pragma_data_version>).
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn data_version(&self) -> Result<i64> {
        data_version(&self.conn).context(&self.path, "surveillance de la base")
    }
}
