//! What crashes left of clips without rows, in a place that many receivers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lead::Lead;
use crate::store::{Store, StoreError};

/// The name of the work.
pub(super) const WORK: &str = "sweep";

/// How often the lead is asked for, or kept.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long after it got the lead a receiver looks first, and how often it then does: there is no hurry.
const FIRST_AFTER: Duration = Duration::from_secs(600);
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 3_600);

pub(super) struct Sweep {
    lead: Lead,
    store: Arc<Store>,
}

impl Sweep {
    pub(super) fn new(lead: Lead, store: Arc<Store>) -> Self {
        Self { lead, store }
    }

    /// Removes what is nobody's, for as long as it is polled.
    pub(super) async fn run(mut self) {
        let mut due = Instant::now() + FIRST_AFTER;
        let mut looked: Option<Instant> = None;
        loop {
            let is_ours = self.lead.is_ours().await;
            if matches!(is_ours, Ok(true)) && looked.is_none_or(|at| at.elapsed() >= FIRST_AFTER) {
                // At once: an empty place is owned before anything is in it.
                looked = self.store.owns_clips().await.is_ok().then(Instant::now);
            }
            match is_ours {
                Ok(true) if Instant::now() >= due => {
                    if let Err(error) = self.sweep().await {
                        log::warn!("sweep: {error}; it is tried again");
                        due = Instant::now() + FIRST_AFTER;
                    } else {
                        due = Instant::now() + SWEEP_EVERY;
                    }
                }
                Ok(true) => {}
                // Who gets it later has not looked yet.
                Ok(false) | Err(_) => due = Instant::now() + FIRST_AFTER,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn sweep(&mut self) -> Result<(), StoreError> {
        let mut next = None;
        loop {
            next = self.store.sweep(next).await?;
            if next.is_none() || !self.lead.is_ours().await? {
                return Ok(());
            }
        }
    }
}
