//! What is counted and timed while devices work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;

use crate::times::Times;

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Status,
    Event,
    Batch,
    Clip,
    /// What the check at the end asks.
    Check,
}

impl Kind {
    pub(crate) const OF_DEVICES: [Self; 4] = [Self::Status, Self::Event, Self::Batch, Self::Clip];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Event => "event",
            Self::Batch => "batch",
            Self::Clip => "clip",
            Self::Check => "check",
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    Unreachable,
    Broken,
    Timeout,
    /// We broke it, as was asked for.
    Cut,
}

impl Trouble {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "not connected",
            Self::Broken => "broken off",
            Self::Timeout => "no answer in time",
            Self::Cut => "cut by us",
        }
    }
}

/// What was counted.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    /// From the moment the work was due until the receiver had it, tries and waits included.
    pub(crate) through: BTreeMap<Kind, Times>,
    /// From a request's first byte to its answer's last, whatever the answer.
    pub(crate) answered: BTreeMap<Kind, Times>,
    pub(crate) connected: Times,
    /// Events and clips that got through.
    pub(crate) events: u64,
    pub(crate) clips: u64,
    pub(crate) clip_bytes: u64,
    /// Answers that were no success, and requests without one.
    pub(crate) refusals: BTreeMap<String, u64>,
}

/// All of it, shared by the devices.
#[derive(Default)]
pub(crate) struct Stats {
    counts: Mutex<Counts>,
    open: AtomicU64,
    most_open: AtomicU64,
}

impl Stats {
    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected(&self, took: Duration) {
        let open = 1 + self.open.fetch_add(1, Ordering::Relaxed);
        self.most_open.fetch_max(open, Ordering::Relaxed);
        self.counts().connected.add(took);
    }

    pub(crate) fn disconnected(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn most_open(&self) -> u64 {
        self.most_open.load(Ordering::Relaxed)
    }

    pub(crate) fn answered(&self, kind: Kind, status: StatusCode, took: Duration) {
        let mut counts = self.counts();
        counts.answered.entry(kind).or_default().add(took);
        if !status.is_success() && kind != Kind::Check {
            counts.refuse(kind, status.as_str());
        }
    }

    pub(crate) fn trouble(&self, kind: Kind, trouble: Trouble) {
        if kind != Kind::Check {
            self.counts().refuse(kind, trouble.name());
        }
    }

    /// Something else than a status went wrong.
    pub(crate) fn odd(&self, kind: Kind, what: &str) {
        self.counts().refuse(kind, what);
    }

    pub(crate) fn through(&self, kind: Kind, since_due: Duration) {
        self.counts().through.entry(kind).or_default().add(since_due);
    }
}

impl Counts {
    fn refuse(&mut self, kind: Kind, what: &str) {
        *self.refusals.entry(format!("{} {what}", kind.name())).or_default() += 1;
    }
}
