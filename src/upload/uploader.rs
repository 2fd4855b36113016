//! Sends rows: one try a call, over one kept connection, to the backend that works.

mod acquaintance;
mod batches;
mod raw_video;
mod together;
mod transfer;
mod uploads;
mod wire;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::tls::TlsConfig;

use super::answer::Answer;
use super::backend::{Backends, Exchanges, Outcome};
use super::compress::{self, Gzip};
use super::config::{Secret, Timeouts, UploadConfig, UploadError};
use super::encoding::{Encoding, Packing};
use super::exchange::{Exchange, Manner};
use super::foremost::Foremost;
use super::media_body::MediaBody;
use super::outflow::{self, Flowed, VideoRead};
use super::rate_limiter::{LocalTime, RateLimiter};
use super::verdict::{Verdict, judge};
use super::wire::Wire;
use super::{ClipProgress, client, payload, tls, token_exposure};
use crate::notice::WireStats;
use crate::row::{Clip, Event};
use crate::shutdown::Shutdown;
use together::Flight;
use uploads::Uploads;

/// Bodies longer than this ask first (`Expect: 100-continue`, RFC 9110, 10.1.1).
const ASK_FIRST_BYTES: u64 = 1 << 20;

/// How long a stop waits for the answer of a request that is out. The whole stop has 2 s.
const LAST_ANSWER_WITHIN: Duration = Duration::from_millis(1_200);

/// Bytes of a request's headers, roughly, for the rate.
const HEADER_BYTES: usize = 400;

/// Where a request goes, and under which key.
struct Destination<'a> {
    path: &'a str,
    key: Option<&'a str>,
}

/// The server did not deal with `Expect`, and no byte of the body left: the same again without it.
struct AskedInVain;

/// The way to the server.
pub(crate) struct Uploader {
    backends: Backends,
    packing: Packing,
    token: Option<Secret>,
    has_certificate: bool,
    device_id: String,
    timeouts: Timeouts,
    limiter: RateLimiter,
    stats: WireStats,
    shutdown: Arc<Shutdown>,
    uploads: Uploads,
    flight: Flight,
    /// Of each lane; what goes alone has the first.
    exchanges: Exchanges,
    exchange: Arc<Exchange>,
    foremost: Option<Arc<Foremost>>,
}

impl Uploader {
    /// A way to the servers of `config`, whose timetable goes by `local_time`; nothing is connected yet.
    ///
    /// # Errors
    /// TLS settings that can't be used.
    pub(crate) fn new(
        config: UploadConfig,
        shutdown: Arc<Shutdown>,
        local_time: LocalTime,
    ) -> Result<Self, UploadError> {
        if config.token.is_some() {
            for url in config.backends.iter().filter(|url| !token_exposure::stays_private(url)) {
                log::warn!(
                    "BACKEND_TOKEN goes to {} unencrypted: anyone on the way can read it; use https",
                    url.as_str()
                );
            }
        }
        let tls = tls::settings(&config, &config.backends, config.client_identity())?;
        let exchanges = Exchanges::default();
        Ok(Self {
            backends: Backends::new(&config, &tls, &exchanges),
            packing: Packing::new(config.compression),
            token: config.token,
            has_certificate: config.client_cert.is_some(),
            device_id: config.device_id,
            timeouts: config.timeouts,
            limiter: RateLimiter::new(config.max_rate, local_time, Arc::clone(&shutdown)),
            stats: WireStats::default(),
            shutdown,
            uploads: Uploads::default(),
            flight: Flight::default(),
            exchange: Arc::clone(&exchanges[0]),
            exchanges,
            foremost: None,
        })
    }

    /// Whom we trust, and who we are to the servers.
    pub(crate) fn tls(&self) -> TlsConfig {
        self.backends.current().lane(0).config().tls_config().clone()
    }

    /// Tells `progress` how clips move.
    pub(crate) fn watch(&mut self, progress: Arc<dyn ClipProgress>) {
        let foremost = Foremost::new(progress);
        for (lane, exchange) in self.exchanges.iter().enumerate() {
            exchange.watch(foremost.of(lane));
        }
        self.foremost = Some(foremost);
    }

    /// Something that ends the request in flight, from another thread: one that is out gets a moment for its answer,
    /// which a server without idempotency keys could not be asked for again; any other is broken off. No request works
    /// afterwards.
    pub(crate) fn interrupter(&self) -> impl Fn() + Send + use<> {
        let agents = self.backends.agents();
        let exchanges = self.exchanges.clone();
        move || {
            let deadline = Instant::now() + LAST_ANSWER_WITHIN;
            for exchange in &exchanges {
                exchange.wait_for_answer(deadline.saturating_duration_since(Instant::now()));
            }
            for agent in &agents {
                agent.clone().shutdown();
            }
        }
    }

    fn send_event(&mut self, event: &Event, key: &str) -> Verdict {
        let body = match payload::event(event, &self.device_id) {
            Ok(body) => body,
            Err(error) => return Verdict::Local(error.into()),
        };
        if self.limiter.spend(HEADER_BYTES + body.len()) {
            return Verdict::Interrupted;
        }
        self.stats.requests += 1;
        self.stats.raw_bytes += body.len() as u64;
        self.stats.wire_bytes += body.len() as u64;
        self.exchange.begin(Manner::Small);
        let start = Instant::now();
        let outcome = self
            .backends
            .current()
            .post("/api/evenements", Some(key), self.token.as_ref())
            .config()
            .timeout_global(Some(self.timeouts.event + self.timeouts.connect))
            .timeout_recv_response(Some(self.timeouts.event))
            .build()
            .send(&body);
        let answer = self.read(outcome, start);
        self.conclude(answer, false)
    }

    fn send_clip(&mut self, clip: &Clip, video: &mut dyn Read, key: &str) -> Result<Verdict, AskedInVain> {
        let exchange = Arc::clone(&self.exchange);
        let mut video = VideoRead {
            video,
            exchange: &exchange,
        };
        let mut body = match MediaBody::new(clip, &mut video, &self.device_id) {
            Ok(body) => body,
            Err(error) => return Ok(Verdict::Local(error)),
        };
        if self.limiter.spend(HEADER_BYTES) {
            return Ok(Verdict::Interrupted);
        }
        let encoding = self.packing.encoding();
        let asks = body.len() > ASK_FIRST_BYTES && self.backends.current().asks_first;
        exchange.begin(if asks { Manner::Asking } else { Manner::Streamed });
        let start = Instant::now();
        let to = Destination {
            path: "/api/media",
            key: Some(key),
        };
        let length = body.len();
        let (outcome, flowed) = match self.stream(&mut body, length, encoding, asks, &to) {
            Ok(sent) => sent,
            Err(error) => return Ok(Verdict::Local(error)),
        };
        self.stats.wire_bytes += flowed.wire_bytes;
        self.stats.raw_bytes += body.given();
        if asks && exchange.is_unanswered() {
            self.backends
                .current_mut()
                .stop_asking("did not answer the question in time");
        }
        if flowed.stopped {
            return Ok(Verdict::Interrupted);
        }
        // The body broke off for a reason of ours: the connection is gone with it, and no server has half a clip.
        if let Some(error) = body.take_failure() {
            return Ok(Verdict::Local(error));
        }
        let answer = self.read(outcome, start);
        if asks && !exchange.body_begun() && !self.shutdown.is_requested() && rejects_question(&answer) {
            self.backends
                .current_mut()
                .stop_asking("can't deal with a question before the body");
            return Err(AskedInVain);
        }
        Ok(self.conclude(answer, encoding != Encoding::Plain))
    }

    /// Sends a request with its body of `length` bytes, packed as `encoding` says.
    ///
    /// # Errors
    /// The packer or a thread could not be had; nothing was sent.
    fn stream(
        &mut self,
        body: impl Read,
        length: u64,
        encoding: Encoding,
        asks: bool,
        to: &Destination,
    ) -> io::Result<(Outcome, Flowed)> {
        let mut request = self.backends.current().post(to.path, to.key, self.token.as_ref());
        request = match encoding.name() {
            None => request.header("Content-Length", length.to_string()),
            Some(name) => request
                .header("Content-Encoding", name)
                .header("Transfer-Encoding", "chunked"),
        };
        if asks {
            request = request.header("Expect", "100-continue");
        }
        self.stats.requests += 1;
        let (limiter, exchange) = (&mut self.limiter, &self.exchange);
        match encoding {
            Encoding::Plain => outflow::send(request, body, Some(length), limiter, exchange),
            Encoding::Gzip => outflow::send(request, Gzip::new(body), None, limiter, exchange),
            Encoding::Zstd => outflow::send(request, compress::zstd(body)?, None, limiter, exchange),
        }
    }

    /// Reads the answer to a request that began at `start`.
    fn read(&mut self, outcome: Outcome, start: Instant) -> Result<Answer, ureq::Error> {
        let answer = outcome.and_then(|response| Answer::read(response, self.token.as_ref()));
        self.stats.duration_ms += u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        answer
    }

    /// Turns what came back into a verdict, and learns from the answer's headers.
    fn conclude(&mut self, answer: Result<Answer, ureq::Error>, packed: bool) -> Verdict {
        let verdict = match answer {
            Err(_) if self.shutdown.is_requested() => Verdict::Interrupted,
            Ok(answer) => {
                self.learn(&answer);
                judge(&answer, packed)
            }
            Err(error) => {
                let backend = self.backends.current();
                log::debug!("{}: {error}", backend.url.as_str());
                backend.resolver.forget();
                let secure = backend.url.is_https();
                client::judge_failure(&error, secure && !self.has_certificate)
            }
        };
        if matches!(verdict, Verdict::RetryUncompressed) {
            log::info!("{} takes no packed bodies: plain from now on", self.backend());
            self.packing.refuse();
        }
        self.discreet(verdict)
    }

    /// A verdict without the token, which a server may have said back.
    fn discreet(&self, verdict: Verdict) -> Verdict {
        match &self.token {
            Some(token) => verdict.without(token),
            None => verdict,
        }
    }
}

/// Whether an answer to a request that asked, and whose body was not begun, is about the question and not the row.
fn rejects_question(answer: &Result<Answer, ureq::Error>) -> bool {
    match answer {
        Ok(answer) => answer.status == 417,
        Err(error) => client::is_unreadable_or_late(error),
    }
}
