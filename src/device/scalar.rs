//! Values of a row as plain Rust.

use chrono::NaiveDateTime;
use rusqlite::types::ValueRef;

use crate::local_time;
use crate::row::Scalar;

/// The longest small column that is sent. A longer one is no date, name or number: its row is refused.
pub(super) const COLUMN_BYTES: u64 = 64 << 10;

/// A value as it is sent. Text that is not UTF-8 is repaired here; who sends it says so.
pub(super) fn scalar(value: ValueRef) -> Scalar {
    match value {
        ValueRef::Null => Scalar::Null,
        ValueRef::Integer(number) => Scalar::Integer(number),
        ValueRef::Real(number) => Scalar::Real(number),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Scalar::Text(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// The moment that a recorder's date tells: local ISO 8601, or a Unix timestamp. `None` of anything else.
pub(super) fn moment(date: &Scalar) -> Option<NaiveDateTime> {
    match date {
        Scalar::Text(text) => ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()),
        #[allow(clippy::cast_possible_truncation)] // whole seconds do
        Scalar::Real(seconds) => local_time::of(*seconds as i64),
        Scalar::Integer(seconds) => local_time::of(*seconds),
        Scalar::Null => None,
    }
}

/// A `count(*)` is never negative.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// SQL for as much of a column as rows are ordered by: of a longer text its start, of one that is out of all proportion
/// nothing, and none of it is read for that.
pub(super) fn order_key(column: &str) -> String {
    format!(
        "CASE WHEN octet_length({column}) <= 64 THEN {column} WHEN octet_length({column}) <= 65536 THEN substr({column}, 1, 64) END"
    )
}
