//! What can go wrong with a store, as far as it matters to who asked.

use std::fmt::{self, Display};
use std::path::Path;

/// Trouble of the receiver's own: the request may be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// Nothing was stored.
    Unavailable(String),
    /// It may have been stored all the same: the sync failed after the write, or the answer was lost on its way.
    Uncertain(String),
}

impl StoreError {
    /// Of a file or folder.
    pub(super) fn file<E: Display>(path: &Path) -> impl FnOnce(E) -> Self {
        move |error| Self::Unavailable(format!("{}: {error}", path.display()))
    }
}

impl Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) | Self::Uncertain(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StoreError {}
