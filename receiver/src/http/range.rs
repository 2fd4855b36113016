//! `Range` of a request, as RFC 9110 reads it: one range of bytes.

use std::ops::Range;

/// What of a body is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, or one that is not understood, or several.
    Whole,
    /// These bytes, never none.
    Part(Range<u64>),
    /// No byte of it: 416.
    Nothing,
}

/// Reads the header's value for a body of `length` bytes.
pub(super) fn wanted(value: Option<&str>, length: u64) -> Wanted {
    let Some(spec) = value.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Whole;
    };
    // Digits alone: no sign, no second range. A number beyond 2⁶⁴ is beyond every clip.
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Wanted::Whole;
    }
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    match (first, last) {
        ("", "") => Wanted::Whole,
        // The last so many bytes: all where there are fewer.
        ("", count) => part(length.saturating_sub(number(count))..length),
        (first, "") => part(number(first)..length),
        (first, last) if number(first) > number(last) => Wanted::Whole,
        (first, last) => part(number(first)..number(last).saturating_add(1).min(length)),
    }
}

fn part(range: Range<u64>) -> Wanted {
    if range.is_empty() {
        Wanted::Nothing
    } else {
        Wanted::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        let of = |value: &str| wanted(Some(value), 1000);
        assert_eq!(of("bytes=0-1"), Wanted::Part(0..2));
        assert_eq!(of("bytes=500-"), Wanted::Part(500..1000));
        assert_eq!(of("bytes=999-5000"), Wanted::Part(999..1000));
        assert_eq!(of("bytes=-100"), Wanted::Part(900..1000));
        assert_eq!(of("bytes=-5000"), Wanted::Part(0..1000));
        assert_eq!(of("bytes=0-18446744073709551615"), Wanted::Part(0..1000));
        assert_eq!(of("bytes=0-99999999999999999999"), Wanted::Part(0..1000));
        for nothing in [
            "bytes=1000-",
            "bytes=1000-1001",
            "bytes=-0",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(of(nothing), Wanted::Nothing, "{nothing}");
        }
        for whole in [
            "bytes=2-1",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=a-b",
            "bytes=",
            "bytes=-",
            "bytes=+1-2",
            "0-1",
        ] {
            assert_eq!(of(whole), Wanted::Whole, "{whole}");
        }
        assert_eq!(wanted(None, 1000), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
