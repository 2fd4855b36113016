//! A clip's video as a [`Read`], in chunks between which no lock is held.
//!
//! The recorder may write between two chunks. When it has, the row is checked (same leaf cell, same last page)
//! before reading goes on, and before the last chunk is handed out the whole record is read once more and its
//! checksum compared: so what leaves here is the row as it was when it was opened, whole, or an error.

use std::io::{self, Read};
use std::path::Path;

use rusqlite::Connection;

use super::connection::data_version;
use super::error::{self, Context, DeviceError, Result};
use super::layout::Layout;
use super::pages::{self, Cell, Span};
use super::rows::{self, ClipColumns};
use crate::row::{Clip, Scalar};

/// Bytes read under one lock: a few milliseconds on a slow card.
const CHUNK: usize = 256 << 10;

/// Records up to this size are read whole, in one statement.
const WHOLE: u64 = 64 << 10;

/// The video of one clip. Errors are [`DeviceError`]s inside [`io::Error`]s.
pub struct ClipReader<'a> {
    conn: &'a Connection,
    path: &'a Path,
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
    layout: &'a Layout,
    id: i64,
    rowid: i64,
    columns: ClipColumns,
    cell: Cell,
    span: Span,
    usable: usize,
    walk: Walk,
    /// `PRAGMA data_version` when the row was last known to be what it was.
    version: i64,
    /// Somebody committed since the row was opened.
    disturbed: bool,
}

/// A position in a record, moved forward page by page.
struct Walk {
    /// Bytes of the record read so far.
    position: u64,
    /// The overflow page that comes next.
    next: u32,
    /// The overflow page read last, with its checksum: the link that reading goes on from.
    last: Option<(u32, u32)>,
    /// Checksum of everything read so far.
    sum: crc32fast::Hasher,
}

/// Opens a clip: its small columns and its video, as of one moment. `None` when the row is gone.
pub(super) fn open<'a>(
    conn: &'a Connection,
    path: &'a Path,
    layout: &'a Layout,
    id: i64,
    date: Option<&Scalar>,
) -> Result<Option<(Clip, ClipReader<'a>)>> {
    let tx = conn.unchecked_transaction().context(path, "lecture d'un média")?;
    let Some((columns, reader)) = open_row(conn, path, layout, id, date)? else {
        return Ok(None);
    };
    let sensor_name = rows::sensor_name(conn, &columns.sensor_id, id).context(path, "lecture d'un capteur")?;
    tx.commit().context(path, "lecture d'un média")?;
    let video_len = match &reader.source {
        Source::Whole => reader.chunk.len() as u64,
        Source::Paged(paged) => paged.span.length,
    };
    let clip = Clip {
        id,
        date: columns.date,
        sensor_id: columns.sensor_id,
        sensor_name,
        camera: columns.camera,
        video_len,
    };
    Ok(Some((clip, reader)))
}

fn open_row<'a>(
    conn: &'a Connection,
    path: &'a Path,
    layout: &'a Layout,
    id: i64,
    date: Option<&Scalar>,
) -> Result<Option<(ClipColumns, ClipReader<'a>)>> {
    let reading = "lecture d'un média";
    // The id is the rowid as the recorder declares it, but the page format only knows rowids.
    let rowid: Option<i64> = rusqlite::OptionalExtension::optional(
        conn.prepare_cached("SELECT _rowid_ FROM media WHERE id_media = ?1")
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0))),
    )
    .context(path, reading)?;
    let Some(rowid) = rowid else { return Ok(None) };
    let usable = pages::usable_size(conn).context(path, reading)?;
    let cell = locate(conn, path, rowid, usable)?.ok_or_else(DeviceError::vanished)?;
    let span = pages::column(&cell.local, layout.video_position)
        .ok_or_else(|| DeviceError::row("Enregistrement illisible dans la table media"))?;

    if cell.payload_len <= WHOLE || !span.is_bytes {
        let columns = rows::clip_columns(conn, layout, id).context(path, reading)?;
        let video = conn
            .prepare_cached("SELECT CAST(video AS BLOB) FROM media WHERE id_media = ?1")
            .and_then(|mut statement| {
                statement.query_row([id], |row| {
                    Ok(row.get_ref(0)?.as_blob_or_null()?.unwrap_or_default().to_vec())
                })
            })
            .context(path, reading)?;
        return Ok(Some((columns, ClipReader::new(conn, path, Source::Whole, video))));
    }
    let columns = small_columns(conn, path, layout, id, date)?;
    let paged = Paged {
        layout,
        id,
        rowid,
        columns: columns.clone(),
        span,
        usable,
        walk: Walk::new(&cell),
        cell,
        version: data_version(conn).context(path, reading)?,
        disturbed: false,
    };
    let source = Source::Paged(Box::new(paged));
    Ok(Some((columns, ClipReader::new(conn, path, source, Vec::new()))))
}

/// The columns around a large video, from the indexes if they tell.
fn small_columns(
    conn: &Connection,
    path: &Path,
    layout: &Layout,
    id: i64,
    date: Option<&Scalar>,
) -> Result<ClipColumns> {
    let reading = "lecture d'un média";
    match rows::clip_columns_from_indexes(conn, layout, id, date).context(path, reading)? {
        Some(columns) => Ok(columns),
        None => rows::clip_columns(conn, layout, id).context(path, reading),
    }
}

/// The record's place; `None` when the row is gone.
fn locate(conn: &Connection, path: &Path, rowid: i64, usable: usize) -> Result<Option<Cell>> {
    let reading = "lecture d'un média";
    let root: u32 = conn
        .prepare_cached("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'media' COLLATE NOCASE")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .context(path, reading)?;
    pages::find(conn, root, rowid, usable).context(path, reading)?
}

impl Walk {
    fn new(cell: &Cell) -> Self {
        Self {
            position: 0,
            next: cell.overflow,
            last: None,
            sum: crc32fast::Hasher::new(),
        }
    }

    /// Appends at least `least` bytes of the record to `out`, or what is left of it.
    fn advance(
        &mut self,
        conn: &Connection,
        cell: &Cell,
        usable: usize,
        least: usize,
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<Result<()>> {
        let start = out.len();
        if self.position == 0 {
            out.extend_from_slice(&cell.local);
            self.position = cell.local.len() as u64;
        }
        let mut pages = pages::PageReader::new(conn)?;
        let mut last = None;
        while self.position < cell.payload_len && out.len() - start < least {
            let number = self.next;
            let left = usize::try_from(cell.payload_len - self.position).unwrap_or(usize::MAX);
            let step = pages.page(number, |data| {
                let content = data.get(4..4 + left.min(usable - 4))?;
                out.extend_from_slice(content);
                self.position += content.len() as u64;
                self.next = pages::u32_at(data, 0)?;
                Some(())
            })?;
            if step.flatten().is_none() {
                return Ok(Err(pages::malformed(number)));
            }
            last = Some(number);
        }
        if let Some(number) = last {
            self.last = pages.page(number, |data| (number, crc32fast::hash(data)))?;
        }
        self.sum.update(&out[start..]);
        Ok(Ok(()))
    }

    /// Whether the page read last is still what it was.
    fn stands(&self, conn: &Connection) -> rusqlite::Result<bool> {
        match self.last {
            None => Ok(true),
            Some((number, sum)) => Ok(pages::page(conn, number, crc32fast::hash)? == Some(sum)),
        }
    }
}

impl Paged<'_> {
    /// Runs `read` under one read lock, after making sure that the row is still the one that was opened.
    fn locked<T>(
        &mut self,
        conn: &Connection,
        path: &Path,
        read: impl FnOnce(&mut Self) -> rusqlite::Result<Result<T>>,
    ) -> Result<T> {
        let reading = "lecture d'une vidéo";
        let tx = conn.unchecked_transaction().context(path, reading)?;
        let version = data_version(conn).context(path, reading)?;
        if version != self.version {
            self.disturbed = true;
            let usable = pages::usable_size(conn).context(path, reading)?;
            match locate(conn, path, self.rowid, usable)? {
                None => return Err(DeviceError::vanished()),
                Some(cell) if cell != self.cell || usable != self.usable => return Err(DeviceError::changed()),
                Some(_) => {}
            }
            if !self.walk.stands(conn).context(path, reading)? {
                return Err(DeviceError::changed());
            }
            self.version = version;
        }
        let result = read(self).context(path, reading)?;
        tx.commit().context(path, reading)?;
        result
    }

    /// Reads the next chunk; at the record's end, makes sure that it is one record and not a mixture.
    fn fill(&mut self, conn: &Connection, path: &Path, chunk: &mut Vec<u8>) -> Result<()> {
        chunk.clear();
        let start = self.walk.position;
        self.locked(conn, path, |paged| {
            paged.walk.advance(conn, &paged.cell, paged.usable, CHUNK, chunk)
        })?;
        if self.walk.position == self.cell.payload_len && self.disturbed {
            self.compare(conn, path)?;
        }
        // The record's header and the columns around the video are not part of it.
        let end = self.walk.position;
        let video = (self.span.offset, self.span.offset + self.span.length);
        let keep_to = video.1.min(end).saturating_sub(start);
        let keep_from = video.0.saturating_sub(start).min(keep_to);
        chunk.truncate(usize::try_from(keep_to).unwrap_or(usize::MAX));
        chunk.drain(..usize::try_from(keep_from).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Reads the record once more and compares checksums.
    fn compare(&mut self, conn: &Connection, path: &Path) -> Result<()> {
        let sum = self.walk.sum.clone().finalize();
        self.walk = Walk::new(&self.cell);
        let mut scratch = Vec::with_capacity(CHUNK + self.usable);
        while self.walk.position < self.cell.payload_len {
            scratch.clear();
            self.locked(conn, path, |paged| {
                paged.walk.advance(conn, &paged.cell, paged.usable, CHUNK, &mut scratch)
            })?;
        }
        // The columns behind the video were read before it, so that they may be older than their bytes.
        let columns = self.locked(conn, path, |paged| {
            let date = Some(&paged.columns.date);
            Ok(small_columns(conn, path, paged.layout, paged.id, date))
        })?;
        if self.walk.sum.clone().finalize() == sum && columns == self.columns {
            Ok(())
        } else {
            Err(DeviceError::changed())
        }
    }
}

impl<'a> ClipReader<'a> {
    fn new(conn: &'a Connection, path: &'a Path, source: Source<'a>, chunk: Vec<u8>) -> Self {
        Self {
            conn,
            path,
            source,
            chunk,
            at: 0,
        }
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
            if paged.walk.position == paged.cell.payload_len {
                return Ok(0);
            }
            self.at = 0;
            paged
                .fill(self.conn, self.path, &mut self.chunk)
                .map_err(error::of_row)?;
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
