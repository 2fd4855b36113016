//! When a server wishes to be asked again.

use std::time::{Duration, SystemTime};

/// `Retry-After` (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// So long from now.
    Delay(Duration),
    /// At this time, by the server's clock.
    At(SystemTime),
}

impl RetryAfter {
    /// Reads the header: seconds, or a date.
    #[must_use]
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(RetryAfter::Delay(Duration::from_secs(seconds)));
        }
        httpdate::parse_http_date(value).ok().map(RetryAfter::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_comes_as_seconds_or_as_a_date() {
        assert_eq!(
            RetryAfter::parse(" 120 "),
            Some(RetryAfter::Delay(Duration::from_secs(120)))
        );
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(RetryAfter::parse(form), Some(RetryAfter::At(date)), "{form}");
        }
        for nonsense in ["", "-1", "soon", "1.5"] {
            assert_eq!(RetryAfter::parse(nonsense), None, "{nonsense}");
        }
    }
}
