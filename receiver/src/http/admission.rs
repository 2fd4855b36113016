//! Requests served at a time: so many in all, so many of one peer, those that wait for as long as they can be served in
//! time, and a quick refusal of the rest.

mod pace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body;
use crate::answer::Refusal;
use crate::config::Config;
use crate::peer::Peer;
use pace::Pace;

/// How long a request waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

/// After how many seconds a refused connection may come again.
pub(crate) const COME_AGAIN_S: u32 = 10;

/// The permits of requests to `/api`.
pub(super) struct Admission {
    max_requests: usize,
    per_peer: Option<usize>,
    all: Arc<Semaphore>,
    peers: Mutex<HashMap<Peer, Weak<Semaphore>>>,
    waiting: AtomicUsize,
    pace: Pace,
}

/// A request's permit.
struct Permit {
    _peer: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

/// Counts a request that had a permit, also one whose sender went away.
struct Served<'a>(&'a Pace);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.served(Instant::now());
    }
}

/// Why there is none.
enum Full {
    Peer,
    All,
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            max_requests: config.max_requests,
            per_peer: config.max_per_peer,
            all: Arc::new(Semaphore::new(config.max_requests)),
            peers: Mutex::default(),
            waiting: AtomicUsize::new(0),
            pace: Pace::new(Instant::now()),
        }
    }

    /// Requests that are served, and that wait.
    pub(super) fn load(&self) -> (usize, usize) {
        let served = self.max_requests.saturating_sub(self.all.available_permits());
        (served, self.waiting.load(Ordering::Relaxed))
    }

    async fn take(&self, peer: Option<Peer>) -> Result<Permit, Full> {
        let limited = match (peer, self.per_peer) {
            (Some(peer), Some(most)) => Some(self.of_peer(peer, most)),
            // This machine's requests may be those of a proxy for all devices: only a limit that was asked for is theirs.
            (Some(peer), None) if !peer.is_local() => Some(self.of_peer(peer, self.max_requests.div_ceil(2))),
            _ => None,
        };
        let own = limited.clone().map(Semaphore::try_acquire_owned).transpose();
        if let (Ok(own), Ok(all)) = (own, Arc::clone(&self.all).try_acquire_owned()) {
            return Ok(Permit { _peer: own, _all: all });
        }
        let waiting = Waiting::new(&self.waiting);
        // Nobody waits for a turn that does not come in time; whoever has one must not be sent away for long.
        if waiting.before >= self.max_requests.max(self.pace.in_time(WAIT)) {
            return Err(Full::All);
        }
        let mut why = Full::Peer;
        let turn = async {
            let own = match limited {
                Some(limited) => Some(limited.acquire_owned().await.map_err(|_| Full::Peer)?),
                None => None,
            };
            why = Full::All;
            let all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| Full::All)?;
            Ok(Permit { _peer: own, _all: all })
        };
        match tokio::time::timeout(WAIT, turn).await {
            Ok(permit) => permit,
            Err(_) => Err(why),
        }
    }

    /// The permits of one peer; forgotten when it has no request left.
    fn of_peer(&self, peer: Peer, most: usize) -> Arc<Semaphore> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = peers.get(&peer).and_then(Weak::upgrade) {
            return permits;
        }
        peers.retain(|_, permits| permits.strong_count() > 0);
        let permits = Arc::new(Semaphore::new(most));
        peers.insert(peer, Arc::downgrade(&permits));
        permits
    }
}

/// One that waits.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        let before = count.fetch_add(1, Ordering::Relaxed);
        Self { count, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves a request when it has its permit.
pub(super) async fn admit(State(admission): State<Arc<Admission>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let refusal = match admission.take(peer).await {
        Ok(_permit) => {
            let _served = Served(&admission.pace);
            return next.run(request).await;
        }
        Err(Full::Peer) => Refusal {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..Refusal::busy(
                "trop de requêtes à la fois de cette adresse",
                admission.pace.come_again_s(),
            )
        },
        Err(Full::All) => Refusal::busy("trop de requêtes à la fois", admission.pace.come_again_s()),
    };
    body::answer_unread(request, refusal)
}
