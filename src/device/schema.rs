//! Our tables and how they come into being.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use uuid::Uuid;

use super::error::{Context, DeviceError, Kind, Result};
use super::triggers;
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
/// - `sync_meta`: `database_id`, the namespace of idempotency keys, and what must outlive the process.
/// - `sync_low_water`: per table, the id up to which every row has a row in `sync_tracking` (`low_water`), how often
///   tracking rows went or were renamed (`edits`), up to which id gaps were counted and how many rows the recorder deleted before
///   they were sent (`counted_to`, `vanished`), how many rows have which status and whether that is sure (`checked`); how often its ids
///   started over (`generation`), the row of its counter, the row sent last, and what is on its way to `sync_archive`.
/// - `sync_anchor`: rows sent earlier, with what tells them from others with their ids.
/// - `sync_archive`: what was tracked of rows whose ids were given again.
/// - `sync_sent_clip`: per clip that arrived, by which success, its length and date as they were sent.
/// - `sync_retry`: per failed row, why, in how many passes it failed (`refusals`: for its own fault, `suspicions`: the backend
///   failed over it), since when, and when it is due (Unix seconds); by its indexes, what is due.
const STATE: &str = "
CREATE TABLE IF NOT EXISTS sync_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_low_water (
    table_name TEXT PRIMARY KEY,
    low_water  INTEGER NOT NULL,
    edits      INTEGER NOT NULL DEFAULT 0,
    counted_to INTEGER NOT NULL,
    vanished   INTEGER NOT NULL DEFAULT 0,
    success    INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    pending    INTEGER NOT NULL DEFAULT 0,
    checked    INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 1,
    sequence_row  INTEGER,
    sent_id       INTEGER,
    sent_shown,
    sent_date,
    archive_above INTEGER,
    archive_last  INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_anchor (
    table_name TEXT NOT NULL,
    local_id   INTEGER NOT NULL,
    shown,
    date,
    PRIMARY KEY (table_name, local_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_archive (
    table_name    TEXT NOT NULL,
    generation    INTEGER NOT NULL,
    local_id      INTEGER NOT NULL,
    remote_id     INTEGER,
    sync_date     TEXT NOT NULL,
    sync_status   TEXT NOT NULL,
    error_message TEXT,
    PRIMARY KEY (table_name, generation, local_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sync_sent_clip (
    local_id  INTEGER PRIMARY KEY,
    sync_date TEXT NOT NULL,
    bytes     INTEGER NOT NULL,
    date      TEXT
);
CREATE TABLE IF NOT EXISTS sync_retry (
    table_name TEXT NOT NULL,
    local_id   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    refusals   INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    suspicions INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (table_name, local_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sync_retry_due ON sync_retry (table_name, reason, due_at);
CREATE INDEX IF NOT EXISTS sync_retry_now ON sync_retry (table_name, local_id) WHERE reason IN ('backend', 'unknown');
";

/// What a recorder's clean-up may delete: nothing of a table whose ids started over since the last pass (its row in
/// `sqlite_sequence` is another one, or counts less than is tracked), nothing that is on its way to `sync_archive`. It names no table
/// of the recorder: a view that does would stop it from renaming one.
const UPLOADED: &str = "CREATE VIEW sync_uploaded AS
    SELECT t.table_name, t.local_id, t.remote_id, t.sync_date
    FROM sync_low_water w CROSS JOIN sync_tracking t ON t.table_name = w.table_name
    WHERE t.sync_status = 'success'
    AND w.sequence_row IS (SELECT rowid FROM sqlite_sequence WHERE name = w.table_name COLLATE NOCASE)
    AND (w.sequence_row IS NULL OR (SELECT seq FROM sqlite_sequence WHERE name = w.table_name COLLATE NOCASE) >= coalesce(
        (SELECT max(local_id) FROM sync_tracking WHERE table_name = w.table_name AND local_id <= 9223372036854775807), 0))
    AND (w.archive_last IS NULL OR t.id > w.archive_last OR t.local_id <= w.archive_above)";

/// Triggers of the first version, under which its marks can be relied on.
const FIRST_TRIGGERS: &str =
    "SELECT count(*) = 4 FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'sync_tracking'
    AND name IN ('sync_tracking_deleted','sync_tracking_renamed','sync_tracking_undone','sync_tracking_freed')";

/// Creates what is missing, checks what is there, and returns the id of this database.
///
/// When the triggers were absent or altered, deletions may have gone unseen: the low-water marks start over.
pub(super) fn ensure(conn: &mut Connection, path: &Path) -> Result<Uuid> {
    let complete = is_complete(conn).context(path, "lecture du schéma")?;
    if !complete {
        create(conn).context(path, "création de sync_tracking")?;
    }
    check_tracking(conn, path)?;
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
pub(super) fn is_complete(conn: &Connection) -> rusqlite::Result<bool> {
    let objects: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name IN
         ('sync_tracking','idx_sync_status','sync_meta','sync_low_water','sync_retry','sync_retry_due',
          'sync_retry_now','sync_anchor','sync_archive','sync_sent_clip')",
        [],
        |row| row.get(0),
    )?;
    if objects < 10 || !counts_suspicions(conn)? || !view_stands(conn)? || !triggers::stand(conn)? {
        return Ok(false);
    }
    let rows: i64 = conn.query_row(
        "SELECT (SELECT count(*) FROM sync_low_water WHERE table_name IN ('evenement','media'))
              + (SELECT count(*) FROM sync_meta WHERE key = 'database_id')",
        [],
        |row| row.get(0),
    )?;
    Ok(rows == 3)
}

/// Whether `sync_retry` has its youngest column.
pub(super) fn counts_suspicions(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare("SELECT 1 FROM pragma_table_info('sync_retry') WHERE name = 'suspicions'")?
        .exists([])
}

fn view_stands(conn: &Connection) -> rusqlite::Result<bool> {
    let found: Option<String> = conn
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = 'sync_uploaded'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found.as_deref() == Some(UPLOADED))
}

fn exists(conn: &Connection, name: &str) -> rusqlite::Result<bool> {
    conn.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?
        .exists([name])
}

fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TRACKING)?;
    tx.execute_batch(STATE)?;
    if !counts_suspicions(&tx)? {
        tx.execute_batch("ALTER TABLE sync_retry ADD COLUMN suspicions INTEGER NOT NULL DEFAULT 0")?;
    }
    if !view_stands(&tx)? {
        tx.execute_batch("DROP VIEW IF EXISTS sync_uploaded")?;
        tx.execute_batch(UPLOADED)?;
    }
    let first = exists(&tx, "sync_frontier")?;
    let reliable = first && tx.query_row(FIRST_TRIGGERS, [], |row| row.get(0))?;
    if !triggers::stand(&tx)? {
        triggers::create(&tx)?;
        tx.execute(
            "UPDATE sync_low_water SET low_water = ?1, edits = edits + 1, checked = 0",
            [i64::MIN],
        )?;
    }
    if first {
        carry_over(&tx, reliable)?;
    }
    for (table, id) in Table::ALL.map(|table| (table.name(), table.id_column())) {
        // Gaps from before our time are nobody's loss: counting starts where tracking or the rows start.
        tx.execute(
            &format!(
                "INSERT OR IGNORE INTO sync_low_water (table_name, low_water, counted_to, sequence_row) VALUES (?1, ?2,
                 max(coalesce((SELECT max(local_id) FROM sync_tracking WHERE table_name = ?1 AND local_id <= ?3), ?2),
                     coalesce((SELECT min({id}) - 1 FROM {table}), ?2)),
                 (SELECT rowid FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE))"
            ),
            (table, i64::MIN, i64::MAX),
        )?;
    }
    tx.execute(
        "INSERT OR IGNORE INTO sync_meta (key, value) VALUES ('database_id', ?1)",
        [Uuid::new_v4().to_string()],
    )?;
    tx.commit()
}

/// Takes over what the first version kept in `sync_frontier`; its marks only while its triggers stood.
fn carry_over(conn: &Connection, reliable: bool) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT OR IGNORE INTO sync_low_water (table_name, low_water, edits, counted_to, vanished)
         SELECT table_name, CASE WHEN ?1 THEN CAST(frontier AS INTEGER) ELSE ?2 END, edits,
                CAST(counted_to AS INTEGER), CAST(vanished AS INTEGER) FROM sync_frontier",
        (reliable, i64::MIN),
    )?;
    conn.execute_batch("DROP TABLE sync_frontier")
}

/// A table of that name that is not the contract's would fail at the first row; better at the start.
fn check_tracking(conn: &Connection, path: &Path) -> Result<()> {
    let prepared = conn
        .prepare(super::tracking::INSERT)
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
