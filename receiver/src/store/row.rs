//! What is stored, and what becomes of it: plain values, which databases and places for videos have in common.

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

/// What a row says of a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredClip {
    /// Names sort by arrival.
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    /// Where its bytes are, in words of the place for videos alone: empty where the name says it.
    pub(crate) manifest: String,
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
