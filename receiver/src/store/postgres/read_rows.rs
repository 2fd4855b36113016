//! A statement's columns as plain values.

use tokio_postgres::{Error, Row};

use super::scalar::from_json;
use crate::record::Scalar;
use crate::store::reading::{ClipRow, DeviceRow, EventRow};

/// Characters of a text that are read: a name is free, and may have a million.
const TEXT_MOST: usize = 1000;

/// Longest end of a JSON text that means nothing without what follows it.
const BROKEN_MOST: usize = 12;

fn text(found: &str) -> String {
    found.chars().take(TEXT_MOST).collect()
}

/// A value whose JSON may have been cut.
fn scalar(json: Option<&str>) -> Scalar {
    let Some(json) = json else { return Scalar::Null };
    if !json.starts_with('"') {
        return from_json(Some(json));
    }
    let whole = serde_json::from_str::<String>(json);
    let ends = json.char_indices().rev().map(|(at, _)| at);
    let ends = std::iter::once(json.len()).chain(ends).take(BROKEN_MOST);
    let mut begun = ends.filter_map(|end| serde_json::from_str(&format!("{}\"", json.get(..end)?)).ok());
    Scalar::Text(text(&whole.ok().or_else(|| begun.next()).unwrap_or_default()))
}

fn size(row: &Row, index: usize) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<_, i64>(index)?).unwrap_or(0))
}

/// An event whose columns begin at `first`.
pub(super) fn event(row: &Row, first: usize) -> Result<EventRow, Error> {
    let value = |index| row.try_get::<_, Option<&str>>(first + index).map(scalar);
    Ok(EventRow {
        id: row.try_get(first)?,
        date: value(1)?,
        sensor_id: value(2)?,
        sensor_name: value(3)?,
        sensor_state: value(4)?,
        device_id: text(row.try_get(first + 5)?),
        received_at: row.try_get(first + 6)?,
        moment: row.try_get(first + 7)?,
    })
}

/// A clip whose columns begin at `first`.
pub(super) fn clip(row: &Row, first: usize) -> Result<ClipRow, Error> {
    let value = |index| row.try_get::<_, Option<&str>>(first + index).map(scalar);
    Ok(ClipRow {
        id: row.try_get(first)?,
        date: value(1)?,
        sensor_id: value(2)?,
        sensor_name: value(3)?,
        camera: value(4)?,
        device_id: text(row.try_get(first + 5)?),
        received_at: row.try_get(first + 6)?,
        moment: row.try_get(first + 7)?,
        size_bytes: size(row, first + 8)?,
        sha256: row.try_get(first + 9)?,
        pinned: row.try_get(first + 10)?,
        file: row.try_get(first + 11)?,
    })
}

pub(super) fn device(row: &Row) -> Result<DeviceRow, Error> {
    Ok(DeviceRow {
        device_id: text(row.try_get(0)?),
        row_at_s: row.try_get(1)?,
        status_at_s: row.try_get(2)?,
        status: row.try_get(3)?,
        clock_ahead_ms: row.try_get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_cut_is_read_as_far_as_it_goes() {
        for (json, wanted) in [
            ("\"abc", "abc"),
            ("\"abc\"", "abc"),
            ("\"abc\\", "abc"),
            ("\"abc\\u00", "abc"),
            ("\"é\\\"", "é\""),
            ("\"", ""),
            ("\"\"", ""),
        ] {
            assert_eq!(scalar(Some(json)), Scalar::Text(wanted.to_string()), "{json}");
        }
        let long = format!("\"{}\"", "é".repeat(5000));
        assert_eq!(scalar(Some(&long)), Scalar::Text("é".repeat(1000)));
        assert_eq!(scalar(Some("12")), Scalar::Integer(12));
        assert_eq!(scalar(None), Scalar::Null);
    }
}
