//! Places in the clip that is on its way, from which a later try of this process reads on: what the server has of it is not
//! read again after each break.
//!
//! With each place goes what came before it: the checksum of the record and the SHA-256 of the video, both of the bytes
//! that were read then, and that went out. Whether the row still begins with them is not known any more once somebody has
//! written, so whoever reads on has the whole record compared with that checksum before the last chunk leaves
//! ([`super::clip`]).

use std::cell::RefCell;
use std::collections::VecDeque;

use ring::digest::Context;

use super::connection::Moment;
use super::pages::StoredAt;
use super::rows::ClipColumns;
use super::walk::Walk;

/// Places that are kept: one a chunk, so that what breaks off may be up to 16 MB ahead of what arrived.
const MOST: usize = 64;

/// A place.
#[derive(Clone)]
pub(super) struct Bookmark {
    /// Bytes of video before it.
    pub at: u64,
    pub walk: Walk,
    /// What came before it, hashed.
    pub hash: Context,
    /// When the row was known to begin with what came before.
    pub stood: Option<Moment>,
}

/// What a row still has in common with the one that was marked.
#[derive(Clone, PartialEq)]
pub(super) struct Marked {
    pub id: i64,
    pub stored: StoredAt,
    pub columns: ClipColumns,
}

/// Of one clip: long ones are on their way one at a time.
#[derive(Default)]
pub(super) struct Bookmarks(RefCell<Option<(Marked, VecDeque<Bookmark>)>>);

impl Bookmarks {
    /// The last place up to `most` in the same row; those behind it are forgotten, and all of another row.
    pub(super) fn last(&self, marked: &Marked, most: u64) -> Option<Bookmark> {
        let mut kept = self.0.borrow_mut();
        let Some((_, places)) = kept.as_mut().filter(|(of, _)| of == marked) else {
            *kept = None;
            return None;
        };
        while places.back().is_some_and(|place| place.at > most) {
            places.pop_back();
        }
        places.back().cloned()
    }

    /// The small columns of the row as they were when it was marked.
    pub(super) fn columns(&self, id: i64, stored: &StoredAt) -> Option<ClipColumns> {
        let kept = self.0.borrow();
        let (marked, _) = kept.as_ref()?;
        (marked.id == id && marked.stored == *stored).then(|| marked.columns.clone())
    }

    /// Keeps a place behind those that are kept of the same row.
    pub(super) fn keep(&self, marked: &Marked, place: Bookmark) {
        let mut kept = self.0.borrow_mut();
        let (_, places) = match kept.take() {
            Some(same) if same.0 == *marked => kept.insert(same),
            _ => kept.insert((marked.clone(), VecDeque::new())),
        };
        // Begun anew from its start.
        while places.back().is_some_and(|last| last.at >= place.at) {
            places.pop_back();
        }
        if places.len() == MOST {
            places.pop_front();
        }
        places.push_back(place);
    }

    pub(super) fn forget(&self) {
        *self.0.borrow_mut() = None;
    }
}
