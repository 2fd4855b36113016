//! [`Keeping`] on SQLite. Ids come in the order of arrival.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::desk::SqliteDesk;
use crate::store::upkeep::{Doom, Doomed, EventPage, Keeping, Reason, Removal, Trouble};
use crate::store::{Kind, Pending, pattern};

/// How many days it is told what was removed.
const TOLD_DAYS: u32 = 90;

/// Each half by its own index, which holds all that is asked for.
const CLIP_BYTES: &str = "
SELECT (SELECT coalesce(sum(size_bytes), 0) FROM media WHERE pinned = 0 AND removing IS NULL)
     + (SELECT coalesce(sum(size_bytes), 0) FROM media WHERE pinned <> 0 AND removing IS NULL)";

/// `media_by_arrival`.
const OLDEST_BEFORE: &str = "
SELECT id, size_bytes FROM media
WHERE pinned = 0 AND removing IS NULL AND received_at < strftime('%Y-%m-%dT%H:%M:%fZ', ?1, 'unixepoch')
ORDER BY received_at, id LIMIT ?2";
const OLDEST: &str = "
SELECT id, size_bytes FROM media WHERE pinned = 0 AND removing IS NULL AND ?1 IS NOT NULL ORDER BY received_at, id LIMIT ?2";

const DOOM: &str = "UPDATE media SET removing = ?2 WHERE id = ?1 AND pinned = 0 AND removing IS NULL";

const KEEP_CLIPS_RECEIPT: &str = "
INSERT OR IGNORE INTO receipt (idempotency_key, device_id, kind, id, date, capteur_id, size_bytes, removed_at)
SELECT idempotency_key, device_id, 'media', id, date, capteur_id, size_bytes, unixepoch() FROM media
WHERE id = ?1 AND idempotency_key IS NOT NULL";

/// By name: SQLite would read all clips in the order of their ids rather than put the few of this index in order.
const DOOMED: &str = "
SELECT id, file, manifest, size_bytes, removing FROM media INDEXED BY media_removing
WHERE removing IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2";

const NOTE: &str = "
ON CONFLICT (day, device_id, kind, reason) DO UPDATE SET rows = rows + excluded.rows, bytes = bytes + excluded.bytes,
oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest)";

const NOTE_CLIPS: &str = "
INSERT INTO removal (day, device_id, kind, reason, rows, bytes, oldest, newest)
SELECT date(), device_id, 'media', removing, count(*), sum(size_bytes), min(received_at), max(received_at)
FROM media WHERE id IN (SELECT value FROM json_each(?1)) AND removing IS NOT NULL GROUP BY device_id, removing";

const REMOVE_CLIPS: &str = "
DELETE FROM media WHERE id IN (SELECT value FROM json_each(?1)) AND removing IS NOT NULL";

/// By primary key: an index by age would cost each event that comes.
const EVENTS: &str = "
SELECT id, (received_at < strftime('%Y-%m-%dT%H:%M:%fZ', ?2, 'unixepoch')) IS TRUE,
       received_at > strftime('%Y-%m-%dT%H:%M:%fZ')
FROM evenement WHERE id > ?1 ORDER BY id LIMIT ?3";

const KEEP_EVENTS_RECEIPTS: &str = "
INSERT OR IGNORE INTO receipt (idempotency_key, device_id, kind, id, date, capteur_id, removed_at)
SELECT idempotency_key, device_id, 'evenement', id, date, capteur_id, unixepoch() FROM evenement
WHERE id IN (SELECT value FROM json_each(?1)) AND idempotency_key IS NOT NULL";

const NOTE_EVENTS: &str = "
INSERT INTO removal (day, device_id, kind, reason, rows, bytes, oldest, newest)
SELECT date(), device_id, 'evenement', 'age', count(*), 0, min(received_at), max(received_at)
FROM evenement WHERE id IN (SELECT value FROM json_each(?1)) GROUP BY device_id";

const REMOVE_EVENTS: &str = "DELETE FROM evenement WHERE id IN (SELECT value FROM json_each(?1))";

const FORGET_NOTES: &str = "DELETE FROM removal WHERE day < date('now', '-' || ?1 || ' days')";

/// `receipt_by_age`.
const OLD_RECEIPTS: &str = "SELECT EXISTS (SELECT 1 FROM receipt WHERE removed_at < ?1)";
const FORGET_RECEIPTS: &str = "
DELETE FROM receipt WHERE (idempotency_key, kind, device_id) IN
(SELECT idempotency_key, kind, device_id FROM receipt WHERE removed_at < ?1 ORDER BY removed_at LIMIT ?2)";

const REMOVALS: &str = "
SELECT day, device_id, kind, reason, rows, bytes, oldest, newest FROM removal
WHERE ?1 IS NULL OR device_id GLOB ?1 ORDER BY day DESC, device_id, kind, reason LIMIT ?2";

const PUT_TROUBLE: &str = "
INSERT INTO removal_trouble (one, reason, since_at, last_at) VALUES (1, ?1, unixepoch(), unixepoch())
ON CONFLICT (one) DO UPDATE SET reason = excluded.reason, last_at = excluded.last_at";

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn list(ids: &[i64]) -> String {
    format!("{ids:?}")
}

/// Id and bytes of the clips that are next.
fn oldest(conn: &Connection, doom: Doom, limit: u32) -> rusqlite::Result<Vec<(i64, u64)>> {
    let (sql, before_s) = match doom {
        Doom::Before(before_s) => (OLDEST_BEFORE, before_s),
        Doom::Bytes(_) => (OLDEST, 0),
    };
    let mut statement = conn.prepare_cached(sql)?;
    let oldest = statement.query_map(params![before_s, limit], |row| Ok((row.get(0)?, count(row.get(1)?))))?;
    oldest.collect()
}

fn doom(tx: &Transaction<'_>, doom: Doom, limit: u32) -> rusqlite::Result<Vec<u64>> {
    let (mut wanted, reason) = match doom {
        Doom::Before(_) => (u64::MAX, Reason::Age),
        Doom::Bytes(bytes) => (bytes, Reason::Space),
    };
    let mut doomed = Vec::new();
    for (id, size_bytes) in oldest(tx, doom, limit)? {
        if wanted == 0 {
            break;
        }
        tx.prepare_cached(KEEP_CLIPS_RECEIPT)?.execute([id])?;
        tx.prepare_cached(DOOM)?.execute(params![id, reason.name()])?;
        doomed.push(size_bytes);
        wanted = wanted.saturating_sub(size_bytes);
    }
    Ok(doomed)
}

fn events(conn: &Connection, after: i64, before_s: i64, limit: u32) -> rusqlite::Result<EventPage> {
    let mut statement = conn.prepare_cached(EVENTS)?;
    let found = statement.query_map(params![after, before_s, limit], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    Ok(EventPage::new(&found, limit))
}

fn remove_events(tx: &Transaction<'_>, after: i64, before_s: i64, limit: u32) -> rusqlite::Result<EventPage> {
    let page = events(tx, after, before_s, limit)?;
    tx.prepare_cached(KEEP_EVENTS_RECEIPTS)?.execute([list(&page.old)])?;
    note(tx, NOTE_EVENTS, &page.old)?;
    tx.prepare_cached(REMOVE_EVENTS)?.execute([list(&page.old)])?;
    Ok(page)
}

fn note(conn: &Connection, what: &str, ids: &[i64]) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!("{what}{NOTE}"))?.execute([list(ids)])?;
    conn.prepare_cached(FORGET_NOTES)?.execute([TOLD_DAYS]).map(drop)
}

fn doomed(row: &Row<'_>) -> rusqlite::Result<Doomed> {
    Ok(Doomed {
        id: row.get(0)?,
        file: row.get(1)?,
        manifest: row.get(2)?,
        size_bytes: count(row.get(3)?),
        reason: Reason::of(&row.get::<_, String>(4)?),
    })
}

fn removal(row: &Row<'_>) -> rusqlite::Result<Removal> {
    let kind: String = row.get(2)?;
    Ok(Removal {
        day: row.get(0)?,
        device_id: row.get(1)?,
        kind: if kind == "media" { Kind::Clip } else { Kind::Event },
        reason: Reason::of(&row.get::<_, String>(3)?),
        rows: count(row.get(4)?),
        bytes: count(row.get(5)?),
        oldest: row.get(6)?,
        newest: row.get(7)?,
    })
}

impl Keeping for SqliteDesk {
    fn clip_bytes(&self) -> Pending<'_, u64> {
        Box::pin(
            self.pool
                .with(|conn| conn.query_row(CLIP_BYTES, [], |row| Ok(count(row.get(0)?)))),
        )
    }

    fn doom(&self, which: Doom, limit: u32) -> Pending<'_, Vec<u64>> {
        Box::pin(async move {
            // Not a lock for nothing.
            if self.pool.with(move |conn| oldest(conn, which, 1)).await?.is_empty() {
                return Ok(Vec::new());
            }
            self.pool.write(move |tx| doom(tx, which, limit)).await
        })
    }

    fn doomed(&self, after: i64, limit: u32) -> Pending<'_, Vec<Doomed>> {
        Box::pin(self.pool.with(move |conn| {
            let mut statement = conn.prepare_cached(DOOMED)?;
            let rows = statement.query_map(params![after, limit], doomed)?;
            rows.collect()
        }))
    }

    fn clips_gone(&self, ids: Vec<i64>) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| {
            note(tx, NOTE_CLIPS, &ids)?;
            tx.prepare_cached(REMOVE_CLIPS)?.execute([list(&ids)]).map(drop)
        }))
    }

    fn remove_events(&self, after: i64, before_s: i64, limit: u32) -> Pending<'_, EventPage> {
        Box::pin(async move {
            let page = self.pool.with(move |conn| events(conn, after, before_s, limit)).await?;
            if page.old.is_empty() {
                return Ok(page);
            }
            let remove = move |tx: &Transaction<'_>| remove_events(tx, after, before_s, limit);
            self.pool.write(remove).await
        })
    }

    fn forget_receipts(&self, before_s: i64, limit: u32) -> Pending<'_, usize> {
        Box::pin(async move {
            let old = self
                .pool
                .with(move |conn| conn.query_row(OLD_RECEIPTS, [before_s], |row| row.get(0)));
            if !old.await? {
                return Ok(0);
            }
            let forget =
                move |tx: &Transaction<'_>| tx.prepare_cached(FORGET_RECEIPTS)?.execute(params![before_s, limit]);
            self.pool.write(forget).await
        })
    }

    fn removals(&self, visible: Option<String>, limit: u32) -> Pending<'_, Vec<Removal>> {
        Box::pin(self.pool.with(move |conn| {
            let mut statement = conn.prepare_cached(REMOVALS)?;
            let rows = statement.query_map(params![visible.as_deref().map(pattern::glob), limit], removal)?;
            rows.collect()
        }))
    }

    fn put_trouble(&self, reason: Option<String>) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| match reason {
            Some(reason) => tx.execute(PUT_TROUBLE, [reason]).map(drop),
            None => tx.execute("DELETE FROM removal_trouble", []).map(drop),
        }))
    }

    fn trouble(&self) -> Pending<'_, Option<Trouble>> {
        Box::pin(self.pool.with(|conn| {
            let trouble = conn.query_row("SELECT reason, since_at, last_at FROM removal_trouble", [], |row| {
                Ok(Trouble {
                    reason: row.get(0)?,
                    since_s: row.get(1)?,
                    last_s: row.get(2)?,
                })
            });
            trouble.optional()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_looks_at_what_is_to_go_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        crate::store::sqlite::migrations::migrate(&mut conn).unwrap();
        for (sql, wanted) in [
            (CLIP_BYTES, "SCAN media USING COVERING INDEX media_by_arrival"),
            (CLIP_BYTES, "SCAN media USING COVERING INDEX media_pinned"),
            (OLDEST_BEFORE, "INDEX media_by_arrival (received_at<?)"),
            (OLDEST, "INDEX media_by_arrival"),
            (DOOMED, "INDEX media_removing"),
            (EVENTS, "INTEGER PRIMARY KEY (rowid>?)"),
            (OLD_RECEIPTS, "INDEX receipt_by_age (removed_at<?)"),
            (FORGET_RECEIPTS, "INDEX receipt_by_age (removed_at<?)"),
            (FORGET_NOTES, "PRIMARY KEY (day<?)"),
        ] {
            let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert!(steps.iter().any(|step| step.contains(wanted)), "{sql}: {steps:?}");
        }
    }
}
