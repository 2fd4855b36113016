//! What was deleted so far, kept in `sync_meta` by the transactions that delete.

use rusqlite::Connection;

use super::super::meta;

const KEY: &str = "pruned";

/// Clips deleted from this database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many.
    pub clips: u64,
    /// Bytes of their videos.
    pub bytes: u64,
    /// When the last one was, in Unix seconds.
    pub last: i64,
}

impl Tally {
    /// As it stands; nothing where it can't be read.
    pub(in super::super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let text = meta::read(conn, KEY)?.unwrap_or_default();
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (clips, bytes) = (number(), number());
        let last = words.next().and_then(|word| word.parse().ok());
        Ok(match (clips, bytes, last) {
            (Some(clips), Some(bytes), Some(last)) => Self { clips, bytes, last },
            _ => Self::default(),
        })
    }

    /// One clip more.
    pub(super) fn add(conn: &Connection, bytes: u64, now: i64) -> rusqlite::Result<()> {
        let before = Self::read(conn)?;
        let (clips, bytes) = (before.clips.saturating_add(1), before.bytes.saturating_add(bytes));
        meta::write(conn, KEY, &format!("{clips} {bytes} {now}"))
    }
}
