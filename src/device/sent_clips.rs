//! Which clips went out, with what tells each from another that gets its id: kept with the result of each, so that nobody
//! ever takes another row for the one that is at the server.

use std::cell::RefCell;

use rusqlite::Connection;

use crate::row::{Clip, Scalar};

/// Clips that can have been read and not be written down: those whose results share a commit, those on their way, and more.
const MOST: usize = 1_024;

/// A date longer than this is not kept.
const DATE_BYTES: usize = 256;

/// By the PRIMARY KEY.
pub(super) const KEEP: &str =
    "INSERT OR REPLACE INTO sync_sent_clip (local_id, sync_date, bytes, date) VALUES (?1, ?2, ?3, ?4)";

/// A clip as it was when it was read for the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentClip {
    id: i64,
    /// `None` where it is no text, or none of a date's length.
    pub date: Option<String>,
    bytes: u64,
}

impl SentClip {
    fn of(clip: &Clip) -> Self {
        let date = match &clip.date {
            Scalar::Text(date) if date.len() <= DATE_BYTES => Some(date.clone()),
            _ => None,
        };
        Self {
            id: clip.id,
            date,
            bytes: clip.video_len,
        }
    }

    /// Writes down, in the transaction that says so, that this is what arrived; `sync_date` is that of its success.
    pub(super) fn keep(&self, conn: &Connection, sync_date: &str) -> rusqlite::Result<()> {
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        conn.prepare_cached(KEEP)?
            .execute((self.id, sync_date, bytes, &self.date))?;
        Ok(())
    }
}

/// The clips that were read and of which no result is written yet.
#[derive(Default)]
pub(super) struct SentClips(RefCell<Vec<SentClip>>);

impl SentClips {
    pub(super) fn remember(&self, clip: &Clip) {
        self.forget(&[clip.id]);
        let mut clips = self.0.borrow_mut();
        if clips.len() == MOST {
            clips.remove(0);
        }
        clips.push(SentClip::of(clip));
    }

    pub(super) fn of(&self, id: i64) -> Option<SentClip> {
        self.0.borrow().iter().find(|clip| clip.id == id).cloned()
    }

    /// The results of these are written: whoever tries one again reads it again.
    pub(super) fn forget(&self, ids: &[i64]) {
        self.0.borrow_mut().retain(|clip| !ids.contains(&clip.id));
    }
}
