//! The statements of who writes.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::record::{Clip, Event, Scalar};
use crate::store::row::{Added, Content, Key, Kind, NewRow, NewStatus, Receipt};

/// What a day's backlog is kept in: quarters of an hour, each with its worst.
const QUARTER_S: i64 = 900;
const QUARTERS_KEPT: i64 = 96;

const PUT_STATUS: &str = "
INSERT INTO device (device_id, status, clock_ahead_ms, received_at)
VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', ?4, 'unixepoch'))
ON CONFLICT (device_id) DO UPDATE
SET status = excluded.status, clock_ahead_ms = excluded.clock_ahead_ms, received_at = excluded.received_at";

const ADD_BACKLOG: &str = "
INSERT INTO device_backlog (device_id, quarter, most_rows) VALUES (?1, ?2, ?3)
ON CONFLICT (device_id, quarter) DO UPDATE SET most_rows = max(most_rows, excluded.most_rows)";

const FORGET_BACKLOG: &str = "DELETE FROM device_backlog WHERE device_id = ?1 AND quarter <= ?2";

const ADD_EVENT: &str = "
INSERT INTO evenement (date, capteur_id, capteur_nom, capteur_etat, device_id, source, idempotency_key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const ADD_MEDIA: &str = "
INSERT INTO media (date, capteur_id, capteur_nom, numero_camera, device_id, source, idempotency_key, file, size_bytes, sha256,
                   manifest, after_event)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'evenement'), 0))";

const MANIFEST: &str = "SELECT manifest FROM media WHERE file = ?1"; // UNIQUE (file)

/// The receipt of a key. With tokens the key is its device's own; without, it is one for all. `UNIQUE (idempotency_key,
/// device_id)` serves all four.
const EVENT_OF_DEVICE: &str = "
SELECT id, date, capteur_id, NULL FROM evenement WHERE idempotency_key = ?1 AND device_id = ?2";
const EVENT_OF_ANY: &str = "
SELECT id, date, capteur_id, NULL FROM evenement WHERE idempotency_key = ?1 ORDER BY id LIMIT 1";
const CLIP_OF_DEVICE: &str = "
SELECT id, date, capteur_id, size_bytes FROM media WHERE idempotency_key = ?1 AND device_id = ?2";
const CLIP_OF_ANY: &str = "
SELECT id, date, capteur_id, size_bytes FROM media WHERE idempotency_key = ?1 ORDER BY id LIMIT 1";

pub(super) fn installation(conn: &Connection) -> rusqlite::Result<String> {
    conn.query_row("SELECT id FROM installation", [], |row| row.get(0))
}

pub(super) fn manifest(conn: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let mut query = conn.prepare_cached(MANIFEST)?;
    query.query_row([name], |row| row.get(0)).optional()
}

/// The receipt of a key whose row was removed: `PRIMARY KEY (idempotency_key, kind, device_id)`.
const REMOVED: &str = "
SELECT min(id), date, capteur_id, size_bytes FROM receipt
WHERE idempotency_key = ?1 AND kind = ?2 AND (?3 IS NULL OR device_id = ?3) HAVING count(*) > 0";

pub(super) fn receipt(conn: &Connection, kind: Kind, key: &Key) -> rusqlite::Result<Option<Receipt>> {
    let receipt = |row: &Row<'_>| {
        let size_bytes: Option<i64> = row.get(3)?;
        Ok(Receipt {
            id: row.get(0)?,
            date: row.get(1)?,
            sensor_id: row.get(2)?,
            size_bytes: size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        })
    };
    let (of_device, of_any) = match kind {
        Kind::Event => (EVENT_OF_DEVICE, EVENT_OF_ANY),
        Kind::Clip => (CLIP_OF_DEVICE, CLIP_OF_ANY),
    };
    let found = match &key.owner {
        Some(device) => conn.prepare_cached(of_device)?.query_row([&key.key, device], receipt),
        None => conn.prepare_cached(of_any)?.query_row([&key.key], receipt),
    }
    .optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let table = match kind {
        Kind::Event => "evenement",
        Kind::Clip => "media",
    };
    conn.prepare_cached(REMOVED)?
        .query_row(params![key.key, table, key.owner], receipt)
        .optional()
}

/// Adds a row inside a transaction, or finds the receipt of its key's first one.
pub(super) fn add(conn: &Connection, row: &NewRow) -> rusqlite::Result<Added> {
    if let Some(key) = &row.key {
        if let Some(receipt) = receipt(conn, row.kind(), key)? {
            return Ok(Added { receipt, is_new: false });
        }
    }
    let key = row.key.as_ref().map(|key| key.key.as_str());
    let (origin, size_bytes) = match &row.content {
        Content::Event(Event { origin, sensor_state }) => {
            conn.prepare_cached(ADD_EVENT)?.execute(params![
                origin.date,
                origin.sensor_id,
                origin.sensor_name,
                sensor_state,
                origin.device_id,
                origin.source,
                key
            ])?;
            (origin, None)
        }
        Content::Clip(Clip { origin, camera }, stored) => {
            conn.prepare_cached(ADD_MEDIA)?.execute(params![
                origin.date,
                origin.sensor_id,
                origin.sensor_name,
                camera,
                origin.device_id,
                origin.source,
                key,
                stored.name,
                i64::try_from(stored.size_bytes).unwrap_or(i64::MAX),
                stored.sha256,
                stored.manifest
            ])?;
            (origin, Some(stored.size_bytes))
        }
    };
    let receipt = Receipt {
        id: conn.last_insert_rowid(),
        date: origin.date.clone(),
        sensor_id: origin.sensor_id.clone(),
        size_bytes,
    };
    Ok(Added { receipt, is_new: true })
}

/// Keeps a device's status inside a transaction, and its backlog of the last day.
pub(super) fn put_status(conn: &Connection, status: &NewStatus) -> rusqlite::Result<()> {
    conn.prepare_cached(PUT_STATUS)?.execute(params![
        status.device_id,
        status.json,
        status.clock_ahead_ms,
        status.received_unix_s
    ])?;
    let quarter = status.received_unix_s - status.received_unix_s.rem_euclid(QUARTER_S);
    let backlog = i64::try_from(status.backlog).unwrap_or(i64::MAX);
    conn.prepare_cached(ADD_BACKLOG)?
        .execute(params![status.device_id, quarter, backlog])?;
    conn.prepare_cached(FORGET_BACKLOG)?
        .execute(params![status.device_id, quarter - QUARTERS_KEPT * QUARTER_S])?;
    Ok(())
}

impl ToSql for Scalar {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl FromSql for Scalar {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(_) => return Err(FromSqlError::InvalidType),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_answered_by_an_index() {
        let mut conn = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut conn).unwrap();
        for question in [
            MANIFEST,
            EVENT_OF_DEVICE,
            EVENT_OF_ANY,
            CLIP_OF_DEVICE,
            CLIP_OF_ANY,
            REMOVED,
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>(3));
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            let uses_index =
                |step: &String| step.starts_with("SEARCH") && (step.contains("INDEX") || step.contains("PRIMARY KEY"));
            assert!(steps.iter().any(uses_index), "{question}: {steps:?}");
            let scans = |step: &String| step.contains("SCAN evenement") || step.contains("SCAN media");
            assert!(!steps.iter().any(scans), "{question}: {steps:?}");
        }
    }
}
