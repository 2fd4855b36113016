//! What crashes left of clips without rows, in a place that many receivers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lead::Lead;
use super::leap::Leap;
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
    leap: Leap,
}

impl Sweep {
    pub(super) fn new(lead: Lead, store: Arc<Store>) -> Self {
        let leap = Leap::new(WORK);
        Self { lead, store, leap }
    }

    /// Removes what is nobody's, for as long as it is polled.
    pub(super) async fn run(mut self) {
        let mut due = Instant::now() + FIRST_AFTER;
        let mut looked: Option<Instant> = None;
        loop {
            let is_ours = self.lead.is_ours().await;
            if matches!(is_ours, Ok(true)) && looked.is_none_or(|at| at.elapsed() >= FIRST_AFTER) {
                // At once: an empty place is owned before anything is in it.
                // And the clock, so that a leap until the first sweep is seen.
                let _ = self.leap.now_s(&self.store).await;
                looked = self.store.owns_clips().await.is_ok().then(Instant::now);
            }
            match is_ours {
                Ok(true) if Instant::now() >= due => {
                    let swept = self.sweep().await.unwrap_or_else(|error| {
                        log::warn!("sweep: {error}; it is tried again");
                        false
                    });
                    due = Instant::now() + if swept { SWEEP_EVERY } else { FIRST_AFTER };
                }
                Ok(true) => {}
                // Who gets it later has not looked yet.
                Ok(false) | Err(_) => due = Instant::now() + FIRST_AFTER,
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// `false` while the clock is not believed.
    async fn sweep(&mut self) -> Result<bool, StoreError> {
        if self.leap.now_s(&self.store).await?.is_none() {
            return Ok(false);
        }
        let mut next = None;
        loop {
            next = self.store.sweep(next).await?;
            if next.is_none() || !self.lead.is_ours().await? {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::UpkeepMetrics;
    use crate::store::{Places, open};

    #[tokio::test]
    async fn nothing_is_swept_while_the_clock_has_just_leapt() {
        let data = tempfile::tempdir().unwrap();
        let (store, desk) = open(data.path(), &Places::default()).await.unwrap();
        let lead = Lead::new(WORK, "one".to_string(), desk, &UpkeepMetrics::default());
        let mut sweep = Sweep::new(lead, Arc::new(store));
        for (clock_s, swept) in [(86_400, false), (60, true)] {
            sweep.leap = Leap::since(clock_s, 60);
            assert_eq!(sweep.sweep().await, Ok(swept));
        }
    }
}
