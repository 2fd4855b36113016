//! `SYNC_ALERT_COMMAND`: run once when the oldest waiting row gets too old, and once when that is over.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::notice::TableState;
use crate::row::Table;

/// A command that takes longer is ended: it must not keep the next pass waiting for ever.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Variables whose values the command does not need to see.
const SECRETS: [&str; 2] = ["BACKEND_TOKEN", "HEARTBEAT_URL"];

/// What the command is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whether a row waits for too long.
    pub raised: bool,
    /// The age of the oldest waiting row in seconds, 0 when none waits.
    pub oldest_age_s: i64,
    /// Its table, empty when none waits.
    pub table: &'static str,
    /// Rows that wait or failed, in both tables.
    pub waiting: u64,
}

/// Looks at the state and says what an alert would tell.
#[must_use]
pub fn facts(events: &TableState, media: &TableState, limit: Duration) -> Facts {
    let (oldest_age_s, table) = [(events, Table::Event), (media, Table::Media)]
        .into_iter()
        .filter_map(|(state, table)| Some((state.oldest_waiting.as_ref()?.age_seconds?, table.name())))
        .max()
        .unwrap_or((0, ""));
    Facts {
        raised: oldest_age_s.unsigned_abs() > limit.as_secs() && !table.is_empty(),
        oldest_age_s,
        table,
        waiting: events.waiting + events.failed + media.waiting + media.failed,
    }
}

/// Runs the command with the facts in its environment. What goes wrong is logged; the work goes on.
pub fn run(command: &str, device_id: &str, facts: &Facts, should_stop: &dyn Fn(Duration) -> bool) {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        // Standard output is the report's.
        .stdout(Stdio::null())
        .env("SYNC_ALERT_STATE", if facts.raised { "raised" } else { "recovered" })
        .env("SYNC_ALERT_TABLE", facts.table)
        .env("SYNC_ALERT_OLDEST_AGE_SECONDS", facts.oldest_age_s.to_string())
        .env("SYNC_ALERT_WAITING", facts.waiting.to_string())
        .env("SYNC_ALERT_DEVICE_ID", device_id);
    for secret in SECRETS {
        shell.env_remove(secret);
    }
    let mut child = match shell.spawn() {
        Ok(child) => child,
        Err(error) => {
            log::error!("SYNC_ALERT_COMMAND: {error}");
            return;
        }
    };
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => {
                log::error!("SYNC_ALERT_COMMAND ended with {status}");
                return;
            }
            Ok(None) if start.elapsed() < LIMIT && !should_stop(LOOK_EVERY) => {}
            Ok(None) => {
                log::error!("SYNC_ALERT_COMMAND was ended before it was done");
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            Err(error) => {
                log::error!("SYNC_ALERT_COMMAND: {error}");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::WaitingRow;
    use crate::row::Scalar;

    fn state(age_seconds: Option<i64>) -> TableState {
        TableState {
            waiting: 1,
            done: 0,
            failed: 2,
            vanished: 0,
            oldest_waiting: age_seconds.map(|age| WaitingRow {
                id: 1,
                date: Scalar::Null,
                age_seconds: Some(age),
            }),
            last_success: None,
        }
    }

    #[test]
    fn the_oldest_row_of_both_tables_counts() {
        let limit = Duration::from_secs(60);
        for (events, media, raised, table) in [
            (None, None, false, ""),
            (Some(60), Some(10), false, "evenement"),
            (Some(61), Some(10), true, "evenement"),
            (Some(1), Some(3_600), true, "media"),
        ] {
            let facts = facts(&state(events), &state(media), limit);
            assert_eq!((facts.raised, facts.table), (raised, table));
            assert_eq!(facts.waiting, 6);
        }
    }
}
