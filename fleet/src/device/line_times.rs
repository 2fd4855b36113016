//! When a device has no line.

use std::time::Instant;

use fastrand::Rng;

use crate::run::Run;

/// The outages of a device: number, beginning, end.
pub(super) struct LineTimes(Vec<(usize, Instant, Instant)>);

impl LineTimes {
    pub(super) fn new(run: &Run, random: &mut Rng) -> Self {
        let outages = run.plan.outages.iter().zip(1..);
        let own = outages.filter(|(outage, _)| random.f64() < outage.share);
        let times = own.map(|(outage, number)| {
            let begin = run.begun + outage.begin;
            (number, begin, begin + outage.length)
        });
        Self(times.collect())
    }

    /// The outage at a moment, and when the line is back.
    pub(super) fn down(&self, now: Instant) -> Option<(usize, Instant)> {
        let down = self.0.iter().filter(|(_, begin, end)| (*begin..*end).contains(&now));
        down.map(|(number, _, end)| (*number, *end)).max_by_key(|(_, end)| *end)
    }

    /// When the next one begins.
    pub(super) fn next_down(&self, now: Instant) -> Option<Instant> {
        let later = self.0.iter().map(|(_, begin, _)| *begin);
        later.filter(|begin| *begin > now).min()
    }
}
