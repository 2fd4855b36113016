//! A clip's video as a [`Read`]: a short one read at once, a long one in steps ([`super::clip_steps`]).

use std::io::{self, Read};
use std::path::Path;

use ring::digest::{Context as Hash, SHA256};
use rusqlite::{Connection, OptionalExtension};

use super::Device;
use super::bookmarks::Marked;
use super::clip_steps::Paged;
use super::error::{self, Context, Result};
use super::layout::Layout;
use super::record::{READING, StoredRecord};
use super::rows::{self, ClipColumns};
use super::scalar::unsigned;
use super::small_cache::SmallCache;
use super::span::Span;
use crate::row::{Clip, SHA256_BYTES, Scalar, Video};

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
