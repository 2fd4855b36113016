//! One record of `media`, read from its pages in steps between which no lock is held.
//!
//! The recorder may write between two steps. When it has, the record is checked (same leaf cell, same last page) before
//! reading goes on. Small columns may lie behind a video of any size: they are reached by the same steps.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::connection::{Moment, data_version};
use super::error::{Context, DeviceError, Result};
use super::layout::Column;
use super::pages::{self, Cell, PageReader, StoredAt};
use super::scalar::{COLUMN_BYTES, scalar};
use super::span::{self, Span};
use super::walk::Walk;
use crate::row::Scalar;

/// Bytes read under one lock: a few milliseconds on a slow card.
pub(super) const STEP_BYTES: usize = 256 << 10;

/// What was done when a clip could not be read.
pub(super) const READING: &str = "lecture d'un média";

/// The id is the rowid as the recorder declares it (PRIMARY KEY), but the page format only knows rowids.
pub(super) const ROWID: &str = "SELECT _rowid_ FROM media WHERE id_media = ?1";

/// The schema is in memory; its table has a row for each table and index.
const ROOT: &str = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'media' COLLATE NOCASE";

/// A record as it was when it was found.
pub(super) struct StoredRecord<'c> {
    conn: &'c Connection,
    path: &'c Path,
    id: i64,
    stored: StoredAt,
    walk: Walk,
    /// `PRAGMA data_version` when the record was last known to be what it was.
    version: i64,
    /// Somebody committed since the record was found.
    disturbed: bool,
}

impl<'c> StoredRecord<'c> {
    /// Finds the record of a clip; `None` when the row is gone.
    pub(super) fn find(conn: &'c Connection, path: &'c Path, id: i64) -> Result<Option<Self>> {
        // First: what is committed after it is noticed at the next step.
        let version = data_version(conn).context(path, READING)?;
        let rowid: Option<i64> = conn
            .prepare_cached(ROWID)
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
            .optional()
            .context(path, READING)?;
        let Some(rowid) = rowid else { return Ok(None) };
        let usable = pages::usable_size(conn).context(path, READING)?;
        let Some(cell) = locate(conn, path, rowid, usable)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            conn,
            path,
            id,
            walk: Walk::new(&cell),
            stored: StoredAt { rowid, cell, usable },
            version,
            disturbed: false,
        }))
    }

    /// Length of the record in bytes.
    pub(super) fn len(&self) -> u64 {
        self.stored.cell.payload_len
    }

    /// Bytes read since the start.
    pub(super) fn position(&self) -> u64 {
        self.walk.position
    }

    pub(super) fn is_read(&self) -> bool {
        self.walk.position == self.stored.cell.payload_len
    }

    pub(super) fn is_disturbed(&self) -> bool {
        self.disturbed
    }

    /// Something of it is taken from an earlier reading: whether it still stands is to be looked at at the end.
    pub(super) fn doubt(&mut self) {
        self.disturbed = true;
    }

    pub(super) fn stored(&self) -> &StoredAt {
        &self.stored
    }

    /// Where reading goes on.
    pub(super) fn walk(&self) -> &Walk {
        &self.walk
    }

    /// When the record was known to be what was read of it, if it still is as far as is known.
    pub(super) fn stood(&self) -> Option<Moment> {
        (!self.disturbed).then(|| Moment::of(self.conn, self.version))
    }

    /// Goes on where an earlier reading was, of which the record was known to be what was read at `stood`; `false`, and it is
    /// where it was, when what the chain has there is another now.
    pub(super) fn go_on(&mut self, walk: &Walk, stood: Option<Moment>) -> Result<bool> {
        let tx = self.conn.unchecked_transaction().context(self.path, READING)?;
        self.verify()?;
        let stands = walk.stands(self.conn).context(self.path, READING)?;
        tx.commit().context(self.path, READING)?;
        if stands {
            self.walk = walk.clone();
            self.disturbed |= stood != Some(Moment::of(self.conn, self.version));
        }
        Ok(stands)
    }

    /// Checksum of what was read since the start.
    pub(super) fn sum(&self) -> u32 {
        self.walk.sum()
    }

    pub(super) fn rewind(&mut self) {
        self.walk = Walk::new(&self.stored.cell);
    }

    /// Where a column is; `None` when the record was written before the column was added to the table.
    pub(super) fn span(&self, position: usize) -> Result<Option<Span>> {
        span::column(&self.stored.cell.local, position)
            .ok_or_else(|| DeviceError::row("Enregistrement illisible dans la table media"))
    }

    /// Where a small column is; one that is too long to be sent is an error of the row.
    pub(super) fn small_span(&self, column: Column) -> Result<Option<Span>> {
        let span = self.span(column.position)?;
        match span {
            Some(span) if span.length > COLUMN_BYTES => Err(DeviceError::too_long(column.name, span.length)),
            span => Ok(span),
        }
    }

    /// Appends the next bytes of the record, at least `least` of them or what is left: one lock.
    pub(super) fn step(&mut self, least: usize, out: &mut Vec<u8>) -> Result<()> {
        let tx = self.conn.unchecked_transaction().context(self.path, READING)?;
        self.verify()?;
        self.walk
            .advance(self.conn, &self.stored.cell, self.stored.usable, least, out)
            .context(self.path, READING)??;
        tx.commit().context(self.path, READING)
    }

    /// The first page of the record's chain; 0 when it has none.
    pub(super) fn overflow(&self) -> u32 {
        self.stored.cell.overflow
    }

    /// Reads up to `most` pages of the record's chain from `page` on and nothing else of them: one lock. The page that comes
    /// next; 0 at the end.
    pub(super) fn follow(&mut self, page: u32, most: usize) -> Result<u32> {
        let tx = self.conn.unchecked_transaction().context(self.path, READING)?;
        self.verify()?;
        let mut pages = PageReader::new(self.conn).context(self.path, READING)?;
        let mut next = page;
        for _ in 0..most {
            if next == 0 {
                break;
            }
            let found = pages
                .page(next, |data| pages::u32_at(data, 0))
                .context(self.path, READING)?;
            next = found.flatten().ok_or_else(|| pages::malformed(next))?;
        }
        drop(pages);
        tx.commit().context(self.path, READING)?;
        Ok(next)
    }

    /// Makes sure that the record is still the one that was found.
    pub(super) fn verify(&mut self) -> Result<()> {
        let version = data_version(self.conn).context(self.path, READING)?;
        if version == self.version {
            return Ok(());
        }
        self.disturbed = true;
        let usable = pages::usable_size(self.conn).context(self.path, READING)?;
        match locate(self.conn, self.path, self.stored.rowid, usable)? {
            None => return Err(DeviceError::vanished()),
            Some(cell) if cell != self.stored.cell || usable != self.stored.usable => {
                return Err(DeviceError::changed());
            }
            Some(_) => {}
        }
        if !self.walk.stands(self.conn).context(self.path, READING)? {
            return Err(DeviceError::changed());
        }
        self.version = version;
        Ok(())
    }

    /// Reads small columns from the start of the record, as far as needed, and goes back to the start.
    pub(super) fn values<const N: usize>(&mut self, columns: [Column; N]) -> Result<[Scalar; N]> {
        let mut wanted = Wanted::of(self, columns)?;
        self.rewind();
        let mut bytes = Vec::new();
        while self.walk.position < wanted.end {
            let start = self.walk.position;
            bytes.clear();
            let left = usize::try_from(wanted.end - start).unwrap_or(usize::MAX);
            self.step(left.min(STEP_BYTES), &mut bytes)?;
            wanted.collect(start, &bytes);
        }
        self.rewind();
        wanted.values(self)
    }

    /// A column that the record does not have: its default, which SQLite knows without reading further.
    fn absent(&self, column: Column) -> Result<Scalar> {
        self.conn
            .prepare_cached(&format!("SELECT {} FROM media WHERE _rowid_ = ?1", column.name))
            .and_then(|mut statement| statement.query_row([self.stored.rowid], |row| Ok(scalar(row.get_ref(0)?))))
            .optional()
            .context(self.path, READING)?
            .ok_or_else(DeviceError::vanished)
    }
}

/// Small columns that are collected while a record is read from its start.
pub(super) struct Wanted<const N: usize> {
    columns: [Column; N],
    spans: [Option<Span>; N],
    found: [Vec<u8>; N],
    /// Where the last of them ends.
    end: u64,
}

impl<const N: usize> Wanted<N> {
    pub(super) fn of(record: &StoredRecord, columns: [Column; N]) -> Result<Self> {
        let mut spans = [None; N];
        for (span, column) in spans.iter_mut().zip(columns) {
            *span = record.small_span(column)?;
        }
        Ok(Self {
            columns,
            spans,
            found: [const { Vec::new() }; N],
            end: spans.iter().flatten().map(Span::end).max().unwrap_or(0),
        })
    }

    /// Takes what belongs to the columns from `bytes`, which begin at `start` of the record.
    pub(super) fn collect(&mut self, start: u64, bytes: &[u8]) {
        for (span, found) in self.spans.iter().zip(&mut self.found) {
            if let Some(span) = span {
                found.extend_from_slice(span.part(start, bytes));
            }
        }
    }

    pub(super) fn values(self, record: &StoredRecord) -> Result<[Scalar; N]> {
        let encoding: String = record
            .conn
            .query_row("PRAGMA encoding", [], |row| row.get(0))
            .context(record.path, READING)?;
        let mut values = [const { Scalar::Null }; N];
        for (place, value) in values.iter_mut().enumerate() {
            *value = match self.spans[place] {
                None => record.absent(self.columns[place])?,
                Some(span) => {
                    let bytes = &self.found[place];
                    if std::str::from_utf8(bytes).is_err() && span.is_bytes() && encoding == "UTF-8" {
                        let (id, name) = (record.id, self.columns[place].name);
                        log::warn!("media {id}: {name} is not UTF-8, sent with replaced characters");
                    }
                    span.value(bytes, &encoding)
                        .ok_or_else(|| DeviceError::row("Enregistrement illisible dans la table media"))?
                }
            };
        }
        Ok(values)
    }
}

/// The record's place; `None` when the row is gone.
fn locate(conn: &Connection, path: &Path, rowid: i64, usable: usize) -> Result<Option<Cell>> {
    let root: u32 = conn
        .prepare_cached(ROOT)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .context(path, READING)?;
    pages::find(conn, root, rowid, usable).context(path, READING)?
}
