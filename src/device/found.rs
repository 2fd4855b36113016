//! A database on its way to being a [`Device`]: found, recognised, and only then written to.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::bookmarks::Bookmarks;
use super::connection::{connect, identify, schema_version};
use super::error::{Context, DeviceError, Kind, Result};
use super::layout::{self, Layout};
use super::quiet::Quiet;
use super::sent_clips::SentClips;
use super::{Device, generation, schema};
use crate::row::Table;

/// A recorder's database that was found and recognised, and in which nothing was written yet.
pub(crate) struct Found {
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
    pub(crate) fn open(path: &Path) -> Result<Self> {
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

    pub(super) fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Makes sure that our tables are there. The instance lock comes first: of two services that start, one writes.
    ///
    /// # Errors
    /// The database can't be written, or holds something else under our tables' names.
    pub(crate) fn set_up(mut self) -> Result<Device> {
        let database_id = schema::ensure(&mut self.conn, &self.path)?;
        let schema_version = schema_version(&self.conn).context(&self.path, "lecture du schéma")?;
        let quiet = Quiet::watch(&self.conn).context(&self.path, "ouverture")?;
        Ok(Device {
            quiet,
            oldest_clip: RefCell::new(None),
            sent_clips: SentClips::default(),
            bookmarks: Bookmarks::default(),
            conn: self.conn,
            path: self.path,
            layout: self.layout,
            database_id,
            identity: self.identity,
            schema_version,
        })
    }
}

/// What `check` tells of a database: readable, laid out as known, writable; it ends at the first that is not so.
#[must_use]
pub(crate) fn inspect(path: &Path) -> Vec<Result<String>> {
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
        if schema::is_complete(&conn).context(path, "lecture du schéma")? {
            for table in Table::ALL {
                let said = generation::describe(&conn, &layout, table).context(path, "lecture de l'état")?;
                facts.extend(said.map(Ok));
            }
        }
        Ok(())
    };
    if let Err(error) = look() {
        facts.push(Err(error));
    }
    facts
}
