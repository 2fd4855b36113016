//! What is asked of a place for videos.

use std::io::Write;

use super::row::StoredClip;
use super::uploads::Parts;
use super::{Pending, StoreError};

/// A place for videos. A clip is complete first, then its row is stored, then it is settled: so no row is ever without
/// its video, and what a crash leaves without a row can be found.
pub(crate) trait Clips: Parts + Owned {
    fn begin(&self) -> Pending<'_, Box<dyn ClipWriter>>;

    /// Names of the clips that are complete and not settled.
    fn unsettled(&self) -> Pending<'_, Vec<String>>;

    /// Keeps a complete clip whose row is there, or removes one whose row will never be.
    fn settle(&self, name: String, has_row: bool) -> Pending<'_, ()>;

    /// The most that it is wise to read at once: where each read is a journey, more of it in each.
    fn read_most(&self) -> usize {
        256 << 10
    }

    /// As much of a settled clip as there is of `length` bytes from `offset`; nothing of one that is gone.
    fn read(&self, name: String, manifest: String, offset: u64, length: usize) -> Pending<'_, Vec<u8>>;

    /// Removes settled clips, each a name and its manifest, for good: also one that is gone in part, or gone. Says of each
    /// whether nothing of it is left.
    fn remove(&self, clips: Vec<(String, String)>) -> Pending<'_, Vec<Result<(), StoreError>>>;

    /// Whether clips can be stored; writes nothing to find out while all is well.
    fn check(&self) -> Pending<'_, ()>;

    /// What has been here for so long at a moment (milliseconds since 1970) that it has a row, or an upload, or will never have one: a page, and where the next
    /// begins. A place that knows at its start has none.
    fn leftovers(&self, _from: Option<String>, _now_ms: i64) -> Pending<'_, Leftovers> {
        Box::pin(async { Ok(Leftovers::default()) })
    }

    /// Removes what has neither; `false` when it is younger than it seemed.
    fn remove_leftover(&self, _name: String, _now_ms: i64) -> Pending<'_, bool> {
        Box::pin(async { Ok(false) })
    }
}

/// What says whose the clips of a place are.
pub(crate) trait Owned {
    /// The id of the database that owns what is here, as it was put here.
    fn owner(&self) -> Pending<'_, Option<String>>;

    /// Where that stands, for people.
    fn owner_place(&self) -> String;

    /// Puts an owner where there is none.
    fn set_owner(&self, id: String) -> Pending<'_, ()>;

    /// Names of clips that are here, oldest first, of which each ought to have a row: some of them where there are many.
    fn oldest(&self) -> Pending<'_, Vec<String>>;
}

/// Names of clips and parts that have been there for long.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    pub(crate) names: Vec<String>,
    pub(crate) next: Option<String>,
}

/// A clip on its way in, on a thread that may block. Dropped before it is complete, it leaves nothing behind.
pub(crate) trait ClipWriter: Write + Send {
    /// Makes all of it durable.
    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError>;
}
