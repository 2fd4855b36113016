//! What is asked of a database. Plain values and boxed futures, so that the settings can choose among several.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::row::{Added, Key, Kind, NewRow, NewStatus, Receipt};
use super::uploads::UploadRows;
use super::{Pending, StoreError};

/// How much a database has to do for one kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Questions without an answer yet.
    pub(crate) waiting: usize,
    pub(crate) connections: usize,
    /// Connections that are at work.
    pub(crate) busy: usize,
}

/// A question that waits for its answer.
pub(in crate::store) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(in crate::store) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Rows, each with the receipt of its key.
pub(crate) trait Rows: UploadRows {
    /// The receipt that was given for a key, if one was.
    fn receipt(&self, kind: Kind, key: Key) -> Pending<'_, Option<Receipt>>;

    /// Stores rows, durably, each unless its key was seen, also by one before it: all of them, or none. Row and receipt
    /// are one: no crash leaves one without the other.
    fn add_all(&self, rows: Vec<NewRow>) -> Pending<'_, Vec<Added>>;

    /// Stores one.
    fn add(&self, row: NewRow) -> Pending<'_, Added> {
        Box::pin(async move {
            let added = self.add_all(vec![row]).await?.pop();
            added.ok_or_else(|| lost("the database"))
        })
    }

    /// Keeps what a device tells of itself, in place of what it told before.
    fn put_status(&self, status: NewStatus) -> Pending<'_, ()>;

    /// The manifest of the clip that a row names so; `None` when no row does.
    fn manifest(&self, name: String) -> Pending<'_, Option<String>>;

    /// Whether a row names a clip.
    fn names_clip(&self, name: String) -> Pending<'_, bool> {
        Box::pin(async move { Ok(self.manifest(name).await?.is_some()) })
    }

    /// Which of some clips and parts somebody needs: a row names it, or an upload goes on with it.
    fn owned(&self, names: Vec<String>) -> Pending<'_, HashSet<String>>;

    /// Which database this is: the same for as long as there is one, and after it was restored or moved.
    fn installation(&self) -> Pending<'_, String>;

    /// The database's clock, in milliseconds since 1970.
    fn now_ms(&self) -> Pending<'_, i64>;

    /// Whether rows can be stored; writes nothing to find out while all is well.
    fn check(&self) -> Pending<'_, ()>;

    /// How much it has to do now.
    fn load(&self) -> Load {
        Load::default()
    }
}

/// Why a question got no answer, whichever thread or server was asked.
pub(super) fn lost(who: &str) -> StoreError {
    StoreError::Uncertain(format!("{who} ended without an answer"))
}
