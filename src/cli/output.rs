//! Standard output of the commands: a reader that goes away early (`| head`) is no error.

use std::io::Write;

use crate::local_time;
use crate::text::harmless;

/// Prints text, made harmless whatever it came from; what a closed pipe does not take is dropped.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush()) {
        log::debug!("standard output: {error}");
    }
}

/// A duration in seconds as people say it: the two largest units that matter.
pub(super) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} j {hours} h"),
    }
}

/// Bytes as people say them, in decimal units.
pub(super) fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let count_f = count as f64;
    match count {
        0..1_000 => format!("{count} octets"),
        1_000..1_000_000 => format!("{:.1} ko", count_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} Mo", count_f / 1e6),
        _ => format!("{:.1} Go", count_f / 1e9),
    }
}

/// A Unix time as local time.
pub(super) fn local(unix_s: i64) -> String {
    local_time::text(unix_s, local_time::SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (-5, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 j 1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
