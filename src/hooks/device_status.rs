//! `PUT …/status` to a server that wants to know how its devices are ([`sync_protocol::status`]): one at a time, always
//! the newest, and nobody waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sync_protocol::status::Status;

/// Takes a status to its server, in bounded time; returns the answer's status.
pub(crate) type Put = Box<dyn Fn(&Status) -> Result<u16, String> + Send + Sync>;

/// A status follows the one before after so long, at the earliest.
const EVERY: Duration = Duration::from_secs(60);

/// Tells servers how the device is. Clones are the same one.
#[derive(Clone)]
pub(crate) struct DeviceStatus(Arc<Teller>);

struct Teller {
    put: Put,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When (monotonic) the last one was started.
    last: Option<Duration>,
    /// A thread sends.
    under_way: bool,
    /// What it sends next.
    next: Option<Status>,
    /// The backend that has no such thing after all.
    refused: Option<String>,
}

impl DeviceStatus {
    /// Statuses by way of `put`.
    #[must_use]
    pub(crate) fn new(put: Put) -> Self {
        Self(Arc::new(Teller {
            put,
            started: Instant::now(),
            state: Mutex::default(),
        }))
    }

    /// Whether it is time for one at `now` (monotonic).
    #[must_use]
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        let last = self.0.state().last;
        last.is_none_or(|last| now.saturating_sub(last) >= EVERY)
    }

    /// Whether one is on its way.
    #[must_use]
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.state().under_way
    }

    /// The backend that answered that it takes none, once.
    #[must_use]
    pub(crate) fn take_refused(&self) -> Option<String> {
        self.0.state().refused.take()
    }

    /// Sends `status` in a thread of its own, after the one on its way.
    pub(crate) fn start(&self, status: Status, now: Duration) {
        let mut state = self.0.state();
        state.last = Some(now);
        state.next = Some(Status {
            uptime_s: self.0.started.elapsed().as_secs(),
            ..status
        });
        if std::mem::replace(&mut state.under_way, true) {
            return;
        }
        drop(state);
        let teller = Arc::clone(&self.0);
        let started = thread::Builder::new()
            .name("status".into())
            .spawn(move || teller.send_all());
        if let Err(error) = started {
            log::debug!("status: {error}");
            self.0.state().under_way = false;
        }
    }
}

impl Teller {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_all(&self) {
        loop {
            let next = {
                let mut state = self.state();
                state.under_way = state.next.is_some();
                state.next.take()
            };
            let Some(status) = next else { return };
            match (self.put)(&status) {
                Ok(204 | 200) => {}
                Ok(code @ (404 | 405 | 501)) => {
                    log::debug!("status: HTTP {code} of {}", status.backend);
                    self.state().refused = Some(status.backend);
                }
                Ok(code) => log::debug!("status: HTTP {code} of {}", status.backend),
                Err(reason) => log::debug!("status: {}: {reason}", status.backend),
            }
        }
    }
}
