//! What is asked of a database by who removes clips and events.
//!
//! A clip goes in three steps, each of which may be done again: it is doomed (nobody sees its row, its key keeps its
//! receipt), its bytes go, its row goes. So no row that is seen is without its bytes, and none is pinned in between.

use super::super::Pending;
use crate::store::Kind;

/// Why something is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// It is older than what is kept.
    Age,
    /// There is more than what is kept.
    Space,
}

impl Reason {
    /// Its name in the database and in answers.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Space => "space",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub(crate) fn of(name: &str) -> Self {
        if name == "space" { Self::Space } else { Self::Age }
    }
}

/// Which clips are to go, oldest arrival first. Pinned ones never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doom {
    /// Those that came before this, in seconds since 1970.
    Before(i64),
    /// As many as have this many bytes.
    Bytes(u64),
}

/// A clip that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) id: i64,
    pub(crate) file: String,
    pub(crate) manifest: String,
    pub(crate) size_bytes: u64,
    pub(crate) reason: Reason,
}

/// What became of some events that follow each other by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventPage {
    /// Those that were too old, and went.
    pub(crate) old: Vec<i64>,
    /// The last of them all; `None` where the way ends, since all of them are too young to go, or no more follow.
    pub(crate) next: Option<i64>,
    /// Whether some stay that will be old some day soon: not those that came by a clock that was ahead.
    pub(crate) has_young: bool,
}

impl EventPage {
    /// Of at most `limit` events, in the order of their ids: each with whether it is old, and whether it came in the future.
    pub(crate) fn new(found: &[(i64, bool, bool)], limit: u32) -> Self {
        let young = found.iter().filter(|(_, is_old, is_ahead)| !is_old && !is_ahead);
        let young = young.count();
        let is_last = u32::try_from(found.len()).is_ok_and(|count| count < limit) || young == found.len();
        Self {
            old: found
                .iter()
                .filter(|(_, is_old, _)| *is_old)
                .map(|(id, ..)| *id)
                .collect(),
            next: found.last().filter(|_| !is_last).map(|(id, ..)| *id),
            has_young: young > 0,
        }
    }
}

/// What was removed of a device on a day, of one kind, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removal {
    /// UTC.
    pub(crate) day: String,
    pub(crate) device_id: String,
    pub(crate) kind: Kind,
    pub(crate) reason: Reason,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// When the first and the last of them had come.
    pub(crate) oldest: String,
    pub(crate) newest: String,
}

/// What stands in the way of a removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: String,
    /// Since when, and when it was tried last; seconds since 1970.
    pub(crate) since_s: i64,
    pub(crate) last_s: i64,
}

/// Removing rows, a few at a time: a step must not keep those waiting who store.
pub(crate) trait Keeping: Send + Sync {
    /// Bytes of all clips that are not to go.
    fn clip_bytes(&self) -> Pending<'_, u64>;

    /// Dooms at most `limit` clips; gives the bytes of each.
    fn doom(&self, doom: Doom, limit: u32) -> Pending<'_, Vec<u64>>;

    /// Clips that are doomed and still have their row, in the order of their ids, after this one.
    fn doomed(&self, after: i64, limit: u32) -> Pending<'_, Vec<Doomed>>;

    /// Removes the rows of doomed clips whose bytes are gone, and notes what went.
    fn clips_gone(&self, ids: Vec<i64>) -> Pending<'_, ()>;

    /// Removes, of the `limit` events after this one, those that came before `before_s`, and notes what went. Ids come in the
    /// order of arrival, but a clock that was ahead may have stamped any of them.
    fn remove_events(&self, after: i64, before_s: i64, limit: u32) -> Pending<'_, EventPage>;

    /// Forgets at most `limit` receipts of what was removed before `before_s`; says how many.
    fn forget_receipts(&self, before_s: i64, limit: u32) -> Pending<'_, usize>;

    /// What was removed, newest day first.
    fn removals(&self, visible: Option<String>, limit: u32) -> Pending<'_, Vec<Removal>>;

    /// Says what stands in the way, or that nothing does any more.
    fn put_trouble(&self, reason: Option<String>) -> Pending<'_, ()>;

    /// What stands in the way.
    fn trouble(&self) -> Pending<'_, Option<Trouble>>;
}
