//! The database's tables and statements.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, ffi, params};

use super::rows::{Added, NewRow};
use crate::answer::Stored;
use crate::record::{Clip, Event, Scalar};
use crate::store::{Key, StoreError, Table};

/// Columns without a type keep what the device sent: null, a number, or text. `UNIQUE (idempotency_key, device_id)` also
/// serves the look-up by key alone.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS evenement (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, capteur_etat,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (idempotency_key, device_id)
);
CREATE TABLE IF NOT EXISTS media (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, numero_camera,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    file            TEXT NOT NULL UNIQUE,
    size_bytes      INTEGER NOT NULL,
    sha256          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (idempotency_key, device_id)
);
";

const ADD_EVENT: &str = "
INSERT INTO evenement (date, capteur_id, capteur_nom, capteur_etat, device_id, source, idempotency_key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const ADD_MEDIA: &str = "
INSERT INTO media (date, capteur_id, capteur_nom, numero_camera, device_id, source, idempotency_key, file, size_bytes, sha256)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Whether a row names a clip's file; served by `UNIQUE (file)`.
pub fn has_file(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    Ok(
        conn.query_row("SELECT EXISTS (SELECT 1 FROM media WHERE file = ?1)", [name], |row| {
            row.get(0)
        })?,
    )
}

/// The answer given for a key. With tokens the key is its device's own; without, it is one for all.
pub fn find(conn: &Connection, table: Table, key: &Key) -> rusqlite::Result<Option<Stored>> {
    let name = table.name();
    let answer = |row: &rusqlite::Row<'_>| row.get(0).map(Stored);
    match &key.owner {
        Some(device) => conn
            .prepare_cached(&format!(
                "SELECT answer FROM {name} WHERE idempotency_key = ?1 AND device_id = ?2"
            ))?
            .query_row([&key.key, device], answer),
        None => conn
            .prepare_cached(&format!(
                "SELECT answer FROM {name} WHERE idempotency_key = ?1 ORDER BY id LIMIT 1"
            ))?
            .query_row([&key.key], answer),
    }
    .optional()
}

/// Adds a row inside a transaction, or finds the answer of its key's first one.
pub fn add(conn: &Connection, row: &NewRow, key: Option<&Key>) -> rusqlite::Result<Added> {
    let table = match row {
        NewRow::Event(_) => Table::Event,
        NewRow::Clip(..) => Table::Media,
    };
    if let Some(key) = key {
        if let Some(answer) = find(conn, table, key)? {
            return Ok(Added { answer, is_new: false });
        }
    }
    let key = key.map(|key| key.key.as_str());
    let answer = match row {
        NewRow::Event(Event { origin, sensor_state }) => {
            conn.prepare_cached(ADD_EVENT)?.execute(params![
                origin.date,
                origin.sensor_id,
                origin.sensor_name,
                sensor_state,
                origin.device_id,
                origin.source,
                key
            ])?;
            Stored::event(conn.last_insert_rowid(), &origin.date, &origin.sensor_id)
        }
        NewRow::Clip(Clip { origin, camera }, file) => {
            let size = i64::try_from(file.size_bytes).unwrap_or(i64::MAX);
            conn.prepare_cached(ADD_MEDIA)?.execute(params![
                origin.date,
                origin.sensor_id,
                origin.sensor_name,
                camera,
                origin.device_id,
                origin.source,
                key,
                file.name,
                size,
                file.sha256
            ])?;
            Stored::media(
                conn.last_insert_rowid(),
                &origin.date,
                &origin.sensor_id,
                file.size_bytes,
            )
        }
    };
    // The answer names the row's own id: it is known only now.
    conn.prepare_cached(&format!("UPDATE {} SET answer = ?1 WHERE id = ?2", table.name()))?
        .execute(params![answer.0, conn.last_insert_rowid()])?;
    Ok(Added { answer, is_new: true })
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

/// Whether a row may have become durable in spite of an error: the sync failed after the write, or nobody knows.
pub fn may_be_stored(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => match error.sqlite_error() {
            Some(error) => matches!(
                error.extended_code,
                ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC
            ),
            None => false,
        },
        StoreError::Ended => true,
        StoreError::File(..) | StoreError::Taken | StoreError::Slow => false,
    }
}
