//! A long clip in steps, between which no lock is held.
//!
//! What leaves here is the row as it was when it was opened, whole, or an error: if anybody has committed meanwhile, the
//! record is read once more before the last chunk is handed out, and its checksum and small columns are compared. That goes
//! for a clip that is read on from a [`Bookmark`] too: its checksum counts what an earlier reader handed out.

use std::io;

use ring::digest::{Context as Hash, SHA256};

use super::Device;
use super::bookmarks::{Bookmark, Marked};
use super::error::{self, Context, DeviceError, Result};
use super::record::{READING, STEP_BYTES, StoredRecord, Wanted};
use super::rows;
use super::small_cache::SmallCache;
use super::span::Span;

/// A clip that is read step by step, where it lies in the file.
pub(super) struct Paged<'a> {
    pub(super) device: &'a Device,
    pub(super) marked: Marked,
    pub(super) record: StoredRecord<'a>,
    pub(super) video: Span,
    /// The video up to the chunk, where a later reader may want to go on.
    pub(super) hash: Option<Hash>,
    /// Whether the columns came from the indexes.
    pub(super) indexed: bool,
    pub(super) _cache: SmallCache<'a>,
}

impl Paged<'_> {
    /// Reads the next chunk; at the record's end, makes sure that it is one record and not a mixture.
    pub(super) fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<()> {
        self.remember(chunk);
        self.next(chunk, &mut || false).map(drop)
    }

    /// Puts the next chunk into `chunk`; `false` when `pulse` told to stop.
    fn next(&mut self, chunk: &mut Vec<u8>, pulse: &mut dyn FnMut() -> bool) -> Result<bool> {
        chunk.clear();
        let start = self.record.position();
        self.record.step(STEP_BYTES, chunk)?;
        if self.record.is_read() && self.record.is_disturbed() && !self.compare(pulse)? {
            return Ok(false);
        }
        // The record's header and the columns around the video are not part of it.
        let part = self.video.part(start, chunk).len();
        let before =
            usize::try_from(self.video.offset.saturating_sub(start)).map_or(chunk.len(), |n| n.min(chunk.len()));
        chunk.drain(..before);
        chunk.truncate(part);
        Ok(true)
    }

    /// Appends all that is left to `chunk`; `false` when `pulse` told to stop.
    pub(super) fn hold_rest(&mut self, chunk: &mut Vec<u8>, pulse: &mut dyn FnMut() -> bool) -> Result<bool> {
        let mut more = Vec::new();
        while !self.record.is_read() {
            if !self.next(&mut more, pulse)? {
                return Ok(false);
            }
            chunk.extend_from_slice(&more);
        }
        Ok(true)
    }

    /// What it was is nothing to go on from.
    pub(super) fn refused(&self, error: DeviceError) -> io::Error {
        self.device.bookmarks.forget();
        error::of_row(error).into()
    }

    /// Remembers the place behind `chunk`, which is handed out.
    fn remember(&mut self, chunk: &[u8]) {
        let Some(hash) = &mut self.hash else { return };
        hash.update(chunk);
        let at = self.record.position().saturating_sub(self.video.offset);
        if at > 0 {
            let place = Bookmark {
                at,
                walk: self.record.walk().clone(),
                hash: hash.clone(),
                stood: self.record.stood(),
            };
            self.device.bookmarks.keep(&self.marked, place);
        }
    }

    /// Goes to the last place up to `most` of an earlier reader, else to the start; returns the bytes of video before it.
    pub(super) fn go_back(&mut self, most: u64) -> Result<u64> {
        if let Some(place) = self.device.bookmarks.last(&self.marked, most) {
            if self.record.go_on(&place.walk, place.stood)? {
                self.hash = Some(place.hash);
                return Ok(place.at);
            }
        }
        self.device.bookmarks.forget();
        self.record.rewind();
        self.hash = Some(Hash::new(&SHA256));
        Ok(0)
    }

    /// Reads the record once more and compares its checksum and its small columns; `false` when `pulse` told to stop.
    fn compare(&mut self, pulse: &mut dyn FnMut() -> bool) -> Result<bool> {
        let sum = self.record.sum();
        let mut wanted = Wanted::of(&self.record, self.device.layout.media_columns)?;
        self.record.rewind();
        let mut scratch = Vec::new();
        while !self.record.is_read() {
            if pulse() {
                return Ok(false);
            }
            let start = self.record.position();
            scratch.clear();
            self.record.step(STEP_BYTES, &mut scratch)?;
            wanted.collect(start, &scratch);
        }
        // What the indexes said may be older than the bytes: they are asked again.
        let columns = if self.indexed {
            let date = Some(&self.marked.columns.date);
            rows::clip_columns_from_indexes(&self.device.conn, &self.device.layout, self.marked.id, date)
                .context(&self.device.path, READING)?
        } else {
            Some(wanted.values(&self.record)?.into())
        };
        if self.record.sum() == sum && columns.as_ref() == Some(&self.marked.columns) {
            Ok(true)
        } else {
            Err(DeviceError::changed())
        }
    }
}
