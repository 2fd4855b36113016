//! One row at a time, read just before it is sent.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::layout::{Layout, quoted};
use super::scalar::scalar;
use crate::row::{Event, Scalar, Table};

/// Distinct values of a small column that are tried through its index before the row itself is read.
const DISTINCT_MOST: usize = 64;

/// Reads an event (`evenement` and `capteur` by their PRIMARY KEYs); `None` when it is gone.
pub(super) fn event(conn: &Connection, layout: &Layout, id: i64) -> rusqlite::Result<Option<Event>> {
    conn.prepare_cached(&format!(
        "SELECT e.{}, e.id_capteur, c.nom_capteur, {} FROM evenement e
         LEFT JOIN capteur c ON c.id_capteur = e.id_capteur WHERE e.id_evenement = ?1",
        layout.event_date, layout.event_state
    ))?
    .query_row([id], |row| {
        Ok(Event {
            id,
            date: told_scalar(row, 0, Table::Event, id, "date")?,
            sensor_id: told_scalar(row, 1, Table::Event, id, "id_capteur")?,
            sensor_name: told_scalar(row, 2, Table::Event, id, "nom_capteur")?,
            sensor_state: told_scalar(row, 3, Table::Event, id, "etat_capteur")?,
        })
    })
    .optional()
}

/// The small columns of a clip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClipColumns {
    pub date: Scalar,
    pub sensor_id: Scalar,
    pub camera: Scalar,
}

/// Reads the small columns of a clip from its row, which walks through the video when it comes first.
pub(super) fn clip_columns(conn: &Connection, layout: &Layout, id: i64) -> rusqlite::Result<ClipColumns> {
    conn.prepare_cached(&format!(
        "SELECT {}, id_capteur, numero_camera FROM media WHERE id_media = ?1",
        layout.media_date
    ))?
    .query_row([id], |row| {
        Ok(ClipColumns {
            date: told_scalar(row, 0, Table::Media, id, "date")?,
            sensor_id: told_scalar(row, 1, Table::Media, id, "id_capteur")?,
            camera: told_scalar(row, 2, Table::Media, id, "numero_camera")?,
        })
    })
}

/// Reads the small columns of a clip from the recorder's indexes, which hold no video: each index is asked
/// whether it has this row under a known date, a known sensor, a known camera. `None` when one does not say.
pub(super) fn clip_columns_from_indexes(
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

/// Whether the index has (`value`, `id`): one seek, since an index entry ends in the rowid.
fn holds(conn: &Connection, index: &str, column: &str, value: &Scalar, id: i64) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT 1 FROM media INDEXED BY {} WHERE {column} = ?1 AND id_media = ?2",
        quoted(index)
    ))?;
    match value {
        Scalar::Null => Ok(false),
        Scalar::Integer(number) => statement.exists((number, id)),
        Scalar::Real(number) => statement.exists((number, id)),
        Scalar::Text(text) => statement.exists((text, id)),
    }
}

/// The column's value for `id`, found by trying the few distinct values the index has, one seek each.
fn value_in_index(conn: &Connection, index: &str, column: &str, id: i64) -> rusqlite::Result<Option<Scalar>> {
    let mut next = conn.prepare_cached(&format!(
        "SELECT min({column}) FROM media INDEXED BY {} WHERE {column} > ?1",
        quoted(index)
    ))?;
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
pub(super) fn sensor_name(conn: &Connection, sensor_id: &Scalar, clip: i64) -> rusqlite::Result<Scalar> {
    let mut statement = conn.prepare_cached("SELECT nom_capteur FROM capteur WHERE id_capteur = ?1")?;
    let read = |row: &Row| told_scalar(row, 0, Table::Media, clip, "nom_capteur");
    let name = match sensor_id {
        Scalar::Null => return Ok(Scalar::Null),
        Scalar::Integer(number) => statement.query_row([number], read),
        Scalar::Real(number) => statement.query_row([number], read),
        Scalar::Text(text) => statement.query_row([text], read),
    };
    Ok(name.optional()?.unwrap_or(Scalar::Null))
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
