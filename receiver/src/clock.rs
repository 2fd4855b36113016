//! The time of day, asked for in this one place.

use std::time::UNIX_EPOCH;

/// Milliseconds since 1970, UTC.
#[expect(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
