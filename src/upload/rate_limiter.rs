//! `SYNC_MAX_RATE_KBPS`: bytes leave no faster than that, so that the line stays usable for others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::shutdown::Shutdown;

/// Bytes handed out at once are at most what so much time allows.
const BURST: Duration = Duration::from_millis(50);

/// The least that is handed out at once, whatever the rate.
const LEAST: usize = 64;

/// Keeps a rate over all requests of the process.
pub(super) struct RateLimiter {
    /// Bytes per second; `None` is as fast as it goes.
    rate: Option<f64>,
    /// When the bytes handed out so far will have been due.
    due: Instant,
    shutdown: Arc<Shutdown>,
}

impl RateLimiter {
    /// At most `kbps` × 1000 bytes per second.
    pub(super) fn new(kbps: Option<u64>, shutdown: Arc<Shutdown>) -> Self {
        #[allow(clippy::cast_precision_loss)] // a rate needs no 53 bits
        let rate = kbps.map(|kbps| kbps as f64 * 1_000.0);
        Self {
            rate,
            due: Instant::now(),
            shutdown,
        }
    }

    /// How many of `wanted` bytes may be handed out at once.
    pub(super) fn share(&self, wanted: usize) -> usize {
        match self.rate {
            None => wanted,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive, and cut at wanted
            Some(rate) => wanted.min(((rate * BURST.as_secs_f64()) as usize).max(LEAST)),
        }
    }

    /// Accounts for `bytes` and waits until they are due; `true` when a stop was asked for.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let Some(rate) = self.rate else {
            return self.shutdown.is_requested();
        };
        let now = Instant::now();
        // Time that nobody used is gone: it does not add up to a burst.
        self.due = self.due.max(now);
        #[allow(clippy::cast_precision_loss)] // a chunk is small
        let cost = Duration::from_secs_f64(bytes as f64 / rate);
        self.due += cost;
        self.shutdown.wait(self.due.saturating_duration_since(now))
    }
}
