//! What is asked of a database. Plain values and boxed futures, so that the settings can choose among several.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::clips::StoredClip;
use super::uploads::UploadRows;
use super::{Pending, StoreError};
use crate::record::{Clip, Event, Scalar};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    Clip,
}

/// A key that makes a request repeatable: the same from the same owner, for the same kind, is the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The device whose token was shown. Without tokens nobody can be told apart: a key is then one for all devices.
    pub(crate) owner: Option<String>,
    /// `Idempotency-Key`.
    pub(crate) key: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Event(Event),
    /// With what its row says of the video.
    Clip(Clip, StoredClip),
}

#[derive(Debug, Clone)]
pub(crate) struct NewRow {
    pub(crate) content: Content,
    pub(crate) key: Option<Key>,
}

impl NewRow {
    pub(crate) fn kind(&self) -> Kind {
        match self.content {
            Content::Event(_) => Kind::Event,
            Content::Clip(..) => Kind::Clip,
        }
    }

    pub(crate) fn device_id(&self) -> &str {
        match &self.content {
            Content::Event(event) => &event.origin.device_id,
            Content::Clip(clip, _) => &clip.origin.device_id,
        }
    }
}

/// What a row's answer is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) id: i64,
    pub(crate) date: Scalar,
    pub(crate) sensor_id: Scalar,
    /// The video's length, of a clip.
    pub(crate) size_bytes: Option<u64>,
}

/// What became of a new row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Added {
    pub(crate) receipt: Receipt,
    /// `false` when the key had been seen: nothing was stored, and the receipt is the first one's.
    pub(crate) is_new: bool,
}

/// What a device tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewStatus {
    pub(crate) device_id: String,
    /// As it was sent.
    pub(crate) json: String,
    /// Rows that it has not sent yet.
    pub(crate) backlog: u64,
    /// How far its clock is ahead of ours.
    pub(crate) clock_ahead_ms: Option<i64>,
    /// When it came, by our clock.
    pub(crate) received_unix_s: i64,
}

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
