//! What people do to `sync_tracking` by command instead of SQL, in steps so short that the recorder never waits.

use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;

use super::connection::{connect, identify};
use super::error::{Context, Result};
use crate::row::Table;

/// Rows changed in one transaction.
const STEP: usize = 500;

/// Time left to other writers between two transactions.
const BREATH: Duration = Duration::from_millis(20);

/// Sets failed rows to `pending`; returns how many.
///
/// # Errors
/// The database can't be written, or has no `sync_tracking`.
pub fn retry(path: &Path, table: Option<Table>, id: Option<i64>) -> Result<usize> {
    in_steps(
        path,
        "UPDATE sync_tracking SET sync_status = 'pending' WHERE id IN (SELECT id FROM sync_tracking
         WHERE sync_status = 'failed' AND (?1 IS NULL OR table_name = ?1) AND (?2 IS NULL OR local_id = ?2) LIMIT ?3)",
        table,
        id,
    )
}

/// Forgets everything that was sent, so that it is sent again; returns how many rows.
///
/// # Errors
/// The database can't be written, or has no `sync_tracking`.
pub fn reset(path: &Path) -> Result<usize> {
    in_steps(
        path,
        "DELETE FROM sync_tracking WHERE id IN (SELECT id FROM sync_tracking
         WHERE (?1 IS NULL OR table_name = ?1) AND (?2 IS NULL OR local_id = ?2) LIMIT ?3)",
        None,
        None,
    )
}

fn in_steps(path: &Path, sql: &str, table: Option<Table>, id: Option<i64>) -> Result<usize> {
    identify(path)?;
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let doing = "modification de sync_tracking";
    let mut statement = conn.prepare(sql).context(path, doing)?;
    let mut total = 0;
    loop {
        let changed = statement
            .execute((table.map(Table::name), id, STEP as i64))
            .context(path, doing)?;
        total += changed;
        if changed < STEP {
            return Ok(total);
        }
        #[allow(clippy::disallowed_methods, reason = "in a command, which a signal simply ends")]
        std::thread::sleep(BREATH);
    }
}
