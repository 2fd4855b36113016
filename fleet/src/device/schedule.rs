//! When new work arrives: at fixed times from a beginning by chance, whatever became of the work before.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::run::{Run, Table};

/// What arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Status,
    Row(Table),
}

/// Work at its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) what: What,
    pub(super) at: Instant,
}

struct Arrivals {
    what: What,
    next: Instant,
    every: Duration,
}

/// The arrivals of a device, until no more come.
pub(super) struct Schedule {
    arrivals: Vec<Arrivals>,
    ends: Instant,
}

impl Schedule {
    pub(super) fn new(run: &Run, random: &mut Rng) -> Self {
        let plan = &run.plan;
        let kinds = [
            (What::Row(Table::Events), plan.event_every),
            (What::Row(Table::Clips), plan.clip_every),
            (What::Status, plan.status_every),
        ];
        let arrivals = kinds.into_iter().filter_map(|(what, every)| {
            let every = every?;
            let next = run.begun + every.mul_f64(random.f64());
            Some(Arrivals { what, next, every })
        });
        Self {
            arrivals: arrivals.collect(),
            ends: run.work_ends(),
        }
    }

    /// When the next work arrives; `None` when no more does.
    pub(super) fn next(&self) -> Option<Instant> {
        let next = self.arrivals.iter().map(|arrivals| arrivals.next).min();
        next.filter(|next| *next < self.ends)
    }

    /// What has arrived, in its order.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for arrivals in &mut self.arrivals {
            while arrivals.next <= now && arrivals.next < self.ends {
                due.push(Due {
                    what: arrivals.what,
                    at: arrivals.next,
                });
                arrivals.next += arrivals.every;
            }
        }
        due.sort_by_key(|due| due.at);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_keeps_its_times_however_late_it_is_taken() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let mut schedule = Schedule {
            arrivals: vec![
                Arrivals {
                    what: What::Status,
                    next: begun,
                    every: 2 * second,
                },
                Arrivals {
                    what: What::Row(Table::Events),
                    next: begun + second,
                    every: 3 * second,
                },
            ],
            ends: begun + 6 * second,
        };
        assert_eq!(schedule.next(), Some(begun));
        let times = |due: Vec<Due>| -> Vec<u64> { due.iter().map(|due| (due.at - begun).as_secs()).collect() };
        assert_eq!(times(schedule.take(begun)), [0]);
        // Late by hours: what was due is there all the same, with the times at which it was due.
        assert_eq!(times(schedule.take(begun + 3_600 * second)), [1, 2, 4, 4]);
        assert_eq!((schedule.next(), schedule.take(begun + 3_600 * second)), (None, vec![]));
    }
}
