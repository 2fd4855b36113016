//! A clip's video as a [`Read`], in chunks between which no lock is held.
//!
//! What leaves here is the row as it was when it was opened, whole, or an error: if anybody has committed meanwhile, the
//! record is read once more before the last chunk is handed out, and its checksum and small columns are compared. That goes
//! for a clip that is read on from a [`Bookmark`] too: its checksum counts what an earlier reader handed out.

use std::io::{self, Read};
use std::path::Path;

use ring::digest::{Context as Hash, SHA256};
use rusqlite::{Connection, OptionalExtension};

use super::Device;
use super::bookmarks::{Bookmark, Marked};
use super::error::{self, Context, DeviceError, Result};
use super::layout::Layout;
use super::record::{STEP_BYTES, StoredRecord, Wanted};
use super::rows::{self, ClipColumns};
use super::scalar::unsigned;
use super::small_cache::SmallCache;
use super::span::Span;
use crate::row::{Clip, SHA256_BYTES, Scalar, Video};

const READING: &str = "lecture d'un média";

/// Records up to this size are read whole, in one statement.
const WHOLE_BYTES: u64 = 64 << 10;

/// By its id (PRIMARY KEY); of a video that is text or a number, the bytes as SQLite converts them.
pub(super) const VIDEO: &str = "SELECT CAST(video AS BLOB) FROM media WHERE id_media = ?1";

/// By its id (PRIMARY KEY); the length stands in the record's header, and nothing else is read.
pub(super) const LENGTH: &str = "SELECT octet_length(video) FROM media WHERE id_media = ?1";

/// The video of one clip. Errors are [`DeviceError`]s inside [`io::Error`]s.
pub(crate) struct ClipReader<'a> {
    source: Source<'a>,
    /// Video bytes ready to be handed out, from `at`.
    chunk: Vec<u8>,
    at: usize,
}

enum Source<'a> {
    /// Everything is in `chunk`.
    Whole,
    /// The rest is in the file.
    Paged(Box<Paged<'a>>),
}

struct Paged<'a> {
    device: &'a Device,
    marked: Marked,
    record: StoredRecord<'a>,
    video: Span,
    /// The video up to the chunk, where a later reader may want to go on.
    hash: Option<Hash>,
    /// Whether the columns came from the indexes.
    indexed: bool,
    _cache: SmallCache<'a>,
}

impl Device {
    /// The length of a clip's video, without opening it; `None` when it is gone.
    ///
    /// # Errors
    /// The row can't be read.
    pub(crate) fn clip_bytes(&self, id: i64) -> Result<Option<u64>> {
        let bytes: Option<Option<i64>> = self
            .conn
            .prepare_cached(LENGTH)
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
            .optional()
            .context(&self.path, READING)?;
        Ok(bytes.map(|bytes| bytes.map_or(0, unsigned)))
    }
}

/// Opens a clip: its small columns and its video, as of one moment. `None` when the row is gone.
pub(super) fn open<'a>(device: &'a Device, id: i64, date: Option<&Scalar>) -> Result<Option<(Clip, ClipReader<'a>)>> {
    let (conn, path, layout) = (&device.conn, device.path.as_path(), &device.layout);
    let tx = conn.unchecked_transaction().context(path, READING)?;
    let Some(mut record) = StoredRecord::find(conn, path, id)? else {
        return Ok(None);
    };
    for column in layout.media_columns {
        record.small_span(column)?;
    }
    let video = record.span(layout.video_position)?.filter(Span::is_bytes);
    let (columns, reader, video_len) = match video {
        Some(video) if record.len() > WHOLE_BYTES => {
            let indexed = rows::clip_columns_from_indexes(conn, layout, id, date).context(path, READING)?;
            // Nothing is locked while the chain is walked for what the indexes don't have.
            drop(tx);
            let is_indexed = indexed.is_some();
            let columns = match indexed {
                Some(columns) => columns,
                None => columns_of(device, id, &mut record)?,
            };
            let paged = Paged {
                device,
                marked: Marked {
                    id,
                    stored: record.stored().clone(),
                    columns: columns.clone(),
                },
                record,
                video,
                hash: None,
                indexed: is_indexed,
                _cache: SmallCache::new(conn).context(path, READING)?,
            };
            let source = Source::Paged(Box::new(paged));
            (columns, ClipReader::new(source, Vec::new()), video.length)
        }
        _ => {
            let (columns, video) = whole(conn, layout, id).context(path, READING)?;
            drop(tx);
            let length = video.len() as u64;
            (columns, ClipReader::new(Source::Whole, video), length)
        }
    };
    let clip = clip(conn, path, id, columns, video_len)?;
    Ok(Some((clip, reader)))
}

/// The small columns from the record itself, which can mean to read through the video; as they were when an earlier reader
/// began, if there was one: at the end they are compared.
fn columns_of(device: &Device, id: i64, record: &mut StoredRecord) -> Result<ClipColumns> {
    match device.bookmarks.columns(id, record.stored()) {
        Some(columns) => {
            record.doubt();
            Ok(columns)
        }
        None => Ok(record.values(device.layout.media_columns)?.into()),
    }
}

/// The row with its sensor's name.
fn clip(conn: &Connection, path: &Path, id: i64, columns: ClipColumns, video_len: u64) -> Result<Clip> {
    Ok(Clip {
        id,
        date: columns.date,
        sensor_name: rows::sensor_name(conn, path, &columns.sensor_id, id)?,
        sensor_id: columns.sensor_id,
        camera: columns.camera,
        video_len,
    })
}

/// The small columns and the video, each in one statement.
fn whole(conn: &Connection, layout: &Layout, id: i64) -> rusqlite::Result<(ClipColumns, Vec<u8>)> {
    let columns = rows::clip_columns(conn, layout, id)?;
    let video = conn.prepare_cached(VIDEO)?.query_row([id], |row| {
        Ok(row.get_ref(0)?.as_blob_or_null()?.unwrap_or_default().to_vec())
    })?;
    Ok((columns, video))
}

impl Paged<'_> {
    /// Reads the next chunk; at the record's end, makes sure that it is one record and not a mixture.
    fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<()> {
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
    fn hold_rest(&mut self, chunk: &mut Vec<u8>, pulse: &mut dyn FnMut() -> bool) -> Result<bool> {
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
    fn refused(&self, error: DeviceError) -> io::Error {
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
    fn go_back(&mut self, most: u64) -> Result<u64> {
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

impl<'a> ClipReader<'a> {
    fn new(source: Source<'a>, chunk: Vec<u8>) -> Self {
        Self { source, chunk, at: 0 }
    }
}

impl Read for ClipReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.at == self.chunk.len() {
            let Source::Paged(paged) = &mut self.source else {
                return Ok(0);
            };
            if paged.record.is_read() {
                return Ok(0);
            }
            self.at = 0;
            paged.fill(&mut self.chunk).map_err(|error| paged.refused(error))?;
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl Video for ClipReader<'_> {
    fn go_back(&mut self, most: u64) -> io::Result<u64> {
        self.at = 0;
        match &mut self.source {
            Source::Whole => Ok(0),
            Source::Paged(paged) => {
                self.chunk.clear();
                Ok(paged.go_back(most).map_err(error::of_row)?)
            }
        }
    }

    fn sha256(&self) -> [u8; SHA256_BYTES] {
        let before = match &self.source {
            Source::Whole => None,
            Source::Paged(paged) => paged.hash.clone(),
        };
        let mut hash = before.unwrap_or_else(|| Hash::new(&SHA256));
        hash.update(&self.chunk[..self.at]);
        let mut sum = [0; SHA256_BYTES];
        sum.copy_from_slice(hash.finish().as_ref());
        sum
    }

    fn hold_rest(&mut self, pulse: &mut dyn FnMut() -> bool) -> io::Result<bool> {
        match &mut self.source {
            Source::Whole => Ok(true),
            Source::Paged(paged) => {
                let held = paged.hold_rest(&mut self.chunk, pulse);
                held.map_err(|error| paged.refused(error))
            }
        }
    }
}
