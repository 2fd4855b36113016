//! The memory that zstd windows take: each sender chooses how much his takes, so all of them share a limit.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Refusal;

/// What all windows together may take. Ours has 128 KB; RFC 9659 has every sender keep to 8 MB.
const ALL_MAX_KB: usize = 64 << 10;

/// How soon a sender that found no room should ask again.
const RETRY_AFTER_S: u32 = 10;

/// What is left of that memory.
#[derive(Clone)]
pub(crate) struct WindowBudget(Arc<Semaphore>);

/// Reservation for a window, given back when it is dropped.
pub(super) struct Reservation(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Default for WindowBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_MAX_KB)))
    }
}

impl WindowBudget {
    /// Reservation for a window of that size, or 503: a body that is kept waiting would hold its connection for as long.
    pub(super) fn reserve(&self, bytes: u64) -> Result<Reservation, Refusal> {
        u32::try_from(bytes.div_ceil(1 << 10))
            .ok()
            .and_then(|kb| Arc::clone(&self.0).try_acquire_many_owned(kb).ok())
            .map(Reservation)
            .ok_or_else(|| Refusal::busy("trop de corps zstd à la fois", RETRY_AFTER_S))
    }
}
