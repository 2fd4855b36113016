//! The variables of pruning: off unless one of them is set.

use super::error::ConfigError;
use super::reader::EnvReader;

/// The longest that is accepted: a century.
const MOST_DAYS: u64 = 36_500;

/// No disk of a device has more.
const MOST_MB: u64 = 100_000_000;

/// Which clips are deleted on the device once they are at the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PruneConfig {
    /// `SYNC_PRUNE_AFTER_DAYS`: those recorded and sent so many days ago.
    pub after_days: Option<u64>,
    /// `SYNC_PRUNE_KEEP_FREE_MB`: the oldest, until so much is free.
    pub keep_free_mb: Option<u64>,
}

impl PruneConfig {
    /// Whether nothing is ever deleted.
    #[must_use]
    pub(crate) fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn prune_config(reader: &EnvReader) -> Result<PruneConfig, ConfigError> {
    Ok(PruneConfig {
        after_days: reader.count("SYNC_PRUNE_AFTER_DAYS", MOST_DAYS)?,
        keep_free_mb: reader.count("SYNC_PRUNE_KEEP_FREE_MB", MOST_MB)?,
    })
}
