//! `SYNC_MAX_RATE_KBPS`: one rate, or rates by time of day and week, written as rclone's `--bwlimit` has them.
//!
//! Times are local wall-clock times, looked up anew for each piece that leaves: a clock that jumps or changes its zone
//! changes which rate holds, and nothing else.

use std::str::FromStr;

use chrono::{Datelike, Duration, NaiveDateTime, NaiveTime, Timelike};

const DAY_MIN: u16 = 24 * 60;
const WEEK_MIN: u16 = 7 * DAY_MIN;

/// The highest rate that can be written.
const MOST_KBPS: u64 = 10_000_000;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// What holds at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    /// As fast as it goes.
    Unlimited,
    /// So many kilobytes (1000 bytes) a second.
    Kbps(u64),
    /// Events go, clips wait.
    EventsOnly,
}

/// What holds, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InForce {
    /// The rate.
    pub rate: Rate,
    /// The local time at which another one holds; `None` when there is no other.
    pub until: Option<NaiveDateTime>,
}

/// Rates over the week; at least one is no [`Rate::EventsOnly`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timetable {
    /// As it was written.
    text: String,
    /// Minutes of the week from Monday on, in order, each with the rate that holds from there on.
    changes: Vec<(u16, Rate)>,
}

impl Default for Timetable {
    /// No limit.
    fn default() -> Self {
        Self {
            text: "off".to_string(),
            changes: vec![(0, Rate::Unlimited)],
        }
    }
}

impl Timetable {
    /// As it was written.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What holds at a local time.
    #[must_use]
    pub(crate) fn in_force(&self, at: NaiveDateTime) -> InForce {
        let day = u16::try_from(at.weekday().num_days_from_monday()).unwrap_or(0);
        let time = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
        let now = day * DAY_MIN + time;
        let count = self.changes.len();
        // Before the week's first change, the last one of the week before holds.
        let holds = (self.changes.partition_point(|(minute, _)| *minute <= now) + count - 1) % count;
        let rate = self.changes[holds].1;
        let next = (1..count)
            .map(|step| self.changes[(holds + step) % count])
            .find(|(_, other)| *other != rate);
        InForce {
            rate,
            until: next.map(|(minute, _)| {
                let wait_min = (minute + WEEK_MIN - now - 1) % WEEK_MIN + 1;
                let this_minute =
                    at - Duration::seconds(at.second().into()) - Duration::nanoseconds(at.nanosecond().into());
                this_minute + Duration::minutes(wait_min.into())
            }),
        }
    }
}

/// Why a text is no timetable, in French.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimetableError(String);

impl std::fmt::Display for TimetableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Timetable {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let changes = if text.contains(',') {
            week(&text)?
        } else {
            vec![(0, rate(&text)?)]
        };
        if changes.iter().all(|(_, rate)| *rate == Rate::EventsOnly) {
            let never = "avec 0 partout, les vidéos ne partiraient jamais";
            return Err(TimetableError(never.to_string()));
        }
        Ok(Self { text, changes })
    }
}

/// The changes of a week. One that names its day goes before one of every day at the same time.
fn week(text: &str) -> Result<Vec<(u16, Rate)>, TimetableError> {
    let (mut daily, mut changes) = (Vec::new(), Vec::new());
    for entry in text.split(' ') {
        let wrong = || TimetableError(format!("« {entry} » n'est pas de la forme 07:00,50 ou Mon-07:00,50"));
        let (when, value) = entry.split_once(',').ok_or_else(wrong)?;
        let (weekday, time) = match when.split_once('-') {
            Some((name, time)) => (Some(day(name).ok_or_else(wrong)?), time),
            None => (None, when),
        };
        let time = minute_of_day(time).ok_or_else(wrong)?;
        let (changes, minute) = match weekday {
            Some(weekday) => (&mut changes, weekday * DAY_MIN + time),
            None => (&mut daily, time),
        };
        if changes.iter().any(|(other, _)| *other == minute) {
            return Err(TimetableError(format!("« {when} » y est deux fois")));
        }
        changes.push((minute, rate(value)?));
    }
    for day in 0..7 {
        for (time, rate) in &daily {
            let minute = day * DAY_MIN + time;
            if changes.iter().all(|(other, _)| *other != minute) {
                changes.push((minute, *rate));
            }
        }
    }
    changes.sort_by_key(|(minute, _)| *minute);
    Ok(changes)
}

fn rate(text: &str) -> Result<Rate, TimetableError> {
    // Digits only: "+5" and "-0" are more likely slips than wishes.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        _ if text.eq_ignore_ascii_case("off") => Ok(Rate::Unlimited),
        Ok(0) if digits => Ok(Rate::EventsOnly),
        Ok(kbps @ 1..=MOST_KBPS) if digits => Ok(Rate::Kbps(kbps)),
        _ => Err(TimetableError(format!("« {text} » n'est pas un débit"))),
    }
}

/// The day of an English name, whole or its first three letters, from Monday on.
fn day(name: &str) -> Option<u16> {
    let name = name.to_ascii_lowercase();
    let found = DAYS.iter().position(|day| *day == name || day[..3] == name)?;
    u16::try_from(found).ok()
}

/// The minute of `HH:MM`.
fn minute_of_day(text: &str) -> Option<u16> {
    let time = NaiveTime::parse_from_str(text, "%H:%M")
        .ok()
        .filter(|_| text.len() <= 5)?;
    u16::try_from(time.hour() * 60 + time.minute()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Timetable {
        text.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    /// Checks what holds at local times, and until when.
    fn check(text: &str, expected: &[(&str, Rate, Option<&str>)]) {
        for (at, rate, until) in expected {
            let until = until.map(local);
            assert_eq!(
                table(text).in_force(local(at)),
                InForce { rate: *rate, until },
                "{text} at {at}"
            );
        }
    }

    #[test]
    fn one_rate_holds_always() {
        check("50", &[("2025-12-18 17:30:00", Rate::Kbps(50), None)]);
        check(" off ", &[("2025-12-18 17:30:00", Rate::Unlimited, None)]);
        check("07:00,50 19:00,50", &[("2025-12-18 17:30:00", Rate::Kbps(50), None)]);
    }

    #[test]
    fn rates_by_time_of_day_hold_until_the_next() {
        // A Thursday.
        check(
            "07:00,50 19:00,400 23:30,off",
            &[
                ("2025-12-18 00:00:00", Rate::Unlimited, Some("2025-12-18 07:00:00")),
                ("2025-12-18 06:59:59", Rate::Unlimited, Some("2025-12-18 07:00:00")),
                ("2025-12-18 07:00:00", Rate::Kbps(50), Some("2025-12-18 19:00:00")),
                ("2025-12-18 18:59:30", Rate::Kbps(50), Some("2025-12-18 19:00:00")),
                ("2025-12-18 19:00:00", Rate::Kbps(400), Some("2025-12-18 23:30:00")),
                ("2025-12-18 23:59:59", Rate::Unlimited, Some("2025-12-19 07:00:00")),
                // Over the end of a week, and of a year.
                ("2025-12-21 23:45:00", Rate::Unlimited, Some("2025-12-22 07:00:00")),
                ("2025-12-31 23:45:00", Rate::Unlimited, Some("2026-01-01 07:00:00")),
            ],
        );
        // The order in which they are written does not matter, nor how many spaces are between.
        check(
            "19:00,0  7:00,50",
            &[("2025-12-18 20:00:00", Rate::EventsOnly, Some("2025-12-19 07:00:00"))],
        );
    }

    #[test]
    fn rates_by_day_hold_over_the_days_between() {
        check(
            "Mon-00:00,512 Sat-08:00,off",
            &[
                ("2025-12-15 00:00:00", Rate::Kbps(512), Some("2025-12-20 08:00:00")),
                ("2025-12-20 07:59:00", Rate::Kbps(512), Some("2025-12-20 08:00:00")),
                ("2025-12-21 12:00:00", Rate::Unlimited, Some("2025-12-22 00:00:00")),
            ],
        );
        // Sunday's goes before every day's; from the next change on, every day's holds again.
        check(
            "07:00,50 22:00,off sunday-07:00,0",
            &[
                ("2025-12-20 07:00:00", Rate::Kbps(50), Some("2025-12-20 22:00:00")),
                ("2025-12-21 07:00:00", Rate::EventsOnly, Some("2025-12-21 22:00:00")),
                ("2025-12-21 22:00:00", Rate::Unlimited, Some("2025-12-22 07:00:00")),
            ],
        );
        // One change in the week, which holds since last week.
        check("Wed-12:00,7", &[("2025-12-16 12:00:00", Rate::Kbps(7), None)]);
    }

    #[test]
    fn whatever_the_clock_says_something_holds_and_ends_within_a_week() {
        let table = table("07:00,50 19:00,0 Sat-12:15,off");
        let mut at = local("1969-12-30 23:59:59");
        for _ in 0..30_000 {
            let in_force = table.in_force(at);
            let until = in_force.until.unwrap();
            assert!(until > at && until - at <= Duration::days(7), "{at} {until}");
            assert_ne!(table.in_force(until).rate, in_force.rate, "{until}");
            assert_eq!(
                table.in_force(until - Duration::seconds(1)).rate,
                in_force.rate,
                "{until}"
            );
            at += Duration::seconds(86_399 / 7);
        }
    }

    #[test]
    fn what_is_no_timetable_is_named() {
        for (text, named) in [
            ("fast", "« fast »"),
            ("-1", "« -1 »"),
            ("+5", "« +5 »"),
            ("1.5", "« 1.5 »"),
            ("10000001", "« 10000001 »"),
            ("", "«  »"),
            ("0", "jamais"),
            ("07:00,0 19:00,0", "jamais"),
            ("07:00,50 19:00", "« 19:00 »"),
            ("24:00,50", "« 24:00,50 »"),
            ("7,50 8:00,1", "« 7,50 »"),
            ("07:00:30,50", "« 07:00:30,50 »"),
            ("lun-07:00,50", "« lun-07:00,50 »"),
            ("Mon-Fri-07:00,50", "« Mon-Fri-07:00,50 »"),
            ("07:00,50k", "« 50k »"),
            ("07:00,", "«  »"),
            ("07:00,50 07:00,60", "« 07:00 » y est deux fois"),
            ("Mon-07:00,50 monday-07:00,60", "y est deux fois"),
        ] {
            let error = text.parse::<Timetable>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
