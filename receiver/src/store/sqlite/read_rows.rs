//! A statement's columns as plain values.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::record::Scalar;
use crate::store::reading::{ClipRow, DeviceRow, EventRow};

/// Characters of a text that are read: a name is free, and may have a million.
const TEXT_MOST: usize = 1000;

fn text(bytes: &[u8]) -> String {
    // No character has more than four bytes.
    let start = bytes.get(..4 * TEXT_MOST).unwrap_or(bytes);
    String::from_utf8_lossy(start).chars().take(TEXT_MOST).collect()
}

fn scalar(row: &Row<'_>, index: usize) -> rusqlite::Result<Scalar> {
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Scalar::Null,
        ValueRef::Integer(integer) => Scalar::Integer(integer),
        ValueRef::Real(real) => Scalar::Real(real),
        ValueRef::Text(found) | ValueRef::Blob(found) => Scalar::Text(text(found)),
    })
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(0)?,
        date: scalar(row, 1)?,
        sensor_id: scalar(row, 2)?,
        sensor_name: scalar(row, 3)?,
        sensor_state: scalar(row, 4)?,
        device_id: text(row.get_ref(5)?.as_bytes()?),
        received_at: row.get(6)?,
        moment: row.get(7)?,
    })
}

pub(super) fn clip(row: &Row<'_>) -> rusqlite::Result<ClipRow> {
    Ok(ClipRow {
        id: row.get(0)?,
        date: scalar(row, 1)?,
        sensor_id: scalar(row, 2)?,
        sensor_name: scalar(row, 3)?,
        camera: scalar(row, 4)?,
        device_id: text(row.get_ref(5)?.as_bytes()?),
        received_at: row.get(6)?,
        moment: row.get(7)?,
        size_bytes: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
        sha256: row.get(9)?,
        pinned: row.get(10)?,
        file: row.get(11)?,
    })
}

pub(super) fn device(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        device_id: text(row.get_ref(0)?.as_bytes()?),
        row_at_s: row.get(1)?,
        status_at_s: row.get(2)?,
        status: row.get(3)?,
        clock_ahead_ms: row.get(4)?,
    })
}
