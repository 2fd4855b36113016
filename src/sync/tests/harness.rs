//! A device, a server and a clock, and what the work tells about them.

use std::rc::Rc;
use std::time::Duration;

pub(super) use super::clock::{NOW, SimClock};
pub(super) use super::wire::*;
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::Device;
use crate::device::tests::Recorder;
use crate::notice::{Notice, PassReport, Reporter};
use crate::row::Table;
use crate::sync::pass::{Pass, PassError};
use crate::sync::service::{End, Service};
use crate::sync::streak::Streak;
use crate::upload::Verdict;
use fastrand::Rng;

pub(super) const INTERVAL: Duration = Duration::from_secs(300);

/// What was told, as far as tests look at it.
pub(super) struct Told {
    clock: Rc<SimClock>,
    pub starts: Vec<Duration>,
    pub passes: Vec<PassReport>,
    pub troubles: Vec<String>,
    pub troubles_over: usize,
    /// (table, id, attempts, due_at)
    pub failed: Vec<(Table, i64, u32, i64)>,
    pub retrying: usize,
}

impl Reporter for Told {
    fn notice(&mut self, notice: &Notice) {
        match *notice {
            Notice::PassStarted { .. } => {
                self.starts.push(self.clock.monotonic());
                assert!(self.starts.len() < 20_000, "it spins");
            }
            Notice::PassEnded(report) => self.passes.push(report.clone()),
            Notice::Trouble(message) => self.troubles.push(message.to_string()),
            Notice::TroubleOver => self.troubles_over += 1,
            Notice::Retrying { .. } => self.retrying += 1,
            Notice::Failed {
                table,
                id,
                attempts,
                due_at,
                ..
            } => self.failed.push((table, id, attempts, due_at)),
            _ => {}
        }
    }
}

/// Recorder, device, server and time.
pub(super) struct Harness {
    pub recorder: Recorder,
    pub clock: Rc<SimClock>,
    pub wire: ScriptedWire,
    pub told: Told,
    pub random: Rng,
    pub streak: Streak,
    pub once: bool,
    pub interval: Duration,
    device: Option<Device>,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with_backends(&["http://one"])
    }

    pub(super) fn with_backends(backends: &[&str]) -> Self {
        let recorder = Recorder::new();
        let clock = Rc::new(SimClock::new());
        Self {
            device: Some(recorder.device().impatient()),
            recorder,
            wire: ScriptedWire::new(&clock, backends),
            told: Told {
                clock: Rc::clone(&clock),
                starts: Vec::new(),
                passes: Vec::new(),
                troubles: Vec::new(),
                troubles_over: 0,
                failed: Vec::new(),
                retrying: 0,
            },
            clock,
            random: Rng::with_seed(7),
            streak: Streak::default(),
            once: false,
            interval: INTERVAL,
        }
    }

    /// The process ends and starts again.
    pub(super) fn restart(&mut self) {
        self.device = None;
        self.streak = Streak::default();
        self.device = Some(self.recorder.device().impatient());
    }

    pub(super) fn script(&mut self, script: impl FnMut(&Call) -> Verdict + 'static) {
        self.wire.script = Box::new(script);
    }

    pub(super) fn try_pass(&mut self) -> Result<PassReport, PassError> {
        Pass {
            device: self.device.as_mut().unwrap(),
            wire: &mut self.wire,
            reporter: &mut self.told,
            clock: &*self.clock,
            random: &mut self.random,
            streak: &mut self.streak,
            device_id: "raspberry-1",
            interval: self.interval,
            once: self.once,
        }
        .run()
    }

    pub(super) fn pass(&mut self) -> PassReport {
        self.try_pass().unwrap()
    }

    /// A pass, and the ids of the events it tried.
    pub(super) fn tried(&mut self) -> Vec<i64> {
        let before = self.wire.calls.len();
        self.pass();
        self.wire.calls[before..].iter().map(|call| call.id).collect()
    }

    /// Runs the whole service, until it is stopped by the clock or ends.
    pub(super) fn serve(&mut self, mode: Mode) -> End {
        self.device = None;
        let mut config = Config::from_lookup(&|_| None).unwrap();
        config.local_db_path = self.recorder.path();
        config.mode = mode;
        config.interval = self.interval;
        let end = Service {
            config: &config,
            wire: &mut self.wire,
            reporter: &mut self.told,
            clock: &*self.clock,
            random: self.random.clone(),
            instance: crate::instance::Instance::default(),
            alert: None,
            device_status: None,
        }
        .run();
        self.restart();
        end
    }

    pub(super) fn event(&self, date: &str) -> i64 {
        insert_event(&self.recorder.conn, date)
    }

    pub(super) fn sql(&self, sql: &str) {
        self.recorder.conn.execute_batch(sql).unwrap();
    }

    /// What `sync_tracking` says of a row.
    pub(super) fn status(&self, table: Table, id: i64) -> Option<String> {
        let status = self.recorder.conn.query_row(
            "SELECT sync_status FROM sync_tracking WHERE table_name = ?1 AND local_id = ?2",
            (table.name(), id),
            |row| row.get(0),
        );
        rusqlite::OptionalExtension::optional(status).unwrap()
    }

    pub(super) fn count(&self, status: &str) -> i64 {
        self.recorder
            .conn
            .query_row(
                "SELECT count(*) FROM sync_tracking WHERE sync_status = ?1",
                [status],
                |row| row.get(0),
            )
            .unwrap()
    }

    /// Another program's connection to the database.
    pub(super) fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.recorder.path()).unwrap()
    }

    pub(super) fn pass_time(&self, duration: Duration) {
        self.clock.spend(duration);
    }

    /// The time between two requests.
    pub(super) fn gaps(&self) -> Vec<Duration> {
        self.wire.calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

pub(super) fn insert_event(conn: &rusqlite::Connection, date: &str) -> i64 {
    conn.execute("INSERT INTO evenement (date, id_capteur) VALUES (?1, 1)", [date])
        .unwrap();
    conn.last_insert_rowid()
}

/// Whether `value` lies within `share` of `planned`.
pub(super) fn near(value: Duration, planned: Duration, share: f64) -> bool {
    (value.as_secs_f64() - planned.as_secs_f64()).abs() <= planned.as_secs_f64() * share + 1e-6
}
