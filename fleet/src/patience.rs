//! How long a device waits before it tries again: as the uploader does it.

use std::time::Duration;

use fastrand::Rng;

/// Tries of a row in one pass before the pass ends.
pub(crate) const ATTEMPTS: u32 = 3;

/// Waits between them, before jitter.
const DELAYS_MS: [u64; 2] = [500, 1_000];

/// The first wait after a pass that the receivers ended; it doubles up to the interval.
const FIRST: Duration = Duration::from_secs(5);

/// The pause before a clip goes on after a break.
const RESUME: Duration = Duration::from_millis(50);

/// How long another receiver is used before the own one is tried again.
pub(crate) const PREFER_FIRST_AFTER: Duration = Duration::from_secs(60);

/// `duration` ± `share` of it.
fn around(duration: Duration, share: f64, random: &mut Rng) -> Duration {
    duration.mul_f64(1.0 - share + 2.0 * share * random.f64())
}

/// The wait after the `attempt`th try (from 1): never shorter than the receiver's wish, which counts up to the interval.
pub(crate) fn attempt(attempt: u32, wish: Option<Duration>, interval: Duration, random: &mut Rng) -> Duration {
    let index = (attempt.saturating_sub(1) as usize).min(DELAYS_MS.len() - 1);
    match wish {
        Some(wish) => wish.min(interval).mul_f64(1.0 + 0.1 * random.f64()),
        None => around(Duration::from_millis(DELAYS_MS[index]).min(interval), 0.5, random),
    }
}

/// The wait after `troubles` passes in a row that the receivers ended.
pub(crate) fn pass(troubles: u32, interval: Duration, random: &mut Rng) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(troubles.saturating_sub(1)));
    around(doubled.min(interval), 0.1, random)
}

/// The wait before a clip goes on after a break.
pub(crate) fn resume(random: &mut Rng) -> Duration {
    around(RESUME, 0.5, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_never_cut_short_and_never_longer_than_the_interval() {
        let mut random = Rng::with_seed(1);
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..1_000 {
            let wait = attempt(1, Some(10 * second), minute, &mut random);
            assert!((10 * second..=11 * second).contains(&wait), "{wait:?}");
            let wait = attempt(1, Some(3_600 * second), minute, &mut random);
            assert!((minute..=66 * second).contains(&wait), "{wait:?}");
            let wait = attempt(9, None, minute, &mut random);
            assert!((second / 2..=second * 3 / 2).contains(&wait), "{wait:?}");
            let wait = pass(3, minute, &mut random);
            assert!((18 * second..=22 * second).contains(&wait), "{wait:?}");
            assert!(pass(99, minute, &mut random) <= 66 * second);
        }
    }
}
