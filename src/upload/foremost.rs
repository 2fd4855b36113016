//! Of several clips on their way, the progress of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::ClipProgress;

/// Passes on how one clip moves. That another moves is told too, since somebody watches for any progress, but not how far.
pub(super) struct Foremost {
    told: Arc<dyn ClipProgress>,
    lane: AtomicUsize,
    sent: AtomicU64,
}

/// One lane's.
struct Lane {
    lane: usize,
    foremost: Arc<Foremost>,
}

impl Foremost {
    pub(super) fn new(told: Arc<dyn ClipProgress>) -> Arc<Self> {
        Arc::new(Self {
            told,
            lane: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
        })
    }

    /// From now on `lane` is the one.
    pub(super) fn follow(&self, lane: usize) {
        if self.lane.swap(lane, Ordering::SeqCst) != lane {
            self.sent.store(0, Ordering::SeqCst);
        }
    }

    pub(super) fn of(self: &Arc<Self>, lane: usize) -> Arc<dyn ClipProgress> {
        Arc::new(Lane {
            lane,
            foremost: Arc::clone(self),
        })
    }
}

impl ClipProgress for Lane {
    fn sent(&self, bytes: u64) {
        let Foremost { told, lane, sent } = &*self.foremost;
        if lane.load(Ordering::SeqCst) == self.lane {
            sent.store(bytes, Ordering::SeqCst);
        }
        told.sent(sent.load(Ordering::SeqCst));
    }
}
