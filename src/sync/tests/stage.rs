//! A clock that only moves when somebody waits, a server that answers by script, and a device between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::Device;
use crate::device::tests::Recorder;
use crate::report::{Notice, PassReport, Reporter};
use crate::row::{Clip, Event, Table};
use crate::sync::policy::Random;
use crate::sync::service::{End, Service};
use crate::sync::{Pass, PassError, Wire};
use crate::upload::{Attempt, RetryAfter, Verdict, WireStats};

pub const INTERVAL: Duration = Duration::from_secs(300);

/// 2025-12-18 17:30:00 UTC.
pub const NOW: i64 = 1_766_079_000;

/// Something that happens while somebody waits.
type Plan = (Duration, Box<dyn FnMut(&SimClock)>);

/// Time that is only spent by waits and requests.
pub struct SimClock {
    now: Cell<Duration>,
    /// The wall clock at monotonic zero.
    wall: Cell<i64>,
    stop_at: Cell<Option<Duration>>,
    plans: RefCell<Vec<Plan>>,
    /// Begin and length of every wait.
    pub waits: RefCell<Vec<(Duration, Duration)>>,
}

impl SimClock {
    /// The wall clock jumps by `seconds`; the monotonic one does not.
    pub fn jump(&self, seconds: i64) {
        self.wall.set(self.wall.get() + seconds);
    }

    pub fn stop_at(&self, time: Duration) {
        self.stop_at.set(Some(time));
    }

    /// `action` happens in the wait that reaches `time`.
    pub fn plan(&self, time: Duration, action: impl FnMut(&SimClock) + 'static) {
        self.plans.borrow_mut().push((time, Box::new(action)));
    }

    /// Time passes, as a request takes it.
    pub fn spend(&self, duration: Duration) {
        let end = self.now.get() + duration;
        loop {
            let mut plans = self.plans.borrow_mut();
            let due = plans.iter().enumerate().filter(|(_, (at, _))| *at <= end);
            let Some(next) = due.min_by_key(|(_, (at, _))| *at).map(|(place, _)| place) else {
                break;
            };
            let (at, mut action) = plans.remove(next);
            drop(plans);
            self.now.set(self.now.get().max(at));
            action(self);
        }
        self.now.set(end);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        self.now.get()
    }

    fn unix_seconds(&self) -> i64 {
        self.wall.get() + i64::try_from(self.now.get().as_secs()).unwrap()
    }

    fn local(&self) -> chrono::NaiveDateTime {
        chrono::DateTime::from_timestamp(self.unix_seconds(), 0)
            .unwrap()
            .naive_utc()
    }

    fn wait(&self, duration: Duration) -> bool {
        self.waits.borrow_mut().push((self.now.get(), duration));
        let left = self.stop_at.get().map(|stop| stop.saturating_sub(self.now.get()));
        let stopped = left.is_some_and(|left| left <= duration);
        self.spend(if stopped { left.unwrap() } else { duration });
        stopped
    }
}

/// A request as the server sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// From 0.
    pub nth: usize,
    pub at: Duration,
    pub table: Table,
    pub id: i64,
    pub key: String,
    pub backend: String,
}

/// Answers a request.
pub type Script = Box<dyn FnMut(&Call) -> Verdict>;

/// The way to servers that follow a script.
pub struct ScriptedWire {
    clock: Rc<SimClock>,
    pub backends: Vec<String>,
    current: usize,
    first_again_at: Option<Duration>,
    pub script: Script,
    pub calls: Vec<Call>,
    /// What the servers took, by key.
    pub stored: BTreeMap<String, (Table, i64)>,
    /// How long a request takes.
    pub takes: Duration,
}

impl ScriptedWire {
    pub fn new(clock: &Rc<SimClock>, backends: &[&str]) -> Self {
        Self {
            clock: Rc::clone(clock),
            backends: backends.iter().map(|name| (*name).to_string()).collect(),
            current: 0,
            first_again_at: None,
            script: Box::new(done),
            calls: Vec::new(),
            stored: BTreeMap::new(),
            takes: Duration::ZERO,
        }
    }

    fn call(&mut self, table: Table, id: i64, key: &str) -> Attempt {
        let call = Call {
            nth: self.calls.len(),
            at: self.clock.monotonic(),
            table,
            id,
            key: key.to_string(),
            backend: self.backend().to_string(),
        };
        self.calls.push(call.clone());
        self.clock.spend(self.takes);
        let verdict = (self.script)(&call);
        if let Verdict::Done { .. } = verdict {
            self.stored.insert(call.key, (table, id));
        }
        Attempt {
            verdict,
            duration: self.takes,
        }
    }

    /// The ids of a table in the order of their requests.
    pub fn ids(&self, table: Table) -> Vec<i64> {
        self.calls
            .iter()
            .filter(|call| call.table == table)
            .map(|call| call.id)
            .collect()
    }
}

impl Wire for ScriptedWire {
    fn post_event(&mut self, event: &Event, key: &str) -> Attempt {
        self.call(Table::Event, event.id, key)
    }

    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Attempt {
        let mut attempt = self.call(Table::Media, clip.id, key);
        let mut bytes = Vec::new();
        if let Err(error) = video.read_to_end(&mut bytes) {
            // The connection is dropped: whatever the server would have said, it has nothing.
            self.stored.remove(key);
            attempt.verdict = Verdict::Local(error);
        } else {
            assert_eq!(bytes.len() as u64, clip.video_len);
        }
        attempt
    }

    fn fail_over(&mut self, now: Duration) -> bool {
        if self.backends.len() < 2 {
            return false;
        }
        if self.current == 0 {
            self.first_again_at = Some(now + Duration::from_secs(60));
        }
        self.current = (self.current + 1) % self.backends.len();
        true
    }

    fn prefer_first(&mut self, now: Duration) {
        if self.first_again_at.is_some_and(|at| now >= at) {
            self.first_again_at = None;
            self.current = 0;
        }
    }

    fn backend(&self) -> &str {
        &self.backends[self.current]
    }

    fn stats(&self) -> WireStats {
        WireStats::default()
    }

    fn backend_count(&self) -> usize {
        self.backends.len()
    }
}

pub fn done(call: &Call) -> Verdict {
    Verdict::Done {
        remote_id: 1_000 + i64::try_from(call.nth).unwrap(),
    }
}

pub fn unwell() -> Verdict {
    Verdict::Unwell {
        message: "connexion refusée".to_string(),
        unreachable: true,
        retry_after: None,
    }
}

pub fn busy(retry_after: RetryAfter) -> Verdict {
    Verdict::Unwell {
        message: "HTTP 503".to_string(),
        unreachable: false,
        retry_after: Some(retry_after),
    }
}

pub fn broken() -> Verdict {
    Verdict::ServerError {
        message: "HTTP 500".to_string(),
    }
}

pub fn misconfigured() -> Verdict {
    Verdict::Misconfigured {
        message: "HTTP 401 (vérifiez BACKEND_TOKEN)".to_string(),
    }
}

pub fn refused() -> Verdict {
    Verdict::Refused {
        message: "HTTP 422".to_string(),
    }
}

pub fn unclear() -> Verdict {
    Verdict::Unclear {
        message: "HTTP 200 sans identifiant".to_string(),
    }
}

/// What was told, as far as tests look at it.
pub struct Told {
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
            Notice::PassStarted { .. } => self.starts.push(self.clock.monotonic()),
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
pub struct Stage {
    pub recorder: Recorder,
    pub clock: Rc<SimClock>,
    pub wire: ScriptedWire,
    pub told: Told,
    pub random: Random,
    pub once: bool,
    device: Option<Device>,
}

impl Stage {
    pub fn new() -> Self {
        Self::with_backends(&["http://one"])
    }

    pub fn with_backends(backends: &[&str]) -> Self {
        let recorder = Recorder::new();
        let clock = Rc::new(SimClock {
            now: Cell::default(),
            wall: Cell::new(NOW),
            stop_at: Cell::default(),
            plans: RefCell::default(),
            waits: RefCell::default(),
        });
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
            random: Random::seeded(7),
            once: false,
        }
    }

    /// The process ends and starts again.
    pub fn restart(&mut self) {
        self.device = None;
        self.device = Some(self.recorder.device().impatient());
    }

    pub fn script(&mut self, script: impl FnMut(&Call) -> Verdict + 'static) {
        self.wire.script = Box::new(script);
    }

    pub fn try_pass(&mut self) -> Result<PassReport, PassError> {
        Pass {
            device: self.device.as_mut().unwrap(),
            wire: &mut self.wire,
            reporter: &mut self.told,
            clock: &*self.clock,
            random: &mut self.random,
            device_id: "raspberry-1",
            interval: INTERVAL,
            once: self.once,
        }
        .run()
    }

    pub fn pass(&mut self) -> PassReport {
        self.try_pass().unwrap()
    }

    /// A pass, and the ids of the events it tried.
    pub fn tried(&mut self) -> Vec<i64> {
        let before = self.wire.calls.len();
        self.pass();
        self.wire.calls[before..].iter().map(|call| call.id).collect()
    }

    /// Runs the whole service, until it is stopped by the clock or ends.
    pub fn serve(&mut self, mode: Mode) -> End {
        self.device = None;
        let mut config = Config::from_lookup(&|_| None).unwrap();
        config.local_db_path = self.recorder.path();
        config.mode = mode;
        config.interval = INTERVAL;
        let end = Service {
            config: &config,
            wire: &mut self.wire,
            reporter: &mut self.told,
            clock: &*self.clock,
            random: self.random.clone(),
        }
        .run();
        self.restart();
        end
    }

    pub fn event(&self, date: &str) -> i64 {
        insert_event(&self.recorder.conn, date)
    }

    pub fn sql(&self, sql: &str) {
        self.recorder.conn.execute_batch(sql).unwrap();
    }

    /// What `sync_tracking` says of a row.
    pub fn status(&self, table: Table, id: i64) -> Option<String> {
        let status = self.recorder.conn.query_row(
            "SELECT sync_status FROM sync_tracking WHERE table_name = ?1 AND local_id = ?2",
            (table.name(), id),
            |row| row.get(0),
        );
        rusqlite::OptionalExtension::optional(status).unwrap()
    }

    pub fn count(&self, status: &str) -> i64 {
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
    pub fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.recorder.path()).unwrap()
    }

    pub fn pass_time(&self, duration: Duration) {
        self.clock.spend(duration);
    }

    /// The time between two requests.
    pub fn gaps(&self) -> Vec<Duration> {
        self.wire.calls.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

pub fn insert_event(conn: &rusqlite::Connection, date: &str) -> i64 {
    conn.execute("INSERT INTO evenement (date, id_capteur) VALUES (?1, 1)", [date])
        .unwrap();
    conn.last_insert_rowid()
}

/// Whether `value` lies within `share` of `planned`.
pub fn near(value: Duration, planned: Duration, share: f64) -> bool {
    (value.as_secs_f64() - planned.as_secs_f64()).abs() <= planned.as_secs_f64() * share + 1e-6
}
