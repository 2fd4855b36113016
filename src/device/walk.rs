//! A position in a record, moved forward page by page.

use rusqlite::Connection;

use super::error::DeviceError;
use super::pages::{self, Cell, PageReader};

#[derive(Clone)]
pub(super) struct Walk {
    /// Bytes of the record read so far.
    pub position: u64,
    /// The overflow page that comes next.
    next: u32,
    /// The overflow page read last, with its checksum: the link that reading goes on from.
    last: Option<(u32, u32)>,
    /// Checksum of everything read so far.
    sum: crc32fast::Hasher,
}

impl Walk {
    pub(super) fn new(cell: &Cell) -> Self {
        Self {
            position: 0,
            next: cell.overflow,
            last: None,
            sum: crc32fast::Hasher::new(),
        }
    }

    pub(super) fn sum(&self) -> u32 {
        self.sum.clone().finalize()
    }

    /// Appends at least `least` bytes of the record to `out`, or what is left of it.
    pub(super) fn advance(
        &mut self,
        conn: &Connection,
        cell: &Cell,
        usable: usize,
        least: usize,
        out: &mut Vec<u8>,
    ) -> rusqlite::Result<Result<(), DeviceError>> {
        let start = out.len();
        if self.position == 0 {
            out.extend_from_slice(&cell.local);
            self.position = cell.local.len() as u64;
        }
        let mut pages = PageReader::new(conn)?;
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
    pub(super) fn stands(&self, conn: &Connection) -> rusqlite::Result<bool> {
        match self.last {
            None => Ok(true),
            Some((number, sum)) => Ok(pages::page(conn, number, crc32fast::hash)? == Some(sum)),
        }
    }
}
