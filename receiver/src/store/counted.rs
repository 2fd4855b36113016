//! What went wrong with either half, counted.

use super::{Store, StoreError};
use crate::metrics::{OfStorage, Storage, StoreMetrics};

impl Store {
    /// Passes on what the database answered.
    pub(super) fn of_rows<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.counted(Storage::database, result)
    }

    /// Passes on what the place of the clips answered.
    pub(super) fn of_clips<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.counted(Storage::clips, result)
    }

    /// What it counts.
    pub(crate) fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    /// A clip more is there.
    pub(super) fn clip_stored(&self, size_bytes: u64) {
        self.metrics.clips.inc();
        self.metrics.clip_bytes.inc_by(size_bytes);
    }

    fn counted<T>(&self, storage: Storage, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.metrics.errors.get_or_create(&OfStorage { storage }).inc();
        }
        result
    }
}
