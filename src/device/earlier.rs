//! Databases that an earlier version or the Python service filled and in which this one has not run yet: shown to the statements that
//! read a state as if it had, by temporary tables and views of the connection. The file is left as it is.

use rusqlite::Connection;

/// What the first version kept of marks; ours start over, so that what is tracked is looked at from the first row on.
const FIRST_MARKS: &str = "CREATE TEMP VIEW sync_low_water AS
    SELECT table_name, -9223372036854775808 AS low_water, edits, counted_to, vanished, 1 AS generation, NULL AS sequence_row,
        NULL AS sent_id, 0 AS success, 0 AS failed, 0 AS pending, 0 AS checked FROM main.sync_frontier";

const NO_MARKS: &str = "CREATE TEMP TABLE sync_low_water
    (table_name TEXT PRIMARY KEY, low_water, edits, counted_to, vanished, generation, sequence_row, sent_id, success, failed, pending, checked)";

const FIRST_PLANS: &str = "CREATE TEMP VIEW sync_retry AS SELECT *, 0 AS suspicions FROM main.sync_retry";

const NO_PLANS: &str = "CREATE TEMP TABLE sync_retry
    (table_name, local_id, reason, attempts, refusals, since, due_at, suspicions, PRIMARY KEY (table_name, local_id))";

const NO_META: &str = "CREATE TEMP TABLE sync_meta (key TEXT PRIMARY KEY, value)";

/// Makes up for what is missing beside `sync_tracking`; `false` when that itself, or its index, is not there.
pub(super) fn make_up(conn: &Connection) -> rusqlite::Result<bool> {
    let has = |name: &str| {
        conn.prepare_cached("SELECT 1 FROM main.sqlite_schema WHERE name = ?1")?
            .exists([name])
    };
    if !has("sync_tracking")? || !has("idx_sync_status")? {
        return Ok(false);
    }
    if !has("sync_low_water")? {
        let first = has("sync_frontier")?;
        conn.execute_batch(if first { FIRST_MARKS } else { NO_MARKS })?;
    }
    if !has("sync_retry")? {
        conn.execute_batch(NO_PLANS)?;
    } else if !super::schema::counts_suspicions(conn)? {
        conn.execute_batch(FIRST_PLANS)?;
    }
    if !has("sync_meta")? {
        conn.execute_batch(NO_META)?;
    }
    Ok(true)
}
