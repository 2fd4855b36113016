//! Whether there is room to write down what becomes of a row, found out before the row is sent: to a server that does not
//! know a row again, one whose result can't be kept would go at every start.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, ffi};

use super::Device;
use super::error::{Context, Result};
use super::scalar::unsigned;

/// More than the pages that a result can add to our tables and indexes.
const ROOM_BYTES: i64 = 32 << 10;

/// More than the pages that a result changes or adds: each goes to the journal, too.
const PAGES: u64 = 32;

/// By the PRIMARY KEY.
pub(super) const TAKE: &str = "INSERT OR REPLACE INTO sync_meta (key, value) VALUES ('room', zeroblob(?1))";

/// The same row.
pub(super) const GIVE_BACK: &str = "DELETE FROM sync_meta WHERE key = 'room'";

impl Device {
    /// Makes sure that a result can be written, by one commit that leaves nothing but free pages.
    ///
    /// # Errors
    /// The database can't be written, or has no room.
    pub(crate) fn make_room(&mut self) -> Result<()> {
        let make = || {
            find(&self.conn, &self.path)?;
            make(&self.conn, ROOM_BYTES)
        };
        make().context(&self.path, "écriture de sync_tracking")
    }
}

/// Room on the disk for the journal of a result. It is gone when the next one is written, so that to have written one shows nothing.
fn find(conn: &Connection, path: &Path) -> rusqlite::Result<()> {
    let page_bytes: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let needed = unsigned(page_bytes).saturating_mul(PAGES);
    // Not every file system tells.
    let Some(disk) = rustix::fs::statvfs(path).ok().filter(|disk| disk.f_blocks > 0) else {
        return Ok(());
    };
    let is_root = rustix::process::geteuid().is_root();
    let blocks = if is_root { disk.f_bfree } else { disk.f_bavail };
    let free = blocks.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    let full = ffi::Error::new(ffi::SQLITE_FULL);
    Err(rusqlite::Error::SqliteFailure(full, Some(format!("{free} < {needed}"))))
}

/// Room in the file, and leave to write it.
fn make(conn: &Connection, bytes: i64) -> rusqlite::Result<()> {
    let mut tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    // Inside a savepoint SQLite writes also the pages that are free again, so that the disk has given them.
    let inner = tx.savepoint()?;
    inner.prepare_cached(TAKE)?.execute([bytes])?;
    inner.prepare_cached(GIVE_BACK)?.execute([])?;
    inner.commit()?;
    tx.commit()
}
