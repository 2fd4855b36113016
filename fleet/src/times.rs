//! Times of one sort, counted by length: every quantile to within a hundredth, in a few kilobytes however many there are.

use std::time::Duration;

/// Lengths that share their leading bits share a count: 128 counts for each doubling.
const LEADING: u64 = 128;

/// Counts by length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    counts: Vec<u64>,
    count: u64,
    longest_us: u64,
}

fn index(us: u64) -> usize {
    let bits = u64::from(u64::BITS - us.leading_zeros());
    let shift = bits.saturating_sub(8);
    usize::try_from(shift * LEADING + (us >> shift)).unwrap_or(usize::MAX)
}

/// The longest that is counted there.
fn longest_of(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / LEADING).saturating_sub(1);
    let leading = index - shift * LEADING;
    let next = u128::from(leading + 1) << shift;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let index = index(us);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.count += 1;
        self.longest_us = self.longest_us.max(us);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us)
    }

    /// The time within which this share of them lay; nothing of nothing.
    pub(crate) fn at(&self, share: f64) -> Duration {
        let mut left = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        for (index, count) in self.counts.iter().enumerate() {
            if *count >= left {
                return Duration::from_micros(longest_of(index).min(self.longest_us));
            }
            left -= count;
        }
        self.longest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_list_to_a_hundredth() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut list: Vec<u64> = (0..20_000).map(|_| random.u64(..) >> random.u32(20..64)).collect();
        let mut times = Times::default();
        for us in &list {
            times.add(Duration::from_micros(*us));
        }
        list.sort_unstable();
        for share in [0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let right = list[(share * 20_000.0) as usize - 1] as f64;
            let told = times.at(share).as_micros() as f64;
            assert!(
                told >= right && told <= right * 1.01 + 1.0,
                "{share}: {told} for {right}"
            );
        }
        assert_eq!(times.longest(), Duration::from_micros(list[19_999]));
    }

    #[test]
    fn the_shortest_and_the_longest_have_a_place() {
        for us in [0, 1, 255, 256, 257, 511, 512, u64::MAX] {
            assert!(longest_of(index(us)) >= us, "{us}");
        }
        assert_eq!(Times::default().at(0.5), Duration::ZERO);
    }
}
