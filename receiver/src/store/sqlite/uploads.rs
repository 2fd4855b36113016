//! Uploads in SQLite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::reading_sql::DEVICE_STORED;
use super::sql;
use crate::store::row::{Added, NewRow};
use crate::store::uploads::{Claim, Created, Durable, Hold, KEPT_MS, LEASE_MS, NewUpload, Saved, Then, Upload};

/// A lease ends with the receiver that had it: a folder has one at a time.
pub(super) const FREE_ALL: &str = "UPDATE upload SET lease_until_ms = 0 WHERE lease_until_ms > 0";

const FIND: &str = "
SELECT id, device_id, idempotency_key, metadata, length_bytes, part, offset_bytes, media_id IS NOT NULL, epoch,
       lease_until_ms, expires_ms, manifest
FROM upload WHERE id = ?1";

/// Also in the place of an older one, whose holder finds its epoch gone.
const CREATE: &str = "
INSERT INTO upload (id, device_id, idempotency_key, metadata, length_bytes, part, expires_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (id) DO UPDATE SET
    device_id = excluded.device_id, idempotency_key = excluded.idempotency_key, metadata = excluded.metadata,
    length_bytes = excluded.length_bytes, part = excluded.part, offset_bytes = 0, manifest = '', media_id = NULL,
    epoch = epoch + 1, lease_until_ms = 0, wanted = 0, expires_ms = excluded.expires_ms";

const HAS_CLIP: &str = "
SELECT EXISTS (SELECT 1 FROM upload JOIN media ON media.id = upload.media_id WHERE upload.id = ?1)";

const WANT: &str = "UPDATE upload SET wanted = 1 WHERE id = ?1";

const CLAIM: &str = "
UPDATE upload SET epoch = epoch + 1, lease_until_ms = ?2, wanted = 0, expires_ms = ?3 WHERE id = ?1";

const SAVE: &str = "
UPDATE upload SET manifest = iif(?3 > offset_bytes, ?6, manifest), offset_bytes = max(offset_bytes, ?3),
    lease_until_ms = ?4, expires_ms = ?5
WHERE part = ?1 AND epoch = ?2 AND media_id IS NULL RETURNING wanted";

const IS_HELD: &str = "SELECT EXISTS (SELECT 1 FROM upload WHERE part = ?1 AND epoch = ?2 AND media_id IS NULL)";

const COMPLETE: &str = "
UPDATE upload SET offset_bytes = length_bytes, manifest = '', media_id = ?2, lease_until_ms = 0, expires_ms = ?3
WHERE part = ?1";

const DELETE: &str = "DELETE FROM upload WHERE part = ?1 AND epoch = ?2 AND media_id IS NULL";

const HAS_EXPIRED: &str = "SELECT EXISTS (SELECT 1 FROM upload WHERE expires_ms <= ?1)";

const EXPIRE: &str = "
DELETE FROM upload WHERE expires_ms <= ?1 AND lease_until_ms <= ?1 RETURNING part, media_id IS NULL";

const AWAITS_PART: &str = "SELECT EXISTS (SELECT 1 FROM upload WHERE part = ?1 AND media_id IS NULL)"; // UNIQUE (part)

fn read(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let bytes = |index| row.get(index).map(|bytes: i64| u64::try_from(bytes).unwrap_or(0));
    Ok(Upload {
        id: row.get(0)?,
        device_id: row.get(1)?,
        key: row.get(2)?,
        metadata: row.get(3)?,
        length_bytes: bytes(4)?,
        part: row.get(5)?,
        durable: Durable {
            bytes: bytes(6)?,
            manifest: row.get(11)?,
        },
        is_complete: row.get(7)?,
        epoch: row.get(8)?,
        lease_until_ms: row.get(9)?,
        expires_ms: row.get(10)?,
    })
}

fn integer(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn any(conn: &Connection, id: &str) -> rusqlite::Result<Option<Upload>> {
    conn.prepare_cached(FIND)?.query_row([id], read).optional()
}

pub(super) fn find(conn: &Connection, id: &str, now_ms: i64) -> rusqlite::Result<Option<Upload>> {
    Ok(any(conn, id)?.filter(|upload| upload.expires_ms > now_ms))
}

pub(super) fn create(conn: &Connection, new: &NewUpload, part: &str, now_ms: i64) -> rusqlite::Result<Created> {
    let before = any(conn, &new.id)?;
    if let Some(upload) = &before {
        let same = upload.metadata == new.metadata && upload.length_bytes == new.length_bytes;
        let clip_is_gone = upload.is_complete
            && !conn
                .prepare_cached(HAS_CLIP)?
                .query_row([&new.id], |row| row.get::<_, bool>(0))?;
        if same && upload.expires_ms > now_ms && !clip_is_gone {
            return Ok(Created {
                upload: upload.clone(),
                is_new: false,
                dropped_part: None,
            });
        }
    }
    conn.prepare_cached(CREATE)?.execute(params![
        new.id,
        new.device_id,
        new.key,
        new.metadata,
        integer(new.length_bytes),
        part,
        now_ms + KEPT_MS
    ])?;
    let upload = any(conn, &new.id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let dropped_part = before.filter(|upload| !upload.is_complete).map(|upload| upload.part);
    Ok(Created {
        upload,
        is_new: true,
        dropped_part,
    })
}

pub(super) fn claim(conn: &Connection, id: &str, now_ms: i64) -> rusqlite::Result<Claim> {
    let Some(mut upload) = find(conn, id, now_ms)? else {
        return Ok(Claim::Gone);
    };
    if upload.is_complete {
        return Ok(Claim::Taken(upload));
    }
    if upload.lease_until_ms > now_ms {
        conn.prepare_cached(WANT)?.execute([id])?;
        return Ok(Claim::Held);
    }
    upload.epoch += 1;
    upload.lease_until_ms = now_ms + LEASE_MS;
    upload.expires_ms = now_ms + KEPT_MS;
    conn.prepare_cached(CLAIM)?
        .execute(params![id, upload.lease_until_ms, upload.expires_ms])?;
    Ok(Claim::Taken(upload))
}

pub(super) fn save(
    conn: &Connection,
    hold: &Hold,
    durable: &Durable,
    then: Then,
    now_ms: i64,
) -> rusqlite::Result<Saved> {
    let lease_until_ms = match then {
        Then::GoesOn => now_ms + LEASE_MS,
        Then::LetsGo => 0,
    };
    let expires_ms = now_ms + KEPT_MS;
    let wanted: Option<bool> = conn
        .prepare_cached(SAVE)?
        .query_row(
            params![
                hold.part,
                hold.epoch,
                integer(durable.bytes),
                lease_until_ms,
                expires_ms,
                durable.manifest
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(match wanted {
        None => Saved::Lost,
        Some(true) => Saved::Wanted,
        Some(false) => Saved::Kept,
    })
}

pub(super) fn complete(conn: &Connection, hold: &Hold, row: &NewRow, now_ms: i64) -> rusqlite::Result<Option<Added>> {
    let is_held: bool = conn
        .prepare_cached(IS_HELD)?
        .query_row(params![hold.part, hold.epoch], |row| row.get(0))?;
    if !is_held {
        return Ok(None);
    }
    let added = sql::add(conn, row)?;
    if added.is_new {
        conn.prepare_cached(DEVICE_STORED)?.execute([row.device_id()])?;
    }
    conn.prepare_cached(COMPLETE)?
        .execute(params![hold.part, added.receipt.id, now_ms + KEPT_MS])?;
    Ok(Some(added))
}

pub(super) fn delete(conn: &Connection, hold: &Hold) -> rusqlite::Result<bool> {
    let count = conn.prepare_cached(DELETE)?.execute(params![hold.part, hold.epoch])?;
    Ok(count > 0)
}

pub(super) fn has_expired(conn: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    conn.prepare_cached(HAS_EXPIRED)?.query_row([now_ms], |row| row.get(0))
}

pub(super) fn expire(conn: &Connection, now_ms: i64) -> rusqlite::Result<Vec<String>> {
    let mut query = conn.prepare_cached(EXPIRE)?;
    let expired = query.query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let expired: Vec<(String, bool)> = expired.collect::<rusqlite::Result<_>>()?;
    Ok(expired
        .into_iter()
        .filter(|(_, is_part)| *is_part)
        .map(|(part, _)| part)
        .collect())
}

pub(super) fn awaits_part(conn: &Connection, part: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(AWAITS_PART)?.query_row([part], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_answered_by_an_index() {
        let mut conn = Connection::open_in_memory().unwrap();
        crate::store::sqlite::migrations::migrate(&mut conn).unwrap();
        for question in [
            FIND,
            HAS_CLIP,
            SAVE,
            IS_HELD,
            COMPLETE,
            DELETE,
            HAS_EXPIRED,
            EXPIRE,
            AWAITS_PART,
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3));
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            let scans = |step: &String| step.contains("SCAN upload") || step.contains("SCAN media");
            assert!(!steps.iter().any(scans), "{question}: {steps:?}");
        }
    }
}
