//! Unix time as the local time that people read: the one place that asks for the time zone.

use chrono::{DateTime, Local, NaiveDateTime};

/// Date and time as the reports show them.
pub(crate) const SECONDS: &str = "%Y-%m-%d %H:%M:%S";

/// The same to the minute.
pub(crate) const MINUTES: &str = "%Y-%m-%d %H:%M";

/// ISO 8601 to the second, for machines.
pub(crate) const ISO: &str = "%Y-%m-%dT%H:%M:%S";

/// ISO 8601 to the microsecond, as the recorder and `sync_tracking` write it.
pub(crate) const ISO_MICROS: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// The local time of a Unix time; `None` when it is too far away to have one.
#[must_use]
pub(crate) fn of(unix_s: i64) -> Option<NaiveDateTime> {
    // The zone is read anew each time, so that a change of zone shows without a restart.
    DateTime::from_timestamp(unix_s, 0).map(|time| time.with_timezone(&Local).naive_local())
}

/// A Unix time as local text; `?` when it is too far away to have one.
#[must_use]
pub(crate) fn text(unix_s: i64, format: &str) -> String {
    of(unix_s).map_or_else(|| "?".to_string(), |time| time.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_date_is_a_question_mark() {
        assert_eq!(text(i64::MAX, SECONDS), "?");
        assert_eq!(text(1_766_079_000, SECONDS).len(), "2025-12-18 17:30:00".len());
    }
}
