//! `SYNC_ALERT_COMMAND`: run when the oldest waiting row gets too old, and when that is over; until it succeeds.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::notice::TableState;
use crate::row::Table;
use crate::shutdown::Shutdown;

/// A command that takes longer is ended: the next state could not be told.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a failure leads to.
const AGAIN: &str = "it is tried again after the next pass";

/// Variables whose values the command does not need to see.
const SECRETS: [&str; 2] = ["BACKEND_TOKEN", "HEARTBEAT_URL"];

/// What the command is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Whether a row waits for too long.
    pub raised: bool,
    /// The age of the oldest waiting row in seconds, 0 when none waits.
    pub oldest_age_s: i64,
    /// Its table, empty when none waits.
    pub table: &'static str,
    /// Rows that wait or failed, in both tables.
    pub waiting: u64,
}

fn facts(events: &TableState, media: &TableState, limit: Duration) -> Facts {
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

/// The command, and the one run of it that may be under way.
pub(crate) struct Alert {
    command: String,
    device_id: String,
    limit: Duration,
    shutdown: Arc<Shutdown>,
    under_way: Option<Started>,
}

struct Started {
    /// What it was told.
    raised: bool,
    group: Arc<Group>,
    /// Whether the command succeeded.
    outcome: Receiver<bool>,
}

impl Alert {
    /// An alert by `command` when a row waits for longer than `limit`; a run of it ends when `shutdown` is requested.
    #[must_use]
    pub(crate) fn new(command: String, device_id: String, limit: Duration, shutdown: Arc<Shutdown>) -> Self {
        Self {
            command,
            device_id,
            limit,
            shutdown,
            under_way: None,
        }
    }

    /// What it would tell of this state.
    #[must_use]
    pub(crate) fn facts(&self, events: &TableState, media: &TableState) -> Facts {
        facts(events, media, self.limit)
    }

    /// Whether a run is under way or its outcome not yet taken.
    #[must_use]
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Starts the command with the facts in its environment, unless one is under way. What goes wrong is logged.
    pub(crate) fn start(&mut self, facts: &Facts) {
        if self.is_under_way() {
            return;
        }
        match self.try_start(facts) {
            Ok(started) => self.under_way = Some(started),
            Err(error) => log::error!("SYNC_ALERT_COMMAND: {error}; {AGAIN}"),
        }
    }

    fn try_start(&self, facts: &Facts) -> std::io::Result<Started> {
        let group = Arc::new(Group::spawn(&mut self.shell(facts))?);
        let (sender, outcome) = mpsc::channel();
        let (watched, shutdown) = (Arc::clone(&group), Arc::clone(&self.shutdown));
        let watcher = thread::Builder::new().name("alert".into()).spawn(move || {
            // Nobody listens any more when the service ends meanwhile.
            let _ = sender.send(watch(&watched, &shutdown));
        });
        if let Err(error) = watcher {
            group.end();
            return Err(error);
        }
        Ok(Started {
            raised: facts.raised,
            group,
            outcome,
        })
    }

    fn shell(&self, facts: &Facts) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &self.command])
            // What it starts ends with it.
            .process_group(0)
            .stdin(Stdio::null())
            // Standard output is the report's.
            .stdout(Stdio::null())
            .env("SYNC_ALERT_STATE", if facts.raised { "raised" } else { "recovered" })
            .env("SYNC_ALERT_TABLE", facts.table)
            .env("SYNC_ALERT_OLDEST_AGE_SECONDS", facts.oldest_age_s.to_string())
            .env("SYNC_ALERT_WAITING", facts.waiting.to_string())
            .env("SYNC_ALERT_DEVICE_ID", &self.device_id);
        for secret in SECRETS {
            shell.env_remove(secret);
        }
        shell
    }

    /// What the command was told when it ended well since the last look: `true` for raised.
    pub(crate) fn told(&mut self) -> Option<bool> {
        let started = self.under_way.as_ref()?;
        let (raised, outcome) = (started.raised, started.outcome.try_recv());
        match outcome {
            Err(TryRecvError::Empty) => None,
            Ok(true) => {
                self.under_way = None;
                Some(raised)
            }
            Ok(false) | Err(TryRecvError::Disconnected) => {
                self.under_way = None;
                None
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.group.end();
    }
}

/// A shell and all it started.
struct Group(Mutex<Child>);

impl Group {
    fn spawn(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(|child| Self(Mutex::new(child)))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it, unless its shell has ended: then its number may be another's.
    fn end(&self) {
        let mut child = self.child();
        if let Ok(None) = child.try_wait() {
            if let Err(error) = kill_process_group(Pid::from_child(&child), Signal::KILL) {
                log::debug!("SYNC_ALERT_COMMAND: {error}");
            }
            let _ = child.wait();
        }
    }
}

/// Waits for the end of the command, ends it when it takes too long; whether it succeeded.
fn watch(group: &Group, shutdown: &Shutdown) -> bool {
    let start = Instant::now();
    loop {
        let ended = group.child().try_wait();
        match ended {
            Ok(Some(status)) if status.success() => return true,
            Ok(Some(status)) => {
                log::error!("SYNC_ALERT_COMMAND ended with {status}; {AGAIN}");
                return false;
            }
            Ok(None) if start.elapsed() < LIMIT && !shutdown.wait(LOOK_EVERY) => {}
            Ok(None) => {
                group.end();
                log::error!("SYNC_ALERT_COMMAND was ended before it was done; {AGAIN}");
                return false;
            }
            Err(error) => {
                log::error!("SYNC_ALERT_COMMAND: {error}; {AGAIN}");
                return false;
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
