//! `sync_meta`: values of ours that outlive the process, each by the PRIMARY KEY.

use rusqlite::{Connection, OptionalExtension};

pub(super) const READ: &str = "SELECT value FROM sync_meta WHERE key = ?1";

pub(super) const WRITE: &str =
    "INSERT INTO sync_meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

pub(super) fn read(conn: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached(READ)?.query_row([key], |row| row.get(0)).optional()
}

pub(super) fn write(conn: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(WRITE)?.execute((key, value))?;
    Ok(())
}
