//! The lead of a work: held for a while, and prolonged while the work goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::{OfWork, UpkeepMetrics};
use crate::store::{Desk, StoreError};

/// How long a receiver that has died keeps the others from its work.
const LEASE: Duration = Duration::from_secs(30);

/// The lead is prolonged when this much of it is over, so that a step may take long.
const PROLONG_AFTER: Duration = Duration::from_secs(10);

/// The way to a lead.
pub(super) struct Lead {
    work: &'static str,
    name: String,
    desk: Arc<dyn Desk>,
    metrics: UpkeepMetrics,
    taken: Option<Instant>,
}

impl Lead {
    pub(super) fn new(work: &'static str, name: String, desk: Arc<dyn Desk>, metrics: &UpkeepMetrics) -> Self {
        let lead = Self {
            work,
            name,
            desk,
            metrics: metrics.clone(),
            taken: None,
        };
        lead.tell(false);
        lead
    }

    /// Whether the work is ours for a while.
    ///
    /// # Errors
    /// The database does not answer: then it is nobody's to do.
    pub(super) async fn is_ours(&mut self) -> Result<bool, StoreError> {
        if self.taken.is_some_and(|taken| taken.elapsed() < PROLONG_AFTER) {
            return Ok(true);
        }
        // Counted from before the question: the database's clock begins later.
        let asked = Instant::now();
        let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        let led = self.desk.lead(self.work, self.name.clone(), lease_ms).await;
        let is_ours = matches!(led, Ok(true));
        self.taken = is_ours.then_some(asked);
        self.tell(is_ours);
        led
    }

    fn tell(&self, is_ours: bool) {
        let of = OfWork { work: self.work };
        self.metrics.leading.get_or_create(&of).set(i64::from(is_ours));
    }
}
