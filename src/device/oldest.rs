//! The row that waits longest, and since when.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::error::{Context, Result};
use super::layout::Layout;
use super::scalar::{moment, order_key, scalar};
use crate::notice::WaitingRow;
use crate::row::{Scalar, Table};

/// The row with the lowest waiting id, with its age. `clip_date` finds the date of a clip, as far as it may read for it;
/// one that is not found is shown as unknown.
pub(super) fn waiting(
    conn: &Connection,
    path: &Path,
    layout: &Layout,
    table: Table,
    first: Option<i64>,
    now: chrono::NaiveDateTime,
    clip_date: impl FnOnce(i64) -> Result<Option<Scalar>>,
) -> Result<Option<WaitingRow>> {
    let Some(id) = first else { return Ok(None) };
    let known = conn
        .prepare_cached(&known(table, layout))
        .and_then(|mut statement| statement.query_row([id], |row| Ok(scalar(row.get_ref(0)?))))
        .optional()
        .context(path, "lecture de l'état")?;
    let Some(known) = known else { return Ok(None) };
    let date = match table {
        Table::Event => known,
        Table::Media => clip_date(id)?.unwrap_or(Scalar::Null),
    };
    Ok(Some(WaitingRow {
        id,
        age_seconds: age(&date, now),
        date,
    }))
}

/// By the recorder's PRIMARY KEY: the date of an event; of a clip, whether it is there.
pub(super) fn known(table: Table, layout: &Layout) -> String {
    let date = match table {
        Table::Event => order_key(layout.event_date),
        Table::Media => "NULL".to_string(),
    };
    format!("SELECT {date} FROM {table} WHERE {} = ?1", table.id_column())
}

/// Seconds from a recorder's date (local ISO 8601, or a Unix timestamp) to `now`; a date to come is no age.
fn age(date: &Scalar, now: chrono::NaiveDateTime) -> Option<i64> {
    let date = moment(date)?;
    Some((now - date).num_seconds().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_from_the_recorders_dates() {
        let now = chrono::NaiveDate::from_ymd_opt(2025, 12, 18)
            .unwrap()
            .and_hms_opt(17, 30, 0)
            .unwrap();
        for (date, expected) in [
            (Scalar::Text("2025-12-18T17:29:00.500000".into()), Some(59)),
            (Scalar::Text("2025-12-18T17:29:00".into()), Some(60)),
            (Scalar::Text("2025-12-17 17:30:00".into()), Some(86_400)),
            (Scalar::Text("2031-01-01T00:00:00".into()), Some(0)),
            (Scalar::Text("yesterday".into()), None),
            (Scalar::Null, None),
        ] {
            assert_eq!(age(&date, now), expected, "{date:?}");
        }
    }
}
