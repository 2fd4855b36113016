//! The database as people use it: they read rows, sign in, make tokens. Beside the writer of rows, and also while it
//! runs in another process: `sync-receiver user add` needs no stop.

use std::path::Path;

use rusqlite::Connection;

use super::migrations;
use super::pool::{self, Pool};
use crate::store::refusal::refused;
use crate::store::{StoreError, modes};

/// Rows to read, people and tokens to keep.
pub(crate) struct SqliteDesk {
    pub(super) pool: Pool,
}

impl SqliteDesk {
    /// Opens the database below `folder`; makes it, so that people can be added before the receiver's first start.
    ///
    /// # Errors
    /// The folder or the database can't be used.
    pub(in crate::store) fn open(folder: &Path) -> Result<Self, StoreError> {
        modes::make_folder(folder).map_err(refused(folder))?;
        let path = folder.join("receiver.db");
        modes::make_file(&path).map_err(refused(folder))?;
        let mut conn = Connection::open(&path)?;
        conn.busy_timeout(pool::BUSY)?;
        conn.execute_batch("PRAGMA journal_mode = WAL;")?;
        migrations::migrate(&mut conn)?;
        Ok(Self { pool: Pool::new(&path) })
    }
}
