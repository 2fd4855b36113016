//! A backend on a free loopback port that can fail in every way, and remembers what it was sent.

mod act;
mod body;
mod connection;
mod listener;

pub use act::{Act, Expect, Gate};

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use listener::Listener;

use super::service::PATIENCE;

/// A request as it was received on the wire.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// How many requests came before it.
    pub order: usize,
    pub connection: usize,
    /// When its head was there.
    pub at: Option<Instant>,
    pub method: String,
    pub path: String,
    /// From the request line to the blank line.
    pub head: String,
    pub headers: Vec<(String, String)>,
    /// How many bytes of the body arrived.
    pub wire_len: u64,
    /// The body as it arrived, when it was small enough to keep.
    pub body: Vec<u8>,
    /// The decoded JSON; of a clip, with an empty `video_data`.
    pub outline: String,
    /// Length and fingerprint of the decoded video.
    pub video: Option<(u64, u64)>,
    /// Whether the body arrived whole.
    pub complete: bool,
    /// Whether the server said `100 Continue`.
    pub continued: bool,
    pub answered: Option<u16>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} was sent twice: {}", self.head);
        value
    }

    pub fn key(&self) -> Option<&str> {
        self.header("idempotency-key")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Whether it carries several events.
    pub fn is_batch(&self) -> bool {
        self.path.ends_with("/api/evenements/batch")
    }

    /// The keys and the objects of a batch, in order.
    pub fn batch(&self) -> Vec<(String, String)> {
        let entries: Vec<Entry> = serde_json::from_str(&self.outline).unwrap();
        let parts = |entry: Entry| (entry.key, entry.evenement.get().to_owned());
        entries.into_iter().map(parts).collect()
    }

    pub fn table(&self) -> &'static str {
        if self.path.ends_with("/api/media") {
            "media"
        } else {
            "evenement"
        }
    }
}

#[derive(serde::Deserialize)]
struct Entry {
    key: String,
    evenement: Box<serde_json::value::RawValue>,
}

/// A row the backend holds.
#[derive(Debug, Clone)]
pub struct Stored {
    pub id: i64,
    pub table: &'static str,
    pub key: Option<String>,
    pub outline: String,
    pub video: Option<(u64, u64)>,
}

type Script = Box<dyn FnMut(&Received) -> Act + Send>;

struct Shared {
    /// Whether questions what it has (`OPTIONS`) are met by the script, and remembered.
    answers_questions: AtomicBool,
    /// How many there were.
    questions: AtomicUsize,
    script: Mutex<Script>,
    state: Mutex<State>,
    changed: Condvar,
    honours_keys: bool,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    stored: Vec<Stored>,
    /// The first answer for each key.
    answers: HashMap<String, (i64, String)>,
}

pub struct Backend {
    shared: Arc<Shared>,
    listener: Arc<Listener>,
}

impl Backend {
    /// One that stores everything once, honouring `Idempotency-Key`.
    pub fn start() -> Self {
        Backend::new(true)
    }

    /// One that knows nothing of `Idempotency-Key`, as the servers in the field.
    pub fn without_idempotency() -> Self {
        Backend::new(false)
    }

    fn new(honours_keys: bool) -> Self {
        let shared = Arc::new(Shared {
            answers_questions: AtomicBool::new(false),
            questions: AtomicUsize::new(0),
            script: Mutex::new(Box::new(|_| Act::created())),
            state: Mutex::default(),
            changed: Condvar::new(),
            honours_keys,
        });
        let listener = Listener::open(shared.clone());
        Backend { shared, listener }
    }

    /// A backend whose port refuses connections.
    pub fn refusing() -> Self {
        let backend = Backend::start();
        backend.refuse();
        backend
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listener.port)
    }

    /// What it does with each request from now on.
    pub fn script(&self, script: impl FnMut(&Received) -> Act + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Questions what it has (`OPTIONS`) are requests like any other from now on; else they get a 404, as from a server
    /// that never heard of them, and no script and no list of requests knows of them.
    pub fn answers_questions(&self) {
        self.shared.answers_questions.store(true, Ordering::SeqCst);
    }

    /// How many questions there were.
    pub fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::SeqCst)
    }

    /// These, one per request; then it works as it should.
    pub fn acts(&self, acts: impl IntoIterator<Item = Act>) {
        let mut acts: std::collections::VecDeque<Act> = acts.into_iter().collect();
        self.script(move |_| acts.pop_front().unwrap_or_else(Act::created));
    }

    pub fn always(&self, act: Act) {
        self.script(move |_| act.clone());
    }

    pub fn works(&self) {
        self.script(|_| Act::created());
    }

    /// Nobody listens any more: new connections are refused, old ones reset. The port stays ours.
    pub fn refuse(&self) {
        self.listener.close();
    }

    pub fn listen_again(&self) {
        self.listener.listen();
    }

    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    pub fn received_for(&self, table: &str) -> Vec<Received> {
        self.received()
            .into_iter()
            .filter(|request| request.table() == table)
            .collect()
    }

    pub fn stored(&self) -> Vec<Stored> {
        self.state().stored.clone()
    }

    pub fn stored_count(&self) -> usize {
        self.state().stored.len()
    }

    /// Waits until what it has received satisfies `condition`, which is asked at each change.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&[Received]) -> bool) {
        self.wait_within(PATIENCE, what, condition);
    }

    #[track_caller]
    pub fn wait_within(&self, patience: Duration, what: &str, condition: impl Fn(&[Received]) -> bool) {
        let waiting = |state: &mut State| !condition(&state.received);
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.state(), patience, waiting)
            .unwrap();
        assert!(
            condition(&state.received),
            "never at the backend: {what}; {} requests",
            state.received.len()
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.listener.close();
    }
}

impl Shared {
    /// Counts a question, and tells whether the script has an answer to it.
    fn is_asked(&self) -> bool {
        self.questions.fetch_add(1, Ordering::SeqCst);
        self.answers_questions.load(Ordering::SeqCst)
    }

    /// Logs a request whose head has arrived, and gives it its place.
    fn arrived(&self, request: &mut Received) {
        let mut state = self.state.lock().unwrap();
        request.order = state.received.len();
        state.received.push(request.clone());
        self.changed.notify_all();
    }

    fn update(&self, place: usize, change: impl FnOnce(&mut Received)) {
        if let Some(request) = self.state.lock().unwrap().received.get_mut(place) {
            change(request);
        }
        self.changed.notify_all();
    }

    /// Stores what a request carries; gives the answer to it.
    fn store(&self, request: &Received) -> String {
        if !request.is_batch() {
            return self.store_row(request).1;
        }
        let mut results = Vec::new();
        for (key, outline) in request.batch() {
            let row = Received {
                headers: vec![("Idempotency-Key".to_owned(), format!("\"{key}\""))],
                outline,
                ..Received::default()
            };
            results.push(format!(r#"{{"status":201,"id":{}}}"#, self.store_row(&row).0));
        }
        format!(r#"{{"results":[{}]}}"#, results.join(","))
    }

    /// Stores a row, or finds it again by its key; gives the contract's answer.
    fn store_row(&self, request: &Received) -> (i64, String) {
        let key = request.key().map(str::to_owned);
        let mut state = self.state.lock().unwrap();
        if let Some(first) = key
            .as_ref()
            .filter(|_| self.honours_keys)
            .and_then(|key| state.answers.get(key))
        {
            return first.clone();
        }
        let table = request.table();
        let id = if table == "media" { 50_001 } else { 1_001 } + state.stored.len() as i64;
        let (outline, video) = (request.outline.clone(), request.video);
        state.stored.push(Stored {
            id,
            table,
            key: key.clone(),
            outline,
            video,
        });
        let message = if table == "media" {
            "Média créé"
        } else {
            "Événement créé"
        };
        let body = format!(r#"{{"id":{id},"date":"2025-12-18T17:30:00.123456","capteur_id":1,"message":"{message}"}}"#);
        if let Some(key) = key {
            state.answers.insert(key, (id, body.clone()));
        }
        (id, body)
    }
}
