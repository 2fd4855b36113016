//! Little memory for pages while a long clip is read.

use rusqlite::Connection;

const CACHE_SIZE: &str = "cache_size";

/// Memory for pages while a large clip is read, in KiB: none of its pages is read twice, and in SQLite's usual 2 MB each would leave the
/// processor's own cache before it is copied.
const CACHE_KIB: i64 = 128;

/// SQLite's page cache is small until this is dropped. Not for anything that writes: what does not fit would be written early.
pub(super) struct SmallCache<'a> {
    conn: &'a Connection,
    /// As `PRAGMA cache_size` has it.
    usual: i64,
}

impl<'a> SmallCache<'a> {
    pub(super) fn new(conn: &'a Connection) -> rusqlite::Result<Self> {
        let usual = conn.pragma_query_value(None, CACHE_SIZE, |row| row.get(0))?;
        conn.pragma_update(None, CACHE_SIZE, -CACHE_KIB)?;
        Ok(Self { conn, usual })
    }
}

impl Drop for SmallCache<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.conn.pragma_update(None, CACHE_SIZE, self.usual) {
            log::debug!("cache_size: {error}");
        }
    }
}
