//! SQLite's pages as `sqlite_dbpage` shows them: where a row's bytes are, without walking to them.
//!
//! An incremental blob handle (`sqlite3_blob_open`) keeps a read lock, and reopening it walks the blob's page
//! chain from its start. Knowing the page at which reading stopped, the next read costs what it reads. SQLite
//! does the locking, the caching and the WAL; only the layout of a table leaf is read here
//! (<https://www.sqlite.org/fileformat2.html>, sections 1.5, 1.6 and 2.1).

use rusqlite::{CachedStatement, Connection};

use super::error::DeviceError;

/// Where a record is: its part on the leaf page, and the first page of the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// Length of the whole record in bytes.
    pub payload_len: u64,
    /// The bytes on the leaf page.
    pub local: Vec<u8>,
    /// First overflow page; 0 when everything is local.
    pub overflow: u32,
}

/// Where a record was found. An `UPDATE` of its video gives it other pages, hardly ever the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredAt {
    pub rowid: i64,
    pub cell: Cell,
    /// Of each page.
    pub usable: usize,
}

/// How deep a b-tree can be: 2^31 rows on the smallest pages are less.
const DEEPEST: usize = 40;

/// Bytes of a page that hold content (page size less the reserved bytes at its end).
pub(super) fn usable_size(conn: &Connection) -> rusqlite::Result<usize> {
    let page_size: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // Byte 20 of the file's header: "bytes of unused reserved space at the end of each page".
    let reserved = page(conn, 1, |data| data.get(20).copied())?.flatten().unwrap_or(0);
    Ok(page_size as usize - usize::from(reserved))
}

/// A page by its number, which is how this table is kept.
pub(super) const PAGE: &str = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";

/// Reads pages one after the other through one statement.
pub(super) struct PageReader<'c>(CachedStatement<'c>);

impl<'c> PageReader<'c> {
    /// A reader of `conn`'s main database.
    pub(super) fn new(conn: &'c Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached(PAGE).map(Self)
    }

    /// Shows a page to `read`; `None` when the file has no such page.
    pub(super) fn page<T>(&mut self, number: u32, read: impl FnOnce(&[u8]) -> T) -> rusqlite::Result<Option<T>> {
        let mut rows = self.0.query([number])?;
        match rows.next()? {
            Some(row) => Ok(Some(read(row.get_ref(0)?.as_blob()?))),
            None => Ok(None),
        }
    }
}

/// Shows a single page to `read`; `None` when the file has no such page.
pub(super) fn page<T>(conn: &Connection, number: u32, read: impl FnOnce(&[u8]) -> T) -> rusqlite::Result<Option<T>> {
    PageReader::new(conn)?.page(number, read)
}

/// Finds the record with `rowid` in the table whose root page is `root`.
///
/// # Errors
/// A page that is not what the file format says (as a [`DeviceError`] of the row).
pub(super) fn find(
    conn: &Connection,
    root: u32,
    rowid: i64,
    usable: usize,
) -> rusqlite::Result<Result<Option<Cell>, DeviceError>> {
    let mut number = root;
    for _ in 0..DEEPEST {
        let step = page(conn, number, |data| descend(data, number, rowid, usable))?;
        match step.flatten() {
            Some(Step::Child(child)) => number = child,
            Some(Step::Found(cell)) => return Ok(Ok(Some(cell))),
            Some(Step::Absent) => return Ok(Ok(None)),
            None => return Ok(Err(malformed(number))),
        }
    }
    Ok(Err(malformed(number)))
}

/// A page that contradicts the file format.
pub(super) fn malformed(number: u32) -> DeviceError {
    DeviceError::row(format!("Base de données corrompue à la page {number}"))
}

enum Step {
    Child(u32),
    Found(Cell),
    Absent,
}

/// One level of the b-tree; `None` when the page is not a table page.
fn descend(data: &[u8], number: u32, rowid: i64, usable: usize) -> Option<Step> {
    // Page 1 starts with the file's header of 100 bytes.
    let header = if number == 1 { 100 } else { 0 };
    let cells = usize::from(u16_at(data, header + 3)?);
    match data.get(header)? {
        // Interior page: the first key that is not less than the rowid leads to it.
        0x05 => {
            let place = first_at_least(data, header + 12, cells, rowid, |cell| varint(data, cell + 4))?;
            if place == cells {
                return Some(Step::Child(u32_at(data, header + 8)?));
            }
            let cell = usize::from(u16_at(data, header + 12 + 2 * place)?);
            Some(Step::Child(u32_at(data, cell)?))
        }
        0x0d => {
            let key = |cell| {
                let (_, length) = varint(data, cell)?;
                varint(data, cell + length)
            };
            let place = first_at_least(data, header + 8, cells, rowid, key)?;
            if place == cells {
                return Some(Step::Absent);
            }
            let cell = usize::from(u16_at(data, header + 8 + 2 * place)?);
            let (payload_len, first) = varint(data, cell)?;
            let (found, second) = varint(data, cell + first)?;
            if found != rowid {
                return Some(Step::Absent);
            }
            let payload_len = u64::try_from(payload_len).ok()?;
            let start = cell + first + second;
            let local_len = local_length(payload_len, usable)?;
            let local = data.get(start..start + local_len)?.to_vec();
            let overflow = if payload_len > local_len as u64 {
                u32_at(data, start + local_len)?
            } else {
                0
            };
            Some(Step::Found(Cell {
                payload_len,
                local,
                overflow,
            }))
        }
        _ => None,
    }
}

/// Binary search among the cells of a page, which are ordered by key.
fn first_at_least(
    data: &[u8],
    pointers: usize,
    cells: usize,
    rowid: i64,
    key: impl Fn(usize) -> Option<(i64, usize)>,
) -> Option<usize> {
    let (mut low, mut high) = (0, cells);
    while low < high {
        let middle = usize::midpoint(low, high);
        let cell = usize::from(u16_at(data, pointers + 2 * middle)?);
        if key(cell)?.0 < rowid {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(low)
}

/// How much of a record lies on a table leaf (section 1.6, "Cell Payload Overflow Pages").
fn local_length(payload_len: u64, usable: usize) -> Option<usize> {
    let most = usable.checked_sub(35)?;
    if payload_len <= most as u64 {
        return usize::try_from(payload_len).ok();
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let spill = usize::try_from((payload_len - least as u64) % (usable as u64 - 4)).ok()?;
    Some(if least + spill <= most { least + spill } else { least })
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

/// A big-endian page number.
pub(super) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// A varint: seven bits a byte, big-endian, the ninth byte whole. Returns the value and its length.
pub(super) fn varint(data: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut value: u64 = 0;
    for (index, byte) in data.get(at..)?.iter().take(9).enumerate() {
        if index == 8 {
            return Some((((value << 8) | u64::from(*byte)) as i64, 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value as i64, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::span::column;
    use super::*;

    #[test]
    fn varints_are_read_as_the_file_format_says() {
        for (bytes, value, length) in [
            (&[0x00][..], 0, 1),
            (&[0x7f], 127, 1),
            (&[0x81, 0x00], 128, 2),
            (&[0x82, 0x2c], 300, 2),
            (&[0xff; 9], -1, 9),
        ] {
            assert_eq!(varint(bytes, 0), Some((value, length)));
        }
        assert_eq!(varint(&[0x81], 0), None);
    }

    #[test]
    fn every_record_is_found_with_the_bytes_that_sql_reads() {
        for page_size in [512, 4096, 65536] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(&format!(
                "PRAGMA page_size = {page_size}; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, video BLOB, z INTEGER);"
            ))
            .unwrap();
            let rowids = [-5, 0, 1, 2, 127, 128, 300, 70_000, 1 << 53];
            for (index, rowid) in rowids.iter().enumerate() {
                let length = [0, 1, 100, 400, 480, 4_000, 4_060, 9_000, 100_000][index];
                conn.execute("INSERT INTO t VALUES (?1, 'x', randomblob(?2), 7)", (rowid, length))
                    .unwrap();
            }
            // Many small rows, so that the tree has interior pages.
            conn.execute_batch(
                "INSERT INTO t SELECT value, 'y', randomblob(50), 1 FROM json_each('[' || (SELECT group_concat(1000 + rowid) FROM
                 (WITH RECURSIVE n(rowid) AS (SELECT 1 UNION ALL SELECT rowid + 1 FROM n WHERE rowid < 3000) SELECT rowid FROM n)) || ']')",
            )
            .unwrap();
            let root: u32 = conn
                .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 't'", [], |r| r.get(0))
                .unwrap();
            let usable = usable_size(&conn).unwrap();
            assert_eq!(usable, page_size);
            for rowid in rowids.into_iter().chain([1_001, 2_500, 4_000]) {
                let cell = find(&conn, root, rowid, usable)
                    .unwrap()
                    .unwrap()
                    .expect("the row is there");
                let (length, id): (i64, i64) = conn
                    .query_row("SELECT length(video), id FROM t WHERE id = ?1", [rowid], |r| {
                        Ok((r.get(0)?, r.get(1)?))
                    })
                    .unwrap();
                assert_eq!(id, rowid);
                let span = column(&cell.local, 2).unwrap().unwrap();
                assert_eq!(
                    (span.length, span.is_bytes()),
                    (length.unsigned_abs(), true),
                    "row {rowid}, page size {page_size}"
                );
            }
            for absent in [-6, 3, 5_000, i64::MAX] {
                assert_eq!(find(&conn, root, absent, usable).unwrap().unwrap(), None);
            }
        }
    }
}
