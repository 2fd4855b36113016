//! Clips whose deletion would keep the recorder waiting on this device: those from a length on, as far as is known.

use std::time::Duration;

use super::policy;
use crate::device::{Device, DeviceError};

/// The key under which the database remembers a deletion that took too long: also a run from cron knows it.
const KEY: &str = "prune_too_long";

/// What is known, and what was left for it.
#[derive(Debug, Default)]
pub(crate) struct TooLong {
    /// The length, and until when (Unix seconds) it holds: a card or a processor may have had a bad moment.
    from: Option<(u64, i64)>,
    /// Clips left since this was last told.
    left: u64,
}

impl TooLong {
    /// What earlier processes learned.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn recall(device: &Device) -> Result<Self, DeviceError> {
        let kept = device.meta(KEY)?.unwrap_or_default();
        let numbers = kept.split_once(' ');
        let from = numbers.and_then(|(bytes, until)| Some((bytes.parse().ok()?, until.parse().ok()?)));
        Ok(Self { from, left: 0 })
    }

    /// Whether a clip is left for its length; a time further away than any that is given is a clock that jumped.
    pub(super) fn is(&mut self, bytes: u64, now: i64) -> bool {
        let holds = |until: i64| (1..=policy::PRUNE_OVERRAN_S).contains(&until.saturating_sub(now));
        self.from = self.from.filter(|(_, until)| holds(*until));
        let long = self.from.is_some_and(|(from, _)| bytes >= from);
        self.left += u64::from(long);
        long
    }

    /// The rehearsal of a clip took too long.
    pub(super) fn rehearsed(&mut self, bytes: u64, now: i64) {
        self.left += 1;
        self.learn(bytes, now.saturating_add(policy::PRUNE_REHEARSED_S));
    }

    /// The deletion of a clip took too long, `locked`.
    pub(super) fn overran(
        &mut self,
        device: &mut Device,
        bytes: u64,
        locked: Duration,
        now: i64,
    ) -> Result<(), DeviceError> {
        let millis = locked.as_millis().max(1);
        let from = u128::from(bytes) * policy::PRUNE_LOCK.as_millis() / millis;
        let from = u64::try_from(from).unwrap_or(bytes).max(policy::PRUNE_ALWAYS_BYTES);
        let until = now.saturating_add(policy::PRUNE_OVERRAN_S);
        self.learn(from, until);
        device.set_meta(KEY, &format!("{from} {until}"))
    }

    fn learn(&mut self, from: u64, until: i64) {
        self.from = Some(match self.from {
            Some((known, later)) if known <= from => (known, later.max(until)),
            _ => (from, until),
        });
    }

    /// Why clips were left for their length since this was last asked, for people.
    pub(crate) fn told(&mut self) -> Option<String> {
        let left = std::mem::take(&mut self.left);
        let (from, _) = self.from.filter(|_| left > 0)?;
        #[allow(clippy::cast_precision_loss)] // one decimal is shown
        let megabytes = from as f64 / 1e6;
        Some(format!(
            "{left} média(s) de {megabytes:.1} Mo et plus restent: les supprimer ferait attendre l'enregistreur plus de 250 ms sur cet appareil"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_too_long_for_a_while_and_shorter_ones_are_not() {
        let mut too_long = TooLong::default();
        assert!(!too_long.is(u64::MAX, 1_000));
        too_long.rehearsed(5_000_000, 1_000);
        assert!(too_long.is(5_000_000, 1_001) && !too_long.is(4_999_999, 1_001));
        assert!(too_long.told().unwrap().starts_with("2 média(s) de 5.0 Mo"));
        assert_eq!(too_long.told(), None);
        assert!(!too_long.is(5_000_000, 1_000 + policy::PRUNE_REHEARSED_S));
        too_long.rehearsed(5_000_000, 1_000);
        assert!(!too_long.is(5_000_000, -1_000_000_000), "the clock was wrong");
    }
}
