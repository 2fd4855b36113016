//! The request to stop, seen by every wait and every chunk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once, by a signal; never cleared.
#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    requested: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Shutdown {
    /// Asks everything that looks here to stop, and wakes every wait.
    pub(crate) fn request(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.requested.store(true, Ordering::SeqCst);
        self.woken.notify_all();
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Waits up to `duration`; returns `true`, at once, when a stop is asked for.
    pub(crate) fn wait(&self, duration: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let (_guard, _timeout) = self
            .woken
            .wait_timeout_while(guard, duration, |()| !self.is_requested())
            .unwrap_or_else(PoisonError::into_inner);
        self.is_requested()
    }
}
