//! The work in simulated time: a week takes milliseconds, and every wait is on record.

mod pass;
mod schedule;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::Read;
use std::time::Duration;

use chrono::NaiveDateTime;

use super::pass::{Pass, PassError};
use super::policy::Random;
use super::{Wire, policy};
use crate::clock::Clock;
use crate::device::Device;
use crate::device::tests::Recorder;
use crate::report::{Notice, PassReport, Reporter};
use crate::row::{Clip, Event, Table};
use crate::upload::{Attempt, Verdict, WireStats};

const INTERVAL: Duration = Duration::from_secs(300);

/// Half of 2026: a plausible wall clock.
const START: i64 = 1_780_000_000;

/// Time that passes only by being waited for.
pub(super) struct SimClock {
    monotonic: Cell<Duration>,
    wall: Cell<i64>,
    waits: RefCell<Vec<Duration>>,
    /// A stop is asked for at this time.
    stop_at: Cell<Option<Duration>>,
}

impl SimClock {
    fn new() -> Self {
        Self {
            monotonic: Cell::new(Duration::ZERO),
            wall: Cell::new(START),
            waits: RefCell::default(),
            stop_at: Cell::new(None),
        }
    }

    fn pass_time(&self, duration: Duration) {
        self.monotonic.set(self.monotonic.get() + duration);
        self.wall.set(self.wall.get() + duration.as_secs() as i64);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        self.monotonic.get()
    }

    fn unix_seconds(&self) -> i64 {
        self.wall.get()
    }

    fn local(&self) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(self.wall.get(), 0)
            .unwrap()
            .naive_utc()
    }

    fn wait(&self, duration: Duration) -> bool {
        self.waits.borrow_mut().push(duration);
        let end = self.monotonic.get() + duration;
        match self.stop_at.get() {
            Some(at) if at <= end => {
                self.pass_time(at.saturating_sub(self.monotonic.get()));
                true
            }
            _ => {
                self.pass_time(duration);
                false
            }
        }
    }
}

/// One request as the server's side saw it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    table: Table,
    id: i64,
    key: String,
    at: Duration,
}

type Script = Box<dyn FnMut(&Call) -> Verdict>;

/// A server that answers as a script says.
pub(super) struct SimWire {
    calls: Vec<Call>,
    script: Script,
    now: Box<dyn Fn() -> Duration>,
    backends: usize,
    current: usize,
}

impl SimWire {
    fn answer(&mut self, table: Table, id: i64, key: &str) -> Attempt {
        let call = Call {
            table,
            id,
            key: key.to_string(),
            at: (self.now)(),
        };
        let verdict = (self.script)(&call);
        self.calls.push(call);
        Attempt {
            verdict,
            duration: Duration::ZERO,
        }
    }
}

impl Wire for SimWire {
    fn post_event(&mut self, event: &Event, key: &str) -> Attempt {
        self.answer(Table::Event, event.id, key)
    }

    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Attempt {
        let mut bytes = Vec::new();
        match video.read_to_end(&mut bytes) {
            Ok(count) => assert_eq!(count as u64, clip.video_len),
            Err(error) => {
                return Attempt {
                    verdict: Verdict::Local(error),
                    duration: Duration::ZERO,
                };
            }
        }
        self.answer(Table::Media, clip.id, key)
    }

    fn fail_over(&mut self, _now: Duration) -> bool {
        self.current = (self.current + 1) % self.backends;
        self.backends > 1
    }

    fn prefer_first(&mut self, _now: Duration) {}

    fn backend(&self) -> &str {
        ["http://first", "http://second"][self.current]
    }

    fn stats(&self) -> WireStats {
        WireStats::default()
    }

    fn backend_count(&self) -> usize {
        self.backends
    }
}

/// Keeps what was told, in short.
#[derive(Default)]
pub(super) struct Told {
    lines: Vec<String>,
    sent: BTreeSet<(Table, i64)>,
}

impl Reporter for Told {
    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Sent { table, id, .. } => {
                self.sent.insert((*table, *id));
                self.lines.push(format!("sent {table} {id}"));
            }
            Notice::Failed { table, id, message, .. } => self.lines.push(format!("failed {table} {id}: {message}")),
            Notice::Trouble(message) => self.lines.push(format!("trouble: {message}")),
            Notice::TroubleOver => self.lines.push("trouble over".to_string()),
            Notice::Section { table, due } => self.lines.push(format!("{due} of {table}")),
            _ => {}
        }
    }
}

/// A device, a clock, a server and a report.
pub(super) struct World {
    recorder: Recorder,
    device: Device,
    clock: std::rc::Rc<SimClock>,
    wire: SimWire,
    told: Told,
    random: Random,
    once: bool,
}

impl World {
    fn new(script: impl FnMut(&Call) -> Verdict + 'static) -> Self {
        Self::on(Recorder::new(), script)
    }

    fn on(recorder: Recorder, script: impl FnMut(&Call) -> Verdict + 'static) -> Self {
        let clock = std::rc::Rc::new(SimClock::new());
        let now = std::rc::Rc::clone(&clock);
        Self {
            device: recorder.device(),
            recorder,
            clock,
            wire: SimWire {
                calls: Vec::new(),
                script: Box::new(script),
                now: Box::new(move || now.monotonic()),
                backends: 1,
                current: 0,
            },
            told: Told::default(),
            random: Random::seeded(7),
            once: false,
        }
    }

    fn answers(&mut self, script: impl FnMut(&Call) -> Verdict + 'static) {
        self.wire.script = Box::new(script);
    }

    fn try_pass(&mut self) -> Result<PassReport, PassError> {
        Pass {
            device: &mut self.device,
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

    fn pass(&mut self) -> PassReport {
        self.try_pass().unwrap()
    }

    /// The ids that were asked for since the last look.
    fn asked(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.wire.calls)
            .into_iter()
            .map(|call| call.id)
            .collect()
    }

    fn status(&self, id: i64) -> String {
        self.recorder
            .conn
            .query_row(
                "SELECT sync_status FROM sync_tracking WHERE local_id = ?1",
                [id],
                |row| row.get(0),
            )
            .unwrap_or_else(|_| "none".to_string())
    }
}

fn done(call: &Call) -> Verdict {
    Verdict::Done {
        remote_id: 1_000 + call.id,
    }
}

fn unwell() -> Verdict {
    Verdict::Unwell {
        message: "Serveur inaccessible".into(),
        unreachable: true,
        retry_after: None,
    }
}

fn refused() -> Verdict {
    Verdict::Refused {
        message: "HTTP 400: non".into(),
    }
}

fn server_error() -> Verdict {
    Verdict::ServerError {
        message: "HTTP 500: oups".into(),
    }
}

/// The longest a single wait may be counted as: slices of a meant wait are added up.
fn total(waits: &[Duration]) -> Duration {
    waits.iter().sum()
}

#[test]
fn the_schedule_never_plans_further_than_it_believes() {
    let mut random = Random::seeded(1);
    for refusals in 0..40 {
        let before = crate::device::Failures {
            attempts: refusals,
            refusals,
        };
        let (_, due_at) = policy::schedule(before, crate::device::Reason::Row, START, &mut random);
        assert!(due_at - START <= policy::LONGEST_DELAY_S);
    }
}
