//! Sends rows: one try a call, over one kept connection, to the backend that works.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::{Agent, SendBody};

use super::answer::Answer;
use super::client;
use super::compress::{self, Gzip};
use super::config::{Compression, Secret, Timeouts, UploadConfig, UploadError};
use super::encoding::{self, Encoding};
use super::media_body::MediaBody;
use super::prefetch::prefetch;
use super::rate_limiter::RateLimiter;
use super::resolver::Remembering;
use super::verdict::{Verdict, judge};
use super::{ClipProgress, payload, tls, token_exposure};
use crate::notice::WireStats;
use crate::row::{Clip, Event};
use crate::shutdown::Shutdown;

/// Bodies longer than this ask first (`Expect: 100-continue`, RFC 9110, 10.1.1).
const ASK_FIRST: u64 = 1 << 20;

/// How long another backend is used before the first is tried again.
const PREFER_FIRST_AFTER: Duration = Duration::from_secs(60);

/// Bytes of a request's headers, roughly, for the rate.
const HEADER_BYTES: usize = 400;

/// A wait for `100 Continue` beyond this share of the timeout was spent on something else (a slow connect).
const IGNORED_AT_MOST: f64 = 1.5;

/// One try.
#[derive(Debug)]
pub struct Attempt {
    /// What it came to.
    pub verdict: Verdict,
    /// How long it took.
    pub duration: Duration,
}

struct Backend {
    url: String,
    agent: Agent,
    resolver: Remembering,
    /// It let the question of `Expect` pass unanswered once.
    ignores_expect: bool,
}

/// The way to the server.
pub struct Uploader {
    backends: Vec<Backend>,
    current: usize,
    /// When (monotonic) the first backend is tried again.
    first_again_at: Option<Duration>,
    compression: Compression,
    /// What the last answers said the server takes.
    negotiated: Encoding,
    /// A 415 said that packed bodies are not taken, for good.
    plain_only: bool,
    token: Option<Secret>,
    has_certificate: bool,
    device_id: String,
    timeouts: Timeouts,
    limiter: RateLimiter,
    stats: WireStats,
    shutdown: Arc<Shutdown>,
    progress: Option<Arc<dyn ClipProgress>>,
}

impl Uploader {
    /// A way to the servers of `config`; nothing is connected yet.
    ///
    /// # Errors
    /// TLS settings that can't be used.
    pub fn new(config: UploadConfig, shutdown: Arc<Shutdown>) -> Result<Self, UploadError> {
        let https = config.backends.iter().any(|url| url.starts_with("https://"));
        if config.token.is_some() {
            for url in config.backends.iter().filter(|url| !token_exposure::stays_private(url)) {
                log::warn!("BACKEND_TOKEN goes to {url} unencrypted: anyone on the way can read it; use https");
            }
        }
        let tls = tls::settings(&config, https)?;
        let backends = config
            .backends
            .iter()
            .map(|url| {
                let resolver = Remembering::default();
                Backend {
                    url: url.clone(),
                    agent: client::agent(url, tls.clone(), config.timeouts, resolver.clone()),
                    resolver,
                    ignores_expect: false,
                }
            })
            .collect();
        Ok(Self {
            backends,
            current: 0,
            first_again_at: None,
            compression: config.compression,
            negotiated: Encoding::Plain,
            plain_only: false,
            token: config.token,
            has_certificate: config.client_cert.is_some(),
            device_id: config.device_id,
            timeouts: config.timeouts,
            limiter: RateLimiter::new(config.max_rate_kbps, Arc::clone(&shutdown)),
            stats: WireStats::default(),
            shutdown,
            progress: None,
        })
    }

    /// Tells `progress` how clips move.
    pub fn watch(&mut self, progress: Arc<dyn ClipProgress>) {
        self.progress = Some(progress);
    }

    /// Something that breaks off the request in flight, from another thread. No request works afterwards.
    pub fn interrupter(&self) -> impl Fn() + Send + use<> {
        let agents: Vec<Agent> = self.backends.iter().map(|backend| backend.agent.clone()).collect();
        move || {
            for agent in &agents {
                agent.clone().shutdown();
            }
        }
    }

    fn encoding(&self) -> Encoding {
        match self.compression {
            _ if self.plain_only => Encoding::Plain,
            Compression::None => Encoding::Plain,
            Compression::Gzip => Encoding::Gzip,
            Compression::Zstd => Encoding::Zstd,
            Compression::Auto => self.negotiated,
        }
    }

    fn request(&self, path: &str, key: &str) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let backend = &self.backends[self.current];
        let request = backend
            .agent
            .post(format!("{}{path}", backend.url))
            .header("Content-Type", "application/json")
            // A quoted string, as the IETF draft has it (draft-ietf-httpapi-idempotency-key-header).
            .header("Idempotency-Key", format!("\"{key}\""));
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    /// Turns what the client returned into a verdict, and learns from the answer's headers.
    fn conclude(
        &mut self,
        start: Instant,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        packed: bool,
    ) -> Attempt {
        let result = result.and_then(|response| Answer::read(response, self.token.as_ref()));
        let duration = start.elapsed();
        self.stats.duration_ms += u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let verdict = match result {
            _ if self.shutdown.is_requested() && result.is_err() => Verdict::Interrupted,
            Ok(answer) => {
                if let Some(accepted) = &answer.accept_encoding {
                    self.negotiated = encoding::best(accepted);
                }
                judge(&answer, packed)
            }
            Err(error) => {
                log::debug!("{}: {error}", self.backends[self.current].url);
                self.backends[self.current].resolver.forget();
                let secure = self.backends[self.current].url.starts_with("https://");
                client::judge_failure(&error, secure && !self.has_certificate)
            }
        };
        if matches!(verdict, Verdict::RetryUncompressed) {
            log::info!(
                "{} takes no packed bodies: plain from now on",
                self.backends[self.current].url
            );
            self.plain_only = true;
        }
        Attempt {
            verdict: self.without_token(verdict),
            duration,
        }
    }

    /// A server may echo what it was sent: a token must not come back into messages.
    fn without_token(&self, mut verdict: Verdict) -> Verdict {
        let Some(token) = &self.token else {
            return verdict;
        };
        if let Verdict::Unavailable { message, .. }
        | Verdict::ServerError { message }
        | Verdict::Misconfigured { message }
        | Verdict::Refused { message }
        | Verdict::InvalidResponse { message } = &mut verdict
        {
            *message = token.hidden_in(message);
        }
        verdict
    }

    /// Tries to send an event, once.
    pub fn post_event(&mut self, event: &Event, key: &str) -> Attempt {
        let start = Instant::now();
        let body = match payload::event(event, &self.device_id) {
            Ok(body) => body,
            Err(error) => return local(start, error.into()),
        };
        if self.limiter.spend(HEADER_BYTES + body.len()) {
            return interrupted(start);
        }
        self.stats.requests += 1;
        self.stats.raw_bytes += body.len() as u64;
        self.stats.wire_bytes += body.len() as u64;
        let result = self
            .request("/api/evenements", key)
            .config()
            .timeout_global(Some(self.timeouts.event + self.timeouts.connect))
            .timeout_recv_response(Some(self.timeouts.event))
            .build()
            .send(&body);
        self.conclude(start, result, false)
    }

    /// Tries to send a clip, once; `video` gives exactly `clip.video_len` bytes.
    pub fn post_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Attempt {
        let start = Instant::now();
        let encoding = self.encoding();
        let mut body = match MediaBody::new(clip, video, &self.device_id, self.progress.clone()) {
            Ok(body) => body,
            Err(error) => return local(start, error),
        };
        if self.limiter.spend(HEADER_BYTES) {
            return interrupted(start);
        }
        let length = body.len();
        let mut request = self.request("/api/media", key);
        request = match encoding.name() {
            None => request.header("Content-Length", length.to_string()),
            Some(name) => request
                .header("Content-Encoding", name)
                .header("Transfer-Encoding", "chunked"),
        };
        let asks = length > ASK_FIRST && !self.backends[self.current].ignores_expect;
        if asks {
            request = request.header("Expect", "100-continue");
        }
        self.stats.requests += 1;
        let limiter = &mut self.limiter;
        let sent = match encoding {
            Encoding::Plain => send(request, &mut body, limiter),
            Encoding::Gzip => send(request, Gzip::new(&mut body), limiter),
            Encoding::Zstd => compress::zstd(&mut body).and_then(|packed| send(request, packed, limiter)),
        };
        let (result, outflow) = match sent {
            Ok(sent) => sent,
            Err(error) => return local(start, error),
        };
        self.stats.wire_bytes += outflow.wire_bytes;
        self.stats.raw_bytes += body.given();
        let first_read = outflow.first_read;
        if let Some(waited) = first_read.filter(|_| asks).map(|at| at - start) {
            let timeout = self.timeouts.await_100;
            if waited >= timeout && waited < timeout.mul_f64(IGNORED_AT_MOST) {
                log::debug!("{} ignores Expect", self.backends[self.current].url);
                self.backends[self.current].ignores_expect = true;
            }
        }
        if outflow.stopped {
            return interrupted(start);
        }
        // The body broke off for a reason of ours: the connection is gone with it, and no server has half a clip.
        match body.take_failure() {
            Some(error) => local(start, error),
            None => self.conclude(start, result, encoding != Encoding::Plain),
        }
    }

    /// Moves on to the next backend; `false` when there is no other.
    pub fn fail_over(&mut self, now: Duration) -> bool {
        if self.backends.len() < 2 {
            return false;
        }
        if self.current == 0 {
            self.first_again_at = Some(now + PREFER_FIRST_AFTER);
        }
        self.current = (self.current + 1) % self.backends.len();
        log::info!("moving on to {}", self.backends[self.current].url);
        true
    }

    /// Returns to the first backend when its time has come.
    pub fn prefer_first(&mut self, now: Duration) {
        if self.first_again_at.is_some_and(|at| now >= at) {
            self.first_again_at = None;
            self.current = 0;
        }
    }

    /// The backend in use.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backends[self.current].url
    }

    /// How many backends there are.
    #[must_use]
    pub fn backend_count(&self) -> usize {
        self.backends.len()
    }

    /// What went over the wire so far.
    #[must_use]
    pub fn stats(&self) -> WireStats {
        self.stats
    }
}

/// A body on its way: paced, counted, and stopped when the service is.
struct Outflow<'p, R> {
    inner: R,
    limiter: &'p mut RateLimiter,
    seen: Seen,
}

/// What was seen of a body on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    first_read: Option<Instant>,
    wire_bytes: u64,
    stopped: bool,
}

fn send(
    request: ureq::RequestBuilder<ureq::typestate::WithBody>,
    mut body: impl Read,
    limiter: &mut RateLimiter,
) -> io::Result<(Result<ureq::http::Response<ureq::Body>, ureq::Error>, Seen)> {
    prefetch(&mut body, |ahead| {
        let mut outflow = Outflow {
            inner: ahead,
            limiter,
            seen: Seen::default(),
        };
        let result = request.send(SendBody::from_reader(&mut outflow));
        (result, outflow.seen)
    })
}

impl<R: Read> Read for Outflow<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.seen.first_read.get_or_insert_with(Instant::now);
        let share = self.limiter.share(out.len());
        let count = self.inner.read(&mut out[..share])?;
        self.seen.wire_bytes += count as u64;
        if self.limiter.spend(count) {
            self.seen.stopped = true;
            return Err(io::Error::other("interrupted"));
        }
        Ok(count)
    }
}

fn interrupted(start: Instant) -> Attempt {
    Attempt {
        verdict: Verdict::Interrupted,
        duration: start.elapsed(),
    }
}

fn local(start: Instant, error: io::Error) -> Attempt {
    Attempt {
        verdict: Verdict::Local(error),
        duration: start.elapsed(),
    }
}
