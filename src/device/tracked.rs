//! Rows of `sync_tracking` that are due: `pending`, or `failed` and their time has come. Each is found by an index, so that what
//! is not due costs nothing however much of it there is.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::due::FailedDue;
use crate::row::Table;

/// Rows one statement looks at.
const WINDOW: i64 = 1_000;

/// A row over which the backend failed in so many passes comes last: it may be what the backend fails on.
const DEPRIORITIZE_AFTER: u32 = 2;

/// Rows changed in one transaction.
const STEP: i64 = 100;

/// A row that is gone is looked for again after so long: it may be put back.
const LOOK_AGAIN_S: i64 = 86_400;

/// A range of `idx_sync_status`, whose entries end in the rowid; `sync_retry` by its PRIMARY KEY.
pub(super) const BY_STATUS: &str =
    "SELECT t.id, 0, t.local_id, coalesce(r.reason = 'backend' AND r.suspicions >= ?5, 0)
    FROM sync_tracking t INDEXED BY idx_sync_status
    LEFT JOIN sync_retry r ON r.table_name = t.table_name AND r.local_id = t.local_id
    WHERE t.sync_status = ?1 AND t.table_name = ?2 AND t.id > ?3 AND t.id <= ?4 AND typeof(t.local_id) = 'integer'
    ORDER BY t.id LIMIT ?6";

/// A range of `sync_retry_now`, which has what is due whatever the clock says; `sync_tracking` by its UNIQUE index.
pub(super) const AT_ONCE: &str = "SELECT r.local_id, 0, r.local_id, r.reason = 'backend' AND r.suspicions >= ?4
    FROM sync_retry r INDEXED BY sync_retry_now
    CROSS JOIN sync_tracking t ON t.table_name = r.table_name AND t.local_id = r.local_id
    WHERE r.reason IN ('backend', 'unknown') AND r.table_name = ?1 AND r.local_id > ?2 AND t.id <= ?3
        AND t.sync_status = 'failed' AND typeof(r.local_id) = 'integer'
    ORDER BY r.local_id LIMIT ?5";

/// A range of `sync_retry_due`; `sync_tracking` by its UNIQUE index.
pub(super) const TIMED: &str = "SELECT r.due_at, r.local_id, r.local_id, 0
    FROM sync_retry r INDEXED BY sync_retry_due
    CROSS JOIN sync_tracking t ON t.table_name = r.table_name AND t.local_id = r.local_id
    WHERE r.table_name = ?1 AND r.reason = ?2 AND (r.due_at, r.local_id) > (?3, ?4) AND r.due_at <= ?5 AND t.id <= ?6
        AND t.sync_status = 'failed' AND typeof(r.local_id) = 'integer'
    ORDER BY r.due_at, r.local_id LIMIT ?7";

/// The end of a range of `sync_retry_due`.
pub(super) const IS_ANY_FAR: &str = "SELECT 1 FROM sync_retry INDEXED BY sync_retry_due
    WHERE table_name = ?1 AND reason = ?2 AND due_at > ?3 LIMIT 1";

/// The same range, each row by the PRIMARY KEY.
pub(super) const PULL_IN: &str = "UPDATE sync_retry SET due_at = ?4 WHERE (table_name, local_id) IN
    (SELECT table_name, local_id FROM sync_retry INDEXED BY sync_retry_due
     WHERE table_name = ?1 AND reason = ?2 AND due_at > ?3 LIMIT ?5)";

/// By the PRIMARY KEY.
pub(super) const SET_GONE: &str =
    "UPDATE sync_retry SET reason = 'gone', due_at = ?3 WHERE table_name = ?1 AND local_id = ?2";

/// A range of `sync_retry_due`.
pub(super) const COUNT_GONE: &str = "SELECT count(*) FROM sync_retry INDEXED BY sync_retry_due
    WHERE table_name = ?1 AND reason = 'gone' AND due_at > ?2";

/// Where rows are found, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// With this status, by `sync_tracking.id`.
    Status(&'static str),
    /// Failed, and due whatever the clock says, by id.
    AtOnce,
    /// Failed for this reason, by due time and id.
    Timed(&'static str),
}

/// What people set to pending is due whatever was planned before, and what failed with the backend is due at the next pass whatever
/// the clock says. Reasons: `docs/design.md`.
fn sources(failed_due: FailedDue) -> &'static [Source] {
    match failed_due {
        FailedDue::All => &[Source::Status("pending"), Source::Status("failed")],
        FailedDue::At { .. } => &[
            Source::Status("pending"),
            Source::AtOnce,
            Source::Timed("row"),
            Source::Timed("gone"),
        ],
        FailedDue::No => &[Source::Status("pending"), Source::AtOnce],
    }
}

/// Where a walk over the due rows stands.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    failed_due: FailedDue,
    source: usize,
    after: Position,
    /// Rows with a higher `sync_tracking.id` belong to the next look.
    last: i64,
}

/// A place in the order of a source. The first part is as SQLite has it: people may write anything.
type Position = (Value, i64);

const START: Position = (Value::Integer(i64::MIN), i64::MIN);

/// A row that is due as far as `sync_tracking` knows.
pub(super) struct Tracked {
    pub id: i64,
    /// Whether the backend failed over it in several passes.
    pub is_deprioritized: bool,
    source: usize,
    position: Position,
}

impl Cursor {
    pub(super) fn new(failed_due: FailedDue, last: i64) -> Self {
        Self {
            failed_due,
            source: 0,
            after: START,
            last,
        }
    }

    /// From the start again.
    pub(super) fn rewound(&self) -> Self {
        Self::new(self.failed_due, self.last)
    }

    /// The next rows; empty at the end.
    pub(super) fn window(&mut self, conn: &Connection, table: Table) -> rusqlite::Result<Vec<Tracked>> {
        while let Some(source) = sources(self.failed_due).get(self.source) {
            let window = self.read(conn, table, *source)?;
            if !window.is_empty() {
                return Ok(window);
            }
            self.source += 1;
            self.after = START;
        }
        Ok(Vec::new())
    }

    /// What comes next comes after this row.
    pub(super) fn pass(&mut self, tracked: &Tracked) {
        self.source = tracked.source;
        self.after.clone_from(&tracked.position);
    }

    fn read(&self, conn: &Connection, table: Table, source: Source) -> rusqlite::Result<Vec<Tracked>> {
        let (name, last, often) = (table.name(), self.last, DEPRIORITIZE_AFTER);
        let (first, second) = &self.after;
        let mut window = Vec::new();
        let mut keep = |row: &rusqlite::Row| -> rusqlite::Result<()> {
            window.push(Tracked {
                id: row.get(2)?,
                is_deprioritized: row.get(3)?,
                source: self.source,
                position: (row.get(0)?, row.get(1)?),
            });
            Ok(())
        };
        let mut statement;
        let mut rows = match (source, self.failed_due) {
            (Source::Status(status), _) => {
                statement = conn.prepare_cached(BY_STATUS)?;
                statement.query((status, name, first, last, often, WINDOW))?
            }
            (Source::AtOnce, _) => {
                statement = conn.prepare_cached(AT_ONCE)?;
                statement.query((name, first, last, often, WINDOW))?
            }
            (Source::Timed(reason), FailedDue::At { now, .. }) => {
                statement = conn.prepare_cached(TIMED)?;
                statement.query((name, reason, first, second, now, last, WINDOW))?
            }
            (Source::Timed(_), _) => return Ok(window),
        };
        while let Some(row) = rows.next()? {
            keep(row)?;
        }
        drop(rows);
        Ok(window)
    }
}

/// Makes due a step of what is further away than any delay: only a clock that jumped explains it. Whether there may be more.
pub(super) fn pull_in(conn: &Connection, table: Table, failed_due: FailedDue) -> rusqlite::Result<bool> {
    let FailedDue::At { now, longest_delay } = failed_due else {
        return Ok(false);
    };
    let far = now.saturating_add(longest_delay);
    for reason in ["row", "gone"] {
        if conn.prepare_cached(IS_ANY_FAR)?.exists((table.name(), reason, far))? {
            conn.prepare_cached(PULL_IN)?
                .execute((table.name(), reason, far, now, STEP))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Books failed rows that the recorder deleted, so that they are not looked for at every pass.
pub(super) fn set_gone(conn: &Connection, table: Table, failed_due: FailedDue, ids: &[i64]) -> rusqlite::Result<()> {
    let FailedDue::At { now, .. } = failed_due else {
        return Ok(());
    };
    if ids.is_empty() {
        return Ok(());
    }
    let tx = conn.unchecked_transaction()?;
    for id in ids {
        tx.prepare_cached(SET_GONE)?
            .execute((table.name(), id, now.saturating_add(LOOK_AGAIN_S)))?;
    }
    tx.commit()
}

/// How many failed rows are booked as deleted and not looked for now.
pub(super) fn count_gone(conn: &Connection, table: Table, failed_due: FailedDue) -> rusqlite::Result<u64> {
    let after = match failed_due {
        // All are looked for.
        FailedDue::All => return Ok(0),
        FailedDue::At { now, .. } => now,
        FailedDue::No => i64::MIN,
    };
    conn.prepare_cached(COUNT_GONE)?
        .query_row((table.name(), after), |row| row.get(0))
        .map(super::scalar::unsigned)
}
