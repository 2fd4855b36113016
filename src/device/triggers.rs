//! Triggers on our own table, so that what people and the Python service do to it in SQL is seen.

use rusqlite::{Connection, OptionalExtension};

/// Names of earlier versions' triggers that are no more.
const FORMER: [&str; 1] = ["sync_tracking_undone"];

/// Each by the end of the PRIMARY KEY of `sync_low_water` or `sync_retry`.
///
/// - A mark is lowered below a row whose tracking row goes; a `local_id` that is no integer has no place in it.
/// - The counts follow every change of status. What `REPLACE` removes fires no trigger: the counts are unsure
///   then (`checked` = 0), and taken anew at the next look.
/// - Each failed row has a row in `sync_retry`, so that what is due is found there; `unknown` when it was not us who
///   failed it. Apart from what every new row fires: for an INSERT that reads its own table SQLite makes a temporary one, found
///   anything or not.
const TRIGGERS: [(&str, &str); 8] = [
    (
        "sync_tracking_replaced",
        "CREATE TRIGGER sync_tracking_replaced BEFORE INSERT ON sync_tracking
WHEN EXISTS (SELECT 1 FROM sync_tracking WHERE table_name = new.table_name AND local_id = new.local_id) BEGIN
    UPDATE sync_low_water SET checked = 0 WHERE table_name = new.table_name;
END",
    ),
    (
        "sync_tracking_added",
        "CREATE TRIGGER sync_tracking_added AFTER INSERT ON sync_tracking BEGIN
    UPDATE sync_low_water SET success = success + (new.sync_status = 'success'),
        failed = failed + (new.sync_status = 'failed'), pending = pending + (new.sync_status = 'pending')
        WHERE table_name = new.table_name;
    DELETE FROM sync_retry WHERE new.sync_status <> 'failed' AND table_name = new.table_name AND local_id = new.local_id;
END",
    ),
    (
        "sync_tracking_added_failed",
        "CREATE TRIGGER sync_tracking_added_failed AFTER INSERT ON sync_tracking WHEN new.sync_status = 'failed' BEGIN
    INSERT INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at)
        SELECT new.table_name, new.local_id, 'unknown', 0, 0, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id);
END",
    ),
    (
        "sync_tracking_deleted",
        "CREATE TRIGGER sync_tracking_deleted AFTER DELETE ON sync_tracking BEGIN
    UPDATE sync_low_water SET edits = edits + 1, low_water = CASE typeof(old.local_id)
            WHEN 'integer' THEN min(low_water, max(old.local_id, -9223372036854775807) - 1) ELSE low_water END,
        success = success - (old.sync_status = 'success'), failed = failed - (old.sync_status = 'failed'),
        pending = pending - (old.sync_status = 'pending')
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
END",
    ),
    (
        "sync_tracking_renamed",
        "CREATE TRIGGER sync_tracking_renamed AFTER UPDATE OF table_name, local_id ON sync_tracking
WHEN new.table_name <> old.table_name OR new.local_id <> old.local_id BEGIN
    UPDATE sync_low_water SET edits = edits + 1, low_water = CASE typeof(old.local_id)
            WHEN 'integer' THEN min(low_water, max(old.local_id, -9223372036854775807) - 1) ELSE low_water END
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
    INSERT INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at)
        SELECT new.table_name, new.local_id, 'unknown', 0, 0, 0, 0 WHERE new.sync_status = 'failed'
        AND NOT EXISTS (SELECT 1 FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id);
END",
    ),
    (
        "sync_tracking_recounted",
        "CREATE TRIGGER sync_tracking_recounted AFTER UPDATE OF sync_status, table_name ON sync_tracking
WHEN new.sync_status <> old.sync_status OR new.table_name <> old.table_name BEGIN
    UPDATE sync_low_water SET success = success - (old.sync_status = 'success'),
        failed = failed - (old.sync_status = 'failed'), pending = pending - (old.sync_status = 'pending')
        WHERE table_name = old.table_name;
    UPDATE sync_low_water SET success = success + (new.sync_status = 'success'),
        failed = failed + (new.sync_status = 'failed'), pending = pending + (new.sync_status = 'pending')
        WHERE table_name = new.table_name;
END",
    ),
    (
        "sync_tracking_freed",
        "CREATE TRIGGER sync_tracking_freed AFTER UPDATE OF sync_status ON sync_tracking
WHEN new.sync_status <> 'failed' BEGIN
    DELETE FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id;
END",
    ),
    (
        "sync_tracking_failed",
        "CREATE TRIGGER sync_tracking_failed AFTER UPDATE OF sync_status ON sync_tracking
WHEN new.sync_status = 'failed' AND old.sync_status <> 'failed' BEGIN
    INSERT INTO sync_retry (table_name, local_id, reason, attempts, refusals, since, due_at)
        SELECT new.table_name, new.local_id, 'unknown', 0, 0, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id);
END",
    ),
];

/// Whether every trigger is there, word for word.
pub(super) fn stand(conn: &Connection) -> rusqlite::Result<bool> {
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

/// Makes them anew.
pub(super) fn create(conn: &Connection) -> rusqlite::Result<()> {
    for name in FORMER {
        conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}"))?;
    }
    for (name, sql) in TRIGGERS {
        conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}; {sql};"))?;
    }
    Ok(())
}
