//! Our tables, the triggers on them, and how they come into being.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use uuid::Uuid;

use super::error::{Context, DeviceError, Kind, Result};
use crate::row::Table;

/// `sync_tracking` as the contract gives it; databases in the field have it already.
const TRACKING: &str = "
CREATE TABLE IF NOT EXISTS sync_tracking (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name    TEXT NOT NULL,
    local_id      INTEGER NOT NULL,
    remote_id     INTEGER,
    sync_date     TEXT NOT NULL,
    sync_status   TEXT NOT NULL CHECK (sync_status IN ('pending','success','failed')),
    error_message TEXT,
    UNIQUE (table_name, local_id)
);
CREATE INDEX IF NOT EXISTS idx_sync_status ON sync_tracking (sync_status, table_name);
";

/// What else we must remember.
///
/// - `sync_meta`: `database_id`, the namespace of idempotency keys.
/// - `sync_frontier`: per table, the id up to which every row has a row in `sync_tracking` (`frontier`), how
///   often people have deleted or renamed tracking rows (`edits`), up to which id gaps were counted and how
///   many rows the recorder deleted before they were sent (`counted_to`, `vanished`).
/// - `sync_retry`: per failed row, why, in how many passes it failed (`refusals`: for its own fault), since when, and
///   when it is due (Unix seconds).
/// - `sync_uploaded`: what a recorder's clean-up may delete.
const STATE: &str = "
CREATE TABLE IF NOT EXISTS sync_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_frontier (
    table_name TEXT PRIMARY KEY,
    frontier   INTEGER NOT NULL,
    edits      INTEGER NOT NULL DEFAULT 0,
    counted_to INTEGER NOT NULL,
    vanished   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_retry (
    table_name TEXT NOT NULL,
    local_id   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    refusals   INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    PRIMARY KEY (table_name, local_id)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS sync_uploaded AS
    SELECT table_name, local_id, remote_id, sync_date FROM sync_tracking WHERE sync_status = 'success';
";

/// Triggers on our own table, so that what people and the Python service do to it in SQL is seen.
const TRIGGERS: [(&str, &str); 4] = [
    (
        "sync_tracking_deleted",
        "CREATE TRIGGER sync_tracking_deleted AFTER DELETE ON sync_tracking BEGIN
    UPDATE sync_frontier SET edits = edits + 1, frontier = min(frontier, old.local_id - 1)
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
END",
    ),
    (
        "sync_tracking_renamed",
        "CREATE TRIGGER sync_tracking_renamed AFTER UPDATE OF table_name, local_id ON sync_tracking
WHEN new.table_name <> old.table_name OR new.local_id <> old.local_id BEGIN
    UPDATE sync_frontier SET edits = edits + 1, frontier = min(frontier, old.local_id - 1)
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
END",
    ),
    (
        "sync_tracking_undone",
        "CREATE TRIGGER sync_tracking_undone AFTER UPDATE OF sync_status ON sync_tracking
WHEN old.sync_status = 'success' AND new.sync_status <> 'success' BEGIN
    UPDATE sync_frontier SET edits = edits + 1 WHERE table_name = new.table_name;
END",
    ),
    (
        "sync_tracking_freed",
        "CREATE TRIGGER sync_tracking_freed AFTER UPDATE OF sync_status ON sync_tracking
WHEN new.sync_status <> 'failed' BEGIN
    DELETE FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id;
END",
    ),
];

/// Creates what is missing, checks what is there, and returns the id of this database.
///
/// When the triggers were absent or altered, deletions may have gone unseen: the low-water marks start over.
pub fn ensure(conn: &mut Connection, path: &Path) -> Result<Uuid> {
    let complete = is_complete(conn).context(path, "lecture du schéma")?;
    if !complete {
        create(conn).context(path, "création de sync_tracking")?;
    }
    check_tracking(conn, path)?;
    check_low_water_marks(conn).context(path, "vérification de sync_tracking")?;
    let id: String = conn
        .query_row("SELECT value FROM sync_meta WHERE key = 'database_id'", [], |row| {
            row.get(0)
        })
        .context(path, "lecture de sync_meta")?;
    Uuid::parse_str(&id).map_err(|_| {
        DeviceError::new(
            Kind::Unusable,
            format!(
                "sync_meta.database_id n'est pas un UUID dans {}: supprimez cette ligne pour en obtenir un nouveau",
                path.display()
            ),
        )
    })
}

/// Whether everything is there, so that most starts take no write lock.
fn is_complete(conn: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name IN
         ('sync_tracking','idx_sync_status','sync_meta','sync_frontier','sync_retry','sync_uploaded')",
        [],
        |row| row.get(0),
    )?;
    if objects < 6 || !triggers_stand(conn)? {
        return Ok(false);
    }
    let rows: i64 = conn.query_row(
        "SELECT (SELECT count(*) FROM sync_frontier WHERE table_name IN ('evenement','media'))
              + (SELECT count(*) FROM sync_meta WHERE key = 'database_id')",
        [],
        |row| row.get(0),
    )?;
    Ok(rows == 3)
}

fn triggers_stand(conn: &Connection) -> rusqlite::Result<bool> {
    for (name, sql) in TRIGGERS {
        let found: Option<String> = conn
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1 AND tbl_name = 'sync_tracking'",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        if found.as_deref() != Some(sql) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TRACKING)?;
    tx.execute_batch(STATE)?;
    if !triggers_stand(&tx)? {
        for (name, sql) in TRIGGERS {
            tx.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}; {sql};"))?;
        }
        tx.execute("UPDATE sync_frontier SET frontier = ?1, edits = edits + 1", [i64::MIN])?;
    }
    for (table, id) in Table::ALL.map(|table| (table.name(), table.id_column())) {
        // Gaps from before our time are nobody's loss: counting starts where tracking or the rows start.
        tx.execute(
            &format!(
                "INSERT OR IGNORE INTO sync_frontier (table_name, frontier, counted_to) VALUES (?1, ?2,
                 max(coalesce((SELECT max(local_id) FROM sync_tracking WHERE table_name = ?1), ?2),
                     coalesce((SELECT min({id}) - 1 FROM {table}), ?2)))"
            ),
            (table, i64::MIN),
        )?;
    }
    tx.execute(
        "INSERT OR IGNORE INTO sync_meta (key, value) VALUES ('database_id', ?1)",
        [Uuid::new_v4().to_string()],
    )?;
    tx.commit()
}

/// A table of that name that is not the contract's would fail at the first row; better at the start.
fn check_tracking(conn: &Connection, path: &Path) -> Result<()> {
    let prepared = conn
        .prepare(super::tracking::UPSERT)
        .and_then(|_| conn.prepare("SELECT id, sync_status FROM sync_tracking"));
    match prepared {
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => Err(DeviceError::new(
            Kind::Unusable,
            format!(
                "La table sync_tracking de {} n'a pas les colonnes attendues ({error}): renommez-la ou corrigez-la",
                path.display()
            ),
        )),
        Err(error) => Err(error).context(path, "lecture de sync_tracking"),
    }
}

/// A row below the low-water mark and above everything tracked can't be (a table emptied behind the triggers' back).
fn check_low_water_marks(conn: &Connection) -> rusqlite::Result<()> {
    for (table, id) in Table::ALL.map(|table| (table.name(), table.id_column())) {
        // Two seeks: the end of the UNIQUE index, and the next row by PRIMARY KEY.
        let doubtful: bool = conn.query_row(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM {table}, sync_frontier f WHERE f.table_name = ?1 AND {id} <= f.frontier
                 AND {id} > coalesce((SELECT max(local_id) FROM sync_tracking WHERE table_name = ?1), ?2))"
            ),
            (table, i64::MIN),
            |row| row.get(0),
        )?;
        if doubtful {
            log::warn!("sync_frontier disagrees with sync_tracking: every row of {table} is looked at again");
            conn.execute(
                "UPDATE sync_frontier SET frontier = ?2, edits = edits + 1 WHERE table_name = ?1",
                (table, i64::MIN),
            )?;
        }
    }
    Ok(())
}
