//! The servers of `BACKEND_URL`: each with its connection and what was learned of it, and which one is in use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_protocol::patience::Turns;
use sync_protocol::uploads::{VERSION, VERSION_HEADER};
use sync_protocol::{Extension, Extensions};
use ureq::http::{self, Method, Response};
use ureq::tls::TlsConfig;
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder, SendBody};

use super::client;
use super::config::{Secret, Timeouts, UploadConfig};
use super::exchange::Exchange;
use super::pieces::Pieces;
use super::resolver::Remembering;
use super::url::WebUrl;

/// How long a backend that was asked what it has, and said nothing, is not asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// What a request came back with.
pub(super) type Outcome = Result<Response<Body>, ureq::Error>;

/// Clips that may be on their way to a server at once.
pub(super) const LANES: usize = 2;

/// What is seen of each lane's request.
pub(super) type Exchanges = [Arc<Exchange>; LANES];

fn with_token(request: http::request::Builder, token: Option<&Secret>) -> http::request::Builder {
    match token {
        Some(token) => request.header("Authorization", token.bearer()),
        None => request,
    }
}

/// A server and the way to it.
pub(super) struct Backend {
    pub url: WebUrl,
    /// One connection each; what goes alone has the first.
    agents: [Agent; LANES],
    pub resolver: Remembering,
    /// It deals well with `Expect: 100-continue`, as far as is known.
    pub asks_first: bool,
    /// What it has beyond the contract, as its last answer said; `None` before there was any.
    known: Option<Extensions>,
    /// It was asked in vain, and is not asked again before then.
    asked_again_at: Option<Instant>,
    /// How clips that go on after a break are cut for it.
    pub pieces: Pieces,
    /// What it names and yet does not take: something between it and us does not let it through.
    refused: Extensions,
}

impl Backend {
    /// The server at `url`; nothing is connected yet.
    fn new(url: &WebUrl, tls: &TlsConfig, timeouts: Timeouts, exchanges: &Exchanges) -> Self {
        let resolver = Remembering::default();
        let agent = |exchange| client::agent(url, tls.clone(), timeouts, resolver.clone(), Arc::clone(exchange));
        Self {
            url: url.clone(),
            agents: exchanges.each_ref().map(agent),
            resolver,
            asks_first: true,
            known: None,
            asked_again_at: None,
            pieces: Pieces::default(),
            refused: Extensions::NONE,
        }
    }

    /// A `POST` of JSON, under its idempotency key where it has one of its own.
    pub(super) fn post(&self, path: &str, key: Option<&str>, token: Option<&Secret>) -> RequestBuilder<WithBody> {
        let request = self
            .agent()
            .post(format!("{}{path}", self.url.as_str()))
            .header("Content-Type", "application/json");
        let request = match key {
            // A quoted string, as the IETF draft has it (draft-ietf-httpapi-idempotency-key-header).
            Some(key) => request.header("Idempotency-Key", format!("\"{key}\"")),
            None => request,
        };
        client::authorized(request, token)
    }

    /// A request of tus: where to, and how ([`sync_protocol::uploads`]).
    pub(super) fn tus(&self, method: Method, url: &str, token: Option<&Secret>) -> http::request::Builder {
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(VERSION_HEADER, VERSION);
        with_token(request, token)
    }

    /// The contract's `POST` of a clip, to be sent by whoever has the lane's client.
    pub(super) fn clip(&self, key: &str, token: Option<&Secret>) -> http::request::Builder {
        let request = http::Request::post(format!("{}/api/media", self.url.as_str()))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", format!("\"{key}\""));
        with_token(request, token)
    }

    /// The HTTP client of a lane.
    pub(super) fn lane(&self, lane: usize) -> Agent {
        self.agents[lane].clone()
    }

    fn agent(&self) -> &Agent {
        &self.agents[0]
    }

    /// Sends a request of [`Backend::tus`].
    ///
    /// # Errors
    /// It could not be made, or there is no answer.
    pub(super) fn run(&self, request: http::request::Builder, body: SendBody) -> Outcome {
        self.agent().run(request.body(body)?)
    }

    /// Its last answer named these extensions.
    pub(super) fn names(&mut self, extensions: Extensions) {
        if extensions.is_empty() {
            // Another server, or another version: what was refused may be taken by the next.
            self.refused = Extensions::NONE;
        }
        self.known = Some(extensions.without(self.refused));
    }

    /// Whether it has an extension, as far as is known.
    pub(super) fn has(&self, extension: Extension) -> bool {
        self.known.is_some_and(|known| known.has(extension))
    }

    /// Whether it has any: then it honours keys, and takes several rows at a time.
    pub(super) fn names_any(&self) -> bool {
        self.known.is_some_and(|known| !known.is_empty())
    }

    /// Whether it was never heard of, and may be asked what it has.
    pub(super) fn is_to_be_asked(&self) -> bool {
        self.known.is_none() && self.asked_again_at.is_none_or(|at| Instant::now() >= at)
    }

    /// It was asked what it has, and did not say anything.
    pub(super) fn asked_in_vain(&mut self) {
        self.asked_again_at = Some(Instant::now() + ASK_AGAIN_AFTER);
    }

    /// tus' own question, which a server without uploads may answer as it likes.
    pub(super) fn options(&self, path: &str, token: Option<&Secret>, timeout: Duration) -> Outcome {
        let request = self
            .agent()
            .options(format!("{}{path}", self.url.as_str()))
            .config()
            .timeout_recv_response(Some(timeout))
            .timeout_recv_body(Some(timeout))
            .build();
        client::authorized(request, token).call()
    }

    /// It answered a request of an extension that there is no such thing.
    pub(super) fn refuses(&mut self, extension: Extension) {
        log::info!("{} does not take `{}` after all", self.url.as_str(), extension.token());
        self.refused = self.refused.with(extension);
        self.known = self.known.map(|known| known.without(self.refused));
    }

    /// From now on bodies go without the question, whatever their length.
    pub(super) fn stop_asking(&mut self, why: &str) {
        log::info!("{} {why}: Expect is no longer sent", self.url.as_str());
        self.asks_first = false;
    }
}

/// All servers in order of preference.
pub(super) struct Backends {
    all: Vec<Backend>,
    turns: Turns,
}

impl Backends {
    /// The servers of `config`; nothing is connected yet.
    pub(super) fn new(config: &UploadConfig, tls: &TlsConfig, exchanges: &Exchanges) -> Self {
        let urls = config.backends.iter();
        Self {
            all: urls
                .map(|url| Backend::new(url, tls, config.timeouts, exchanges))
                .collect(),
            turns: Turns::new(config.backends.len(), 0),
        }
    }

    /// The one in use.
    pub(super) fn current(&self) -> &Backend {
        &self.all[self.turns.current()]
    }

    /// The same, to learn of it.
    pub(super) fn current_mut(&mut self) -> &mut Backend {
        &mut self.all[self.turns.current()]
    }

    /// What each has beyond the contract, as far as is known.
    pub(super) fn extensions(&self) -> Vec<(String, Option<Extensions>)> {
        let known = |backend: &Backend| (backend.url.as_str().to_string(), backend.known);
        self.all.iter().map(known).collect()
    }

    /// What an earlier process learned of a backend.
    pub(super) fn set_extensions(&mut self, url: &str, extensions: Extensions) {
        for backend in self.all.iter_mut().filter(|backend| backend.url.as_str() == url) {
            backend.known = Some(extensions);
        }
    }

    /// A backend takes no such thing, as somebody else heard.
    pub(super) fn refuse(&mut self, url: &str, extension: Extension) {
        for backend in self.all.iter_mut().filter(|backend| backend.url.as_str() == url) {
            backend.refuses(extension);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The HTTP clients of all.
    pub(super) fn agents(&self) -> Vec<Agent> {
        self.all.iter().flat_map(|backend| backend.agents.clone()).collect()
    }

    /// Moves on after the one in use failed at `now` (monotonic), as [`Turns::failed`] has it.
    pub(super) fn fail_over(&mut self, now: Duration, wish: Option<Duration>) -> Option<Duration> {
        let before = self.turns.current();
        let named = self.turns.failed(now, wish);
        if self.turns.current() != before {
            log::info!("moving on to {}", self.current().url.as_str());
        }
        named
    }

    /// In how long the first of those that named a time may be asked again.
    pub(super) fn named_wait(&self, now: Duration) -> Option<Duration> {
        self.turns.named_wait(now)
    }

    /// Returns to the first one when its time has come at `now` (monotonic).
    pub(super) fn prefer_first(&mut self, now: Duration) {
        self.turns.prefer(now);
    }
}
