//! Servers that answer by script.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use sync_protocol::patience::Turns;
use sync_protocol::{Extension, Extensions};

use super::clock::SimClock;
use crate::clock::Clock;
use crate::notice::WireStats;
use crate::row::{Clip, Event, Table, Video};
use crate::upload::{BatchVerdict, Rate, RetryAfter, Timetable, Verdict, Wire};

/// A request as the server sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// From 0.
    pub nth: usize,
    pub at: Duration,
    pub table: Table,
    pub id: i64,
    pub key: String,
    pub backend: String,
}

/// Answers a request.
pub(super) type Script = Box<dyn FnMut(&Call) -> Verdict>;

/// The way to servers that follow a script.
pub(super) struct ScriptedWire {
    clock: Rc<SimClock>,
    pub backends: Vec<String>,
    turns: Turns,
    pub script: Script,
    pub calls: Vec<Call>,
    /// What the servers took, by key.
    pub stored: BTreeMap<String, (Table, i64)>,
    /// `SYNC_MAX_RATE_KBPS`, as far as it holds clips back.
    pub rates: Timetable,
    /// How long a request takes.
    pub takes: Duration,
    /// Whether it takes events in batches.
    pub batches: bool,
    /// Whether it takes two clips at a time.
    pub together: bool,
    /// What became of those that were started.
    flown: VecDeque<(i64, Verdict)>,
    /// Whether the last request's body was begun: of one that met a server.
    body_begun: bool,
}

impl ScriptedWire {
    pub(super) fn new(clock: &Rc<SimClock>, backends: &[&str]) -> Self {
        Self {
            clock: Rc::clone(clock),
            backends: backends.iter().map(|name| (*name).to_string()).collect(),
            turns: Turns::new(backends.len(), 0),
            script: Box::new(done),
            calls: Vec::new(),
            stored: BTreeMap::new(),
            rates: Timetable::default(),
            takes: Duration::ZERO,
            batches: false,
            together: false,
            flown: VecDeque::new(),
            body_begun: false,
        }
    }

    fn call(&mut self, table: Table, id: i64, key: &str) -> Verdict {
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
        self.body_begun = !matches!(verdict, Verdict::Unavailable { unreachable: true, .. });
        if let Verdict::Done { .. } = verdict {
            self.stored.insert(call.key, (table, id));
        }
        verdict
    }

    /// The ids of a table in the order of their requests.
    pub(super) fn ids(&self, table: Table) -> Vec<i64> {
        self.calls
            .iter()
            .filter(|call| call.table == table)
            .map(|call| call.id)
            .collect()
    }
}

impl Wire for ScriptedWire {
    fn post_event(&mut self, event: &Event, key: &str) -> Verdict {
        self.call(Table::Event, event.id, key)
    }

    fn post_clip(&mut self, clip: &Clip, video: &mut dyn Video, key: &str, _is_new: bool) -> Verdict {
        let verdict = self.call(Table::Media, clip.id, key);
        let mut bytes = Vec::new();
        if let Err(error) = video.read_to_end(&mut bytes) {
            // The connection is dropped: whatever the server would have said, it has nothing.
            self.stored.remove(key);
            return Verdict::Local(error);
        }
        assert_eq!(bytes.len() as u64, clip.video_len);
        verdict
    }

    fn clip_lanes(&mut self, _bytes: u64) -> usize {
        if self.together { 2 } else { 1 }
    }

    fn start_clip(&mut self, clip: &Clip, video: Vec<u8>, key: &str) -> bool {
        assert_eq!(video.len() as u64, clip.video_len);
        assert!(self.flown.len() < 2);
        let verdict = self.call(Table::Media, clip.id, key);
        self.flown.push_back((clip.id, verdict));
        true
    }

    fn clips_under_way(&self) -> usize {
        self.flown.len()
    }

    fn next_clip(&mut self, _limit: Option<Duration>) -> Option<(i64, Verdict)> {
        self.flown.pop_front()
    }

    fn resumes_clips(&self) -> bool {
        false
    }

    fn clip_advanced(&self) -> bool {
        false
    }

    fn takes_batches(&self) -> bool {
        self.batches
    }

    fn post_events(&mut self, events: &[(Event, String)]) -> BatchVerdict {
        let mut verdicts = Vec::new();
        for (event, key) in events {
            verdicts.push(self.call(Table::Event, event.id, key));
        }
        BatchVerdict::Each(verdicts)
    }

    fn extensions(&self) -> Vec<(String, Option<Extensions>)> {
        Vec::new()
    }

    fn set_extensions(&mut self, _backend: &str, _extensions: Extensions) {}

    fn refuse(&mut self, _backend: &str, _extension: Extension) {}

    fn body_begun(&self) -> bool {
        self.body_begun
    }

    fn fail_over(&mut self, now: Duration, wish: Option<Duration>) -> Option<Duration> {
        self.turns.failed(now, wish)
    }

    fn named_wait(&self, now: Duration) -> Option<Duration> {
        self.turns.named_wait(now)
    }

    fn prefer_first(&mut self, now: Duration) {
        self.turns.prefer(now);
    }

    fn backend(&self) -> &str {
        &self.backends[self.turns.current()]
    }

    fn clips_wait_until(&self) -> Option<chrono::NaiveDateTime> {
        self.rates
            .in_force(self.clock.local())
            .until
            .filter(|_| self.rates.in_force(self.clock.local()).rate == Rate::EventsOnly)
    }

    fn stats(&self) -> WireStats {
        WireStats::default()
    }

    fn backend_count(&self) -> usize {
        self.backends.len()
    }
}

pub(super) fn done(call: &Call) -> Verdict {
    Verdict::Done {
        remote_id: 1_000 + i64::try_from(call.nth).unwrap(),
    }
}

pub(super) fn unavailable() -> Verdict {
    Verdict::Unavailable {
        message: "connexion refusée".to_string(),
        unreachable: true,
        retry_after: None,
    }
}

/// The server took the request and was gone.
pub(super) fn hung_up() -> Verdict {
    Verdict::Unavailable {
        message: "Connexion interrompue par le serveur".to_string(),
        unreachable: false,
        retry_after: None,
    }
}

pub(super) fn busy(retry_after: RetryAfter) -> Verdict {
    Verdict::Unavailable {
        message: "HTTP 503".to_string(),
        unreachable: false,
        retry_after: Some(retry_after),
    }
}

pub(super) fn broken() -> Verdict {
    Verdict::ServerError {
        message: "HTTP 500".to_string(),
    }
}

pub(super) fn misconfigured() -> Verdict {
    Verdict::Misconfigured {
        message: "HTTP 401 (vérifiez BACKEND_TOKEN)".to_string(),
        may_be_the_row: false,
    }
}

pub(super) fn refused() -> Verdict {
    Verdict::Refused {
        message: "HTTP 422".to_string(),
    }
}

pub(super) fn invalid_response() -> Verdict {
    Verdict::InvalidResponse {
        message: "HTTP 200 sans identifiant".to_string(),
    }
}
