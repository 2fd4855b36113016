//! The clips that were read last, with their dates: what is kept of one when it is sent.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::tracking::{Outcome, Record};
use crate::row::{Scalar, Table};

/// Clips that may be read, one after the other, before what became of the first is written, and one more.
const REMEMBERED: usize = 4;

#[derive(Default)]
pub(super) struct ClipsRead(RefCell<VecDeque<(i64, Scalar)>>);

impl ClipsRead {
    pub(super) fn note(&self, id: i64, date: &Scalar) {
        let mut read = self.0.borrow_mut();
        read.truncate(REMEMBERED - 1);
        read.push_front((id, date.clone()));
    }

    /// The date of the last of `records` that arrived, if that is a clip.
    pub(super) fn date_of_last(&self, records: &[Record]) -> Option<Scalar> {
        let arrived = |record: &&Record| matches!(record.outcome, Outcome::Success { .. });
        let last = records.iter().rfind(arrived)?;
        let read = self.0.borrow();
        let found = read.iter().find(|(id, _)| *id == last.id && last.table == Table::Media);
        found.map(|(_, date)| date.clone())
    }
}
