//! A clock that only moves when somebody waits, or a request takes its time.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::clock::Clock;

/// 2025-12-18 17:30:00 UTC.
pub(super) const NOW: i64 = 1_766_079_000;

/// Something that happens while somebody waits.
type Plan = (Duration, Box<dyn FnMut(&SimClock)>);

/// Time that is only spent by waits and requests.
pub(super) struct SimClock {
    now: Cell<Duration>,
    /// The wall clock at monotonic zero.
    wall: Cell<i64>,
    stop_at: Cell<Option<Duration>>,
    plans: RefCell<Vec<Plan>>,
    /// Begin and length of every wait.
    pub waits: RefCell<Vec<(Duration, Duration)>>,
}

impl SimClock {
    pub(super) fn new() -> Self {
        Self {
            now: Cell::default(),
            wall: Cell::new(NOW),
            stop_at: Cell::default(),
            plans: RefCell::default(),
            waits: RefCell::default(),
        }
    }

    /// The wall clock jumps by `seconds`; the monotonic one does not.
    pub(super) fn jump(&self, seconds: i64) {
        self.wall.set(self.wall.get() + seconds);
    }

    pub(super) fn stop_at(&self, time: Duration) {
        self.stop_at.set(Some(time));
    }

    /// `action` happens in the wait that reaches `time`.
    pub(super) fn plan(&self, time: Duration, action: impl FnMut(&SimClock) + 'static) {
        self.plans.borrow_mut().push((time, Box::new(action)));
    }

    /// Time passes, as a request takes it.
    pub(super) fn spend(&self, duration: Duration) {
        let end = self.now.get() + duration;
        loop {
            let mut plans = self.plans.borrow_mut();
            let due = plans.iter().enumerate().filter(|(_, (at, _))| *at <= end);
            let Some(next) = due.min_by_key(|(_, (at, _))| *at).map(|(place, _)| place) else {
                break;
            };
            let (at, mut action) = plans.remove(next);
            drop(plans);
            self.now.set(self.now.get().max(at));
            action(self);
        }
        self.now.set(end);
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        self.now.get()
    }

    fn unix_seconds(&self) -> i64 {
        self.wall.get() + i64::try_from(self.now.get().as_secs()).unwrap()
    }

    fn local(&self) -> chrono::NaiveDateTime {
        chrono::DateTime::from_timestamp(self.unix_seconds(), 0)
            .unwrap()
            .naive_utc()
    }

    fn wait(&self, duration: Duration) -> bool {
        self.waits.borrow_mut().push((self.now.get(), duration));
        let left = self.stop_at.get().map(|stop| stop.saturating_sub(self.now.get()));
        let stopped = left.is_some_and(|left| left <= duration);
        self.spend(if stopped { left.unwrap() } else { duration });
        stopped
    }
}
