//! One row at a time, read just before it is sent.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::error::{Context, DeviceError, Result, is_too_large};
use super::layout::{Layout, quoted};
use super::scalar::{COLUMN_BYTES, scalar, unsigned};
use crate::row::{Event, Scalar, Table};

/// Distinct values of a small column that are tried through its index before the row itself is read.
const DISTINCT_MOST: usize = 64;

/// `evenement` and `capteur` by their PRIMARY KEYs.
pub(super) fn event_sql(layout: &Layout) -> String {
    let columns = [
        &format!("e.{}", layout.event_date),
        "e.id_capteur",
        "c.nom_capteur",
        layout.event_state,
    ];
    format!(
        "SELECT {} FROM evenement e LEFT JOIN capteur c ON c.id_capteur = e.id_capteur WHERE e.id_evenement = ?1",
        columns.map(bounded).join(", ")
    )
}

/// By the PRIMARY KEY of `capteur`.
pub(super) fn sensor_name_sql() -> String {
    format!("SELECT {} FROM capteur WHERE id_capteur = ?1", bounded("nom_capteur"))
}

/// By the PRIMARY KEY of `media`, of a record without a large video.
pub(super) fn clip_columns_sql(layout: &Layout) -> String {
    let date = layout.media_date;
    format!("SELECT {date}, id_capteur, numero_camera FROM media WHERE id_media = ?1")
}

/// Whether an index has a value for an id: one seek, since its entries end in the rowid.
pub(super) fn holds_sql(index: &str, column: &str) -> String {
    let index = quoted(index);
    format!("SELECT 1 FROM media INDEXED BY {index} WHERE {column} = ?1 AND id_media = ?2")
}

/// The next distinct value of an index: one seek.
pub(super) fn next_value_sql(index: &str, column: &str) -> String {
    let index = quoted(index);
    format!("SELECT min({column}) FROM media INDEXED BY {index} WHERE {column} > ?1")
}

/// Reads an event; `None` when it is gone.
pub(super) fn event(conn: &Connection, path: &Path, layout: &Layout, id: i64) -> Result<Option<Event>> {
    let reading = "lecture d'un événement";
    let mut statement = conn.prepare_cached(&event_sql(layout)).context(path, reading)?;
    let mut rows = statement.query([id]).context(path, reading)?;
    let Some(row) = rows.next().context(path, reading)? else {
        return Ok(None);
    };
    let value = |place, name| {
        let value = small_value(row, place, Table::Event, id, name);
        value.context(path, reading)?
    };
    Ok(Some(Event {
        id,
        date: value(0, "date")?,
        sensor_id: value(1, "id_capteur")?,
        sensor_name: value(2, "nom_capteur")?,
        sensor_state: value(3, "etat_capteur")?,
    }))
}

/// A column and its length: one that is too long is not even read.
fn bounded(column: &str) -> String {
    format!("CASE WHEN octet_length({column}) <= {COLUMN_BYTES} THEN {column} END, octet_length({column})")
}

/// The value of a [`bounded`] column.
fn small_value(row: &Row, place: usize, table: Table, id: i64, name: &'static str) -> rusqlite::Result<Result<Scalar>> {
    let length: Option<i64> = row.get(2 * place + 1)?;
    let length = length.map_or(0, unsigned);
    if length > COLUMN_BYTES {
        return Ok(Err(DeviceError::too_long(name, length)));
    }
    told_scalar(row, 2 * place, table, id, name).map(Ok)
}

/// The small columns of a clip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClipColumns {
    pub date: Scalar,
    pub sensor_id: Scalar,
    pub camera: Scalar,
}

impl From<[Scalar; 3]> for ClipColumns {
    fn from([date, sensor_id, camera]: [Scalar; 3]) -> Self {
        Self {
            date,
            sensor_id,
            camera,
        }
    }
}

/// Reads the small columns of a clip from its row, which has no large video.
pub(super) fn clip_columns(conn: &Connection, layout: &Layout, id: i64) -> rusqlite::Result<ClipColumns> {
    conn.prepare_cached(&clip_columns_sql(layout))?.query_row([id], |row| {
        Ok(ClipColumns {
            date: told_scalar(row, 0, Table::Media, id, "date")?,
            sensor_id: told_scalar(row, 1, Table::Media, id, "id_capteur")?,
            camera: told_scalar(row, 2, Table::Media, id, "numero_camera")?,
        })
    })
}

/// Reads the small columns of a clip from the recorder's indexes, which hold no video: each index is asked
/// whether it has this row under a known date, a known sensor, a known camera. `None` when one does not say, or holds keys
/// that are too large to be compared.
pub(super) fn clip_columns_from_indexes(
    conn: &Connection,
    layout: &Layout,
    id: i64,
    date: Option<&Scalar>,
) -> rusqlite::Result<Option<ClipColumns>> {
    match search_indexes(conn, layout, id, date) {
        Err(error) if is_too_large(&error) => Ok(None),
        found => found,
    }
}

fn search_indexes(
    conn: &Connection,
    layout: &Layout,
    id: i64,
    date: Option<&Scalar>,
) -> rusqlite::Result<Option<ClipColumns>> {
    let indexes = &layout.media_indexes;
    let (Some(date), Some(date_index), Some(sensor_index), Some(camera_index)) =
        (date, &indexes.date, &indexes.sensor, &indexes.camera)
    else {
        return Ok(None);
    };
    if !holds(conn, date_index, layout.media_date, date, id)? {
        return Ok(None);
    }
    let sensor_id = value_in_index(conn, sensor_index, "id_capteur", id)?;
    let camera = value_in_index(conn, camera_index, "numero_camera", id)?;
    Ok(match (sensor_id, camera) {
        (Some(sensor_id), Some(camera)) => Some(ClipColumns {
            date: date.clone(),
            sensor_id,
            camera,
        }),
        _ => None,
    })
}

/// Whether the index has (`value`, `id`).
fn holds(conn: &Connection, index: &str, column: &str, value: &Scalar, id: i64) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(&holds_sql(index, column))?;
    match value {
        Scalar::Null => Ok(false),
        Scalar::Integer(number) => statement.exists((number, id)),
        Scalar::Real(number) => statement.exists((number, id)),
        Scalar::Text(text) => statement.exists((text, id)),
    }
}

/// The column's value for `id`, found by trying the few distinct values the index has.
fn value_in_index(conn: &Connection, index: &str, column: &str, id: i64) -> rusqlite::Result<Option<Scalar>> {
    let mut next = conn.prepare_cached(&next_value_sql(index, column))?;
    // Integers sort before text: any integer is greater than this start, a NULL is never found.
    let mut value = Scalar::Integer(i64::MIN);
    for _ in 0..DISTINCT_MOST {
        let read = |row: &Row| Ok(scalar(row.get_ref(0)?));
        value = match &value {
            Scalar::Integer(number) => next.query_row([number], read)?,
            Scalar::Real(number) => next.query_row([number], read)?,
            Scalar::Text(text) => next.query_row([text], read)?,
            Scalar::Null => return Ok(None),
        };
        if holds(conn, index, column, &value, id)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// The name of a sensor; NULL when it no longer exists.
pub(super) fn sensor_name(conn: &Connection, path: &Path, sensor_id: &Scalar, clip: i64) -> Result<Scalar> {
    let read = |row: &Row| small_value(row, 0, Table::Media, clip, "nom_capteur");
    let name = conn
        .prepare_cached(&sensor_name_sql())
        .and_then(|mut statement| match sensor_id {
            Scalar::Null => Ok(Ok(Scalar::Null)),
            Scalar::Integer(number) => statement.query_row([number], read),
            Scalar::Real(number) => statement.query_row([number], read),
            Scalar::Text(text) => statement.query_row([text], read),
        });
    let name = name.optional().context(path, "lecture d'un capteur")?;
    name.unwrap_or(Ok(Scalar::Null))
}

/// A column's value, with a word in the log when it had to be repaired to be sent.
fn told_scalar(row: &Row, column: usize, table: Table, id: i64, name: &str) -> rusqlite::Result<Scalar> {
    let value = row.get_ref(column)?;
    if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
        if std::str::from_utf8(bytes).is_err() {
            log::warn!("{table} {id}: {name} is not UTF-8, sent with replaced characters");
        }
    }
    Ok(scalar(value))
}
