//! A device's line: one connection at a time to one receiver at a time, plain HTTP/1.1, on this machine.

mod address;
mod body;
mod connection;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, StatusCode};
use sync_protocol::patience::Turns;
use sync_protocol::{EXTENSIONS_HEADER, Extension, Extensions};

use crate::stats::{Kind, Stats, Trouble};
pub(crate) use address::Address;
pub(crate) use body::Pieces;
use connection::Connection;

/// Longest answer: a clip.
const ANSWER_MAX_BYTES: usize = 80 << 20;

/// Addresses of this machine that devices call from: each has ports of its own, and none is a receiver's, so that no
/// connection can be made to itself.
const SOURCES: u8 = 16;

/// What all lines share.
pub(crate) struct Network {
    pub(crate) receivers: Vec<Address>,
    pub(crate) keep_alive: Duration,
    pub(crate) stats: Arc<Stats>,
}

/// A request.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Pieces,
    pub(crate) patience: Duration,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: hyper::body::Bytes,
}

/// A device's way to the receivers.
pub(crate) struct Line {
    network: Arc<Network>,
    source: Ipv4Addr,
    /// Times of its turns count from here.
    begun: Instant,
    turns: Turns,
    open: Option<Connection>,
    /// What each receiver has beyond the contract, as its last answer said.
    extensions: Vec<Extensions>,
    /// In every request: a token, or a session's cookie.
    pub(crate) pass: Option<(HeaderName, HeaderValue)>,
}

impl Line {
    /// A line of device `number`, which knows the receivers from earlier days.
    pub(crate) fn new(network: &Arc<Network>, number: u32, extensions: &[Extensions]) -> Self {
        let own = number as usize % network.receivers.len();
        Self::preferring(own, number, network, extensions)
    }

    /// One of the check, which asks each receiver for itself.
    pub(crate) fn only(network: &Arc<Network>, receiver: usize) -> Self {
        let count = network.receivers.len();
        Self::preferring(receiver, 0, network, &vec![Extensions::NONE; count])
    }

    fn preferring(own: usize, number: u32, network: &Arc<Network>, extensions: &[Extensions]) -> Self {
        let source = u8::try_from(number % u32::from(SOURCES)).unwrap_or_default();
        Self {
            network: Arc::clone(network),
            source: Ipv4Addr::new(127, 0, 0, 2 + source),
            begun: Instant::now(),
            turns: Turns::new(network.receivers.len(), own),
            open: None,
            extensions: extensions.to_vec(),
            pass: None,
        }
    }

    pub(crate) fn has(&self, extension: Extension) -> bool {
        self.extensions[self.turns.current()].has(extension)
    }

    /// Ends the connection, also with a request on its way.
    pub(crate) fn hang_up(&mut self) {
        self.open = None;
    }

    /// How long the connection may still lie idle; `None` without one.
    pub(crate) fn idle_until(&self) -> Option<Instant> {
        let open = self.open.as_ref()?;
        Some(open.used + self.network.keep_alive)
    }

    /// Moves on after the receiver in use failed, and wished to be left alone for so long if it named a time; as [`Turns::failed`] has it.
    pub(crate) fn fail_over(&mut self, wish: Option<Duration>) -> Option<Duration> {
        let now = self.begun.elapsed();
        self.takes_turns(|turns| turns.failed(now, wish))
    }

    /// In how long the first of the receivers that named a time may be asked again.
    pub(crate) fn named_wait(&self) -> Option<Duration> {
        self.turns.named_wait(self.begun.elapsed())
    }

    /// Returns to the own receiver when its time has come.
    pub(crate) fn prefer_own(&mut self) {
        let now = self.begun.elapsed();
        self.takes_turns(|turns| turns.prefer(now));
    }

    fn takes_turns<T>(&mut self, take: impl FnOnce(&mut Turns) -> T) -> T {
        let before = self.turns.current();
        let taken = take(&mut self.turns);
        if self.turns.current() != before {
            self.hang_up();
        }
        taken
    }

    pub(crate) fn receivers(&self) -> usize {
        self.network.receivers.len()
    }

    pub(crate) fn url(&self) -> String {
        self.network.receivers[self.turns.current()].url()
    }

    /// Sends a request and reads its answer, whatever its status.
    pub(crate) async fn ask(&mut self, kind: Kind, ask: Ask) -> Result<Answer, Trouble> {
        let stats = Arc::clone(&self.network.stats);
        let (begun, patience, is_cut) = (Instant::now(), ask.patience, ask.body.is_cut());
        let asked = tokio::time::timeout(patience, self.exchange(ask)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(trouble)) => {
                self.hang_up();
                let trouble = if is_cut { Trouble::Cut } else { trouble };
                stats.trouble(kind, trouble);
                return Err(trouble);
            }
            Err(_) => {
                self.hang_up();
                stats.trouble(kind, Trouble::Timeout);
                return Err(Trouble::Timeout);
            }
        };
        stats.answered(kind, answer.status, begun.elapsed());
        let lines = answer.headers.get_all(EXTENSIONS_HEADER).iter();
        self.extensions[self.turns.current()] = Extensions::parse(lines.filter_map(|line| line.to_str().ok()));
        Ok(answer)
    }

    async fn exchange(&mut self, ask: Ask) -> Result<Answer, Trouble> {
        let request = self.request(ask)?;
        let now = Instant::now();
        let usable = |open: &Connection| now < open.used + self.network.keep_alive && !open.sender.is_closed();
        let reused = match self.open.take().filter(usable) {
            // Ended by the other side meanwhile: nothing of the request has left.
            Some(mut open) => open.sender.ready().await.is_ok().then_some(open),
            None => None,
        };
        let mut open = match reused {
            Some(open) => open,
            None => {
                let address = &self.network.receivers[self.turns.current()];
                Connection::open(address, self.source, &self.network.stats).await?
            }
        };
        // From here on a break ends the connection with this future.
        let response = open.sender.send_request(request).await.map_err(|_| Trouble::Broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
        let body = body.map_err(|_| Trouble::Broken)?.to_bytes();
        open.used = Instant::now();
        self.open = Some(open);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    fn request(&self, ask: Ask) -> Result<Request<Pieces>, Trouble> {
        let address = &self.network.receivers[self.turns.current()];
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}{}", address.prefix, ask.path))
            .header(HOST, &address.authority)
            .header(USER_AGENT, concat!("sync-fleet/", env!("CARGO_PKG_VERSION")));
        for (name, value) in ask.headers.iter() {
            request = request.header(name, value);
        }
        if let Some((name, value)) = &self.pass {
            request = request.header(name, value);
        }
        request.body(ask.body).map_err(|_| Trouble::Broken)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
