//! How a device is, from what it said and when: one function for the page and for whoever else asks.

use sync_protocol::status::DISK_LOW_PERCENT;

/// What is known of a device. What it did not say is not guessed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Facts {
    /// When anything last came from it, in seconds since 1970.
    pub(crate) last_sign_s: Option<i64>,
    /// Seconds between its passes, of a device that says so: then it also speaks when it has nothing to send.
    pub(crate) interval_s: Option<i64>,
    /// Seconds that its oldest row has waited.
    pub(crate) oldest_waiting_s: Option<i64>,
    pub(crate) disk_free_percent: Option<f64>,
    pub(crate) clock_off_s: Option<i64>,
}

/// A state, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Silent,
    DiskLow,
    Backlog,
    ClockOff,
    Late,
    New,
    Ok,
}

/// All of them, worst first.
pub(crate) const STATES: [State; 7] = [
    State::Silent,
    State::DiskLow,
    State::Backlog,
    State::ClockOff,
    State::Late,
    State::New,
    State::Ok,
];

/// No sign for this many intervals, and for this long at least, is silence.
const SILENT_INTERVALS: i64 = 3;
const SILENT_LEAST_S: i64 = 600;

/// A device that sends rows and says nothing of itself may have nothing to send: only after a day is that silence.
const SILENT_UNKNOWN_S: i64 = 86_400;

const BACKLOG_S: i64 = 3600;
const CLOCK_OFF_S: i64 = 60;
const LATE_S: i64 = 30;

impl State {
    /// Its name in answers.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::DiskLow => "disk_low",
            Self::Backlog => "backlog",
            Self::ClockOff => "clock_off",
            Self::Late => "late",
            Self::New => "new",
            Self::Ok => "ok",
        }
    }

    /// The state of that name.
    #[must_use]
    pub(crate) fn of(name: &str) -> Option<Self> {
        STATES.into_iter().find(|state| state.name() == name)
    }

    /// Its place in the order, 0 for the worst.
    #[must_use]
    pub(crate) fn rank(self) -> usize {
        STATES.iter().position(|state| *state == self).unwrap_or(STATES.len())
    }
}

/// What holds now, worst first; never nothing.
#[must_use]
pub(crate) fn states(facts: &Facts, now_s: i64) -> Vec<State> {
    let Some(last_sign_s) = facts.last_sign_s else {
        return vec![State::New];
    };
    let age_s = now_s - last_sign_s;
    let silent_s = facts.interval_s.map_or(SILENT_UNKNOWN_S, |interval| {
        interval.saturating_mul(SILENT_INTERVALS).max(SILENT_LEAST_S)
    });
    let silent = age_s > silent_s;
    let late = facts
        .interval_s
        .is_some_and(|interval| age_s > interval.saturating_add(LATE_S));
    let held = [
        (silent, State::Silent),
        (
            facts
                .disk_free_percent
                .is_some_and(|free| free < f64::from(DISK_LOW_PERCENT)),
            State::DiskLow,
        ),
        (
            facts.oldest_waiting_s.is_some_and(|waited| waited > BACKLOG_S),
            State::Backlog,
        ),
        (
            facts
                .clock_off_s
                .is_some_and(|off| off.unsigned_abs() > CLOCK_OFF_S.unsigned_abs()),
            State::ClockOff,
        ),
        (late && !silent, State::Late),
    ];
    let mut states: Vec<State> = held
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, state)| state)
        .collect();
    if states.is_empty() {
        states.push(State::Ok);
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_begins_where_it_is_said_to() {
        let now = 1_000_000;
        let fine = Facts {
            last_sign_s: Some(now - 330),
            interval_s: Some(300),
            oldest_waiting_s: Some(3600),
            disk_free_percent: Some(10.0),
            clock_off_s: Some(-60),
        };
        assert_eq!(states(&fine, now), [State::Ok]);
        assert_eq!(states(&fine, now + 1), [State::Late]);
        assert_eq!(states(&fine, now + 570), [State::Late]);
        assert_eq!(states(&fine, now + 571), [State::Silent]);
        let short = Facts {
            interval_s: Some(60),
            last_sign_s: Some(now - 600),
            ..fine.clone()
        };
        assert_eq!(states(&short, now), [State::Late]);
        assert_eq!(states(&short, now + 1), [State::Silent]);
        let bad = Facts {
            oldest_waiting_s: Some(3601),
            disk_free_percent: Some(9.9),
            clock_off_s: Some(i64::MIN),
            ..fine
        };
        assert_eq!(states(&bad, now), [State::DiskLow, State::Backlog, State::ClockOff]);
        assert_eq!(states(&Facts::default(), now), [State::New]);
    }

    #[test]
    fn a_device_that_says_nothing_of_itself_is_silent_after_a_day() {
        let facts = Facts {
            last_sign_s: Some(0),
            ..Facts::default()
        };
        assert_eq!(states(&facts, 86_400), [State::Ok]);
        assert_eq!(states(&facts, 86_401), [State::Silent]);
    }

    #[test]
    fn names_and_ranks_fit() {
        for (rank, state) in STATES.into_iter().enumerate() {
            assert_eq!((State::of(state.name()), state.rank()), (Some(state), rank));
        }
    }
}
