//! The local database: the recorder's tables, read; our own, written.
//!
//! The rules that keep the recorder from waiting (`docs/design.md` has the reasons): every read is a short statement
//! or a bounded chunk, no lock is held while anything else happens, every write is one row's transaction, and
//! the file's lasting settings (journal mode, page size, …) are the recorder's.

mod backlog;
mod clip;
mod codes;
mod connection;
mod counts;
mod dates;
mod due;
mod error;
mod layout;
mod look;
mod low_water;
mod meta;
mod pages;
mod quiet;
mod requeue;
mod rows;
mod scalar;
mod schema;
mod state;
mod stock;
#[cfg(test)]
pub(crate) mod tests;
mod tracked;
mod tracking;
mod triggers;
mod untracked;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

pub use backlog::Backlog;
pub use clip::ClipReader;
pub use connection::bound_memory;
pub use due::{Due, FailedDue};
pub use error::{DeviceError, Kind, Result};
pub use layout::Layout;
pub use requeue::{reset, retry};
pub use state::{FailedRow, StatusReader};
pub use tracking::{Failures, Outcome, Reason, Record};

use crate::notice::{Counts, TableState};
use crate::row::{Clip, Event, Scalar, Table};
use connection::{connect, data_version, identify, schema_version};
use error::Context;
use quiet::Quiet;

/// The local database, open for uploading.
pub struct Device {
    conn: Connection,
    path: PathBuf,
    layout: Layout,
    database_id: Uuid,
    /// (device, inode) of the open file: another file may take its place.
    identity: (u64, u64),
    schema_version: i64,
    quiet: Quiet,
}

/// A recorder's database that was found and recognised, and in which nothing was written yet.
pub struct Found {
    conn: Connection,
    path: PathBuf,
    layout: Layout,
    identity: (u64, u64),
}

impl Found {
    /// Opens the database and detects its layout.
    ///
    /// # Errors
    /// [`Kind::NotYet`] when there is no file, or an empty one; otherwise what is wrong with it.
    pub fn open(path: &Path) -> Result<Self> {
        let identity = identify(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if conn.is_readonly("main").context(path, "ouverture")? {
            return Err(DeviceError::new(
                Kind::Denied,
                format!(
                    "{} n'est pas accessible en écriture: donnez au service le droit d'écrire le fichier et son dossier",
                    path.display()
                ),
            ));
        }
        let layout = layout::detect(&conn, path)?;
        Ok(Self {
            conn,
            path: path.to_path_buf(),
            layout,
            identity,
        })
    }

    /// Makes sure that our tables are there. The instance lock comes first: of two services that start, one writes.
    ///
    /// # Errors
    /// The database can't be written, or holds something else under our tables' names.
    pub fn set_up(mut self) -> Result<Device> {
        let database_id = schema::ensure(&mut self.conn, &self.path)?;
        let schema_version = schema_version(&self.conn).context(&self.path, "lecture du schéma")?;
        let quiet = Quiet::watch(&self.conn).context(&self.path, "ouverture")?;
        Ok(Device {
            quiet,
            conn: self.conn,
            path: self.path,
            layout: self.layout,
            database_id,
            identity: self.identity,
            schema_version,
        })
    }
}

impl Device {
    /// Whether the file at the path is still the one that is open, with the schema that was read.
    ///
    /// # Errors
    /// [`Kind::NotYet`] when the file is gone.
    pub fn is_current(&self) -> Result<bool> {
        Ok(identify(&self.path)? == self.identity
            && schema_version(&self.conn).context(&self.path, "lecture du schéma")? == self.schema_version)
    }

    /// Whether another file has taken the place of the one that is open, which can't be written any more.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        identify(&self.path).is_ok_and(|identity| identity != self.identity)
    }

    /// The random id of this database: the namespace of its idempotency keys.
    #[must_use]
    pub fn database_id(&self) -> Uuid {
        self.database_id
    }

    /// Compares the recorder's rows with `sync_tracking` from the first on, and mends what passes rely on; `now` is Unix
    /// seconds.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub fn look(&mut self, now: i64) -> Result<()> {
        self.quiet
            .look(&self.conn, now)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// The same, unless the file shows that it would find nothing.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub fn look_at_start(&mut self, now: i64) -> Result<()> {
        self.quiet
            .look_unless_quiet(&self.conn, now)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// Writes down what the next start need not look at again.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub fn keep_look(&self) -> Result<()> {
        self.quiet
            .keep(&self.conn)
            .context(&self.path, "vérification de sync_tracking")
    }

    /// Takes stock of what is due in `table`.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub fn backlog(&self, table: Table, failed_due: FailedDue) -> Result<Backlog> {
        backlog::take(&self.conn, &self.layout, table, failed_due).context(&self.path, "recherche des lignes à envoyer")
    }

    /// The next due rows of a backlog; empty at its end.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn next_page(&self, backlog: &mut Backlog) -> Result<Vec<Due>> {
        backlog::next_page(&self.conn, &self.layout, backlog).context(&self.path, "recherche des lignes à envoyer")
    }

    /// The highest id in `table`, by its PRIMARY KEY.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn last_id(&self, table: Table) -> Result<Option<i64>> {
        self.conn
            .prepare_cached(&quiet::highest_there(table))
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .context(&self.path, "recherche des lignes à envoyer")
    }

    /// Reads an event; `None` when it is gone.
    ///
    /// # Errors
    /// The row can't be read.
    pub fn event(&self, id: i64) -> Result<Option<Event>> {
        rows::event(&self.conn, &self.layout, id)
            .context(&self.path, "lecture d'un événement")
            .map_err(error::of_row)
    }

    /// Opens a clip, read through a connection that does nothing else meanwhile; `None` when it is gone. `date` is the one its page of the backlog gave.
    ///
    /// # Errors
    /// The row can't be read.
    pub fn clip(&self, id: i64, date: Option<&Scalar>) -> Result<Option<(Clip, ClipReader<'_>)>> {
        clip::open(&self.conn, &self.path, &self.layout, id, date).map_err(error::of_row)
    }

    /// How often a row has failed so far.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn failures(&self, table: Table, id: i64) -> Result<Failures> {
        tracking::failures(&self.conn, table, id).context(&self.path, "lecture de sync_retry")
    }

    /// Writes one result, durably, in one short transaction.
    ///
    /// # Errors
    /// The database can't be written; nothing was.
    pub fn record(&mut self, record: &Record) -> Result<()> {
        tracking::write(&mut self.conn, record).context(&self.path, "écriture de sync_tracking")
    }

    /// Counts by status.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn counts(&self, table: Table) -> Result<Counts> {
        counts::read(&self.conn, table).context(&self.path, "statistiques")
    }

    /// The state of a table, with ages by `now` (local time).
    ///
    /// # Errors
    /// The database can't be read.
    pub fn state(&self, table: Table, now: chrono::NaiveDateTime) -> Result<TableState> {
        state::table_state(&self.conn, &self.layout, table, true, now).context(&self.path, "lecture de l'état")
    }

    /// A value of ours that outlives the process.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        meta::read(&self.conn, key).context(&self.path, "lecture de sync_meta")
    }

    /// Keeps a value of ours.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<()> {
        meta::write(&self.conn, key, value).context(&self.path, "écriture de sync_meta")
    }

    /// A number that changes when another program has committed
    /// (<https://www.sqlite.org/pragma.html#pragma_data_version>).
    ///
    /// # Errors
    /// The database can't be read.
    pub fn data_version(&self) -> Result<i64> {
        data_version(&self.conn).context(&self.path, "surveillance de la base")
    }
}

/// What `check` tells of a database: readable, laid out as known, writable; it ends at the first that is not so.
#[must_use]
pub fn inspect(path: &Path) -> Vec<Result<String>> {
    let mut facts = Vec::new();
    let mut look = || -> Result<()> {
        identify(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mode: String = conn
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .context(path, "ouverture")?;
        facts.push(Ok(format!(
            "Base de données lisible: {} (journal {mode})",
            path.display()
        )));
        let layout = layout::detect(&conn, path)?;
        let name = if layout.event_date == "date" {
            "actuelle"
        } else {
            "ancienne"
        };
        facts.push(Ok(format!("Structure reconnue: {name}")));
        // As far as the journal's creation, and no trace left.
        conn.execute_batch("BEGIN IMMEDIATE; CREATE TABLE sync_check (x); ROLLBACK;")
            .context(path, "essai d'écriture")?;
        facts.push(Ok("Base de données accessible en écriture".to_string()));
        Ok(())
    };
    if let Err(error) = look() {
        facts.push(Err(error));
    }
    facts
}

/// Counts by status of `evenement` and `media`, through a connection of its own.
///
/// # Errors
/// The database can't be read.
pub fn statistics(path: &Path) -> Result<(Counts, Counts)> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let read = |table| counts::read(&conn, table).context(path, "statistiques");
    Ok((read(Table::Event)?, read(Table::Media)?))
}
