//! The dates of clips, without reading through their videos.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::due::Due;
use super::error::{Context, DeviceError, Kind, Result, is_too_large};
use super::layout::{Layout, quoted};
use super::record::{STEP_BYTES, StoredRecord};
use super::scalar::{COLUMN_BYTES, order_key, scalar};
use crate::row::{Scalar, Table};

/// Index entries one statement looks at.
const LIMIT: usize = 1_000;

/// Entries of the date index looked at for each clip whose date is wanted, and at least this many.
const SEARCH_PER_CLIP: usize = 8;
const SEARCH_LEAST: usize = 20_000;

/// Entries looked at from either end of the index for a single clip: some 300 KB each.
const SEARCH_SINGLE: usize = 8_000;

/// Without an index, the dates of a page are read behind the videos up to so many bytes.
const READ_BYTES: u64 = 64 << 20;

/// A date up to this length is its own order key, and reading goes on from it.
const WHOLE_BYTES: usize = 64;

const SEARCHING: &str = "recherche des dates";

/// From which end the date index is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Newest,
    Oldest,
}

/// Puts a page in the order date, then id.
pub(super) fn arrange(conn: &Connection, path: &Path, layout: &Layout, table: Table, page: &mut [Due]) -> Result<()> {
    if table == Table::Media {
        find(conn, path, layout, page)?;
    }
    page.sort_by(|a, b| compare(a.date.as_ref(), b.date.as_ref()).then(a.id.cmp(&b.id)));
    Ok(())
}

/// Fills in the dates of a page of clips, from the date index (which holds date and rowid and no video), newest
/// first. A date that the search does not reach stays unknown and sorts as the oldest.
fn find(conn: &Connection, path: &Path, layout: &Layout, page: &mut [Due]) -> Result<()> {
    for due in page.iter_mut() {
        due.date = None;
    }
    if layout.media_indexes.date.is_some() {
        let most = SEARCH_LEAST.max(page.len() * SEARCH_PER_CLIP);
        return search(conn, path, layout, page, Side::Newest, most);
    }
    let mut left = READ_BYTES;
    for due in page.iter_mut() {
        let (date, read) = in_row(conn, path, layout, due.id, left)?;
        due.date = date;
        left = left.saturating_sub(read);
    }
    Ok(())
}

/// The date of one clip, by reading at most a step of its record or a few hundred KB of the index; `None` when it can't
/// be told so cheaply.
pub(super) fn cheap(conn: &Connection, path: &Path, layout: &Layout, id: i64) -> Result<Option<Scalar>> {
    if let (Some(date), _) = in_row(conn, path, layout, id, STEP_BYTES as u64)? {
        return Ok(Some(date));
    }
    let mut page = [Due { id, date: None }];
    for from in [Side::Newest, Side::Oldest] {
        search(conn, path, layout, &mut page, from, SEARCH_SINGLE)?;
        if page[0].date.is_some() {
            break;
        }
    }
    let [due] = page;
    Ok(due.date)
}

/// The date of one clip, if need be from behind its video.
pub(super) fn thorough(conn: &Connection, path: &Path, layout: &Layout, id: i64) -> Result<Option<Scalar>> {
    Ok(match cheap(conn, path, layout, id)? {
        Some(date) => Some(date),
        None => in_row(conn, path, layout, id, u64::MAX)?.0,
    })
}

/// The date as it stands in the clip's record, if that means reading `most` bytes or less; and how many were read.
fn in_row(conn: &Connection, path: &Path, layout: &Layout, id: i64, most: u64) -> Result<(Option<Scalar>, u64)> {
    let [date, ..] = layout.media_columns;
    let read = || -> Result<(Option<Scalar>, u64)> {
        let Some(mut record) = StoredRecord::find(conn, path, id)? else {
            return Ok((None, 0));
        };
        let end = record.small_span(date)?.map_or(0, |span| span.end());
        if end > most {
            return Ok((None, 0));
        }
        let [value] = record.values([date])?;
        Ok((Some(value), end))
    };
    match read() {
        // A row that can't be read is met, and told, when it is its turn.
        Err(DeviceError {
            kind: Kind::Row | Kind::Changed | Kind::Vanished | Kind::Unusable,
            ..
        }) => Ok((None, 0)),
        result => result,
    }
}

/// Looks for dates in the index, `most` entries far.
pub(super) fn search(
    conn: &Connection,
    path: &Path,
    layout: &Layout,
    page: &mut [Due],
    from: Side,
    most: usize,
) -> Result<()> {
    let mut wanted: HashMap<i64, usize> = page.iter().enumerate().map(|(place, due)| (due.id, place)).collect();
    let mut start = None;
    let mut searched = 0;
    while !wanted.is_empty() && searched < most {
        let Some(sql) = window(layout, from, start.is_some()) else {
            return Ok(());
        };
        let mut last = None;
        let mut take = |row: &Row| -> rusqlite::Result<()> {
            // The id of an entry with a huge date is not asked for: SQLite would read the whole entry for it.
            let id: Option<i64> = row.get(0)?;
            if let Some(place) = id.and_then(|id| wanted.remove(&id)) {
                page[place].date = Some(scalar(row.get_ref(1)?));
            }
            if row.get(2)? {
                last = Some(row.get::<_, Value>(1)?);
            }
            Ok(())
        };
        let count = match read_window(conn, &sql, start.as_ref(), &mut take) {
            // Somebody's date is too large to be compared with.
            Err(error) if is_too_large(&error) => return Ok(()),
            count => count.context(path, SEARCHING)?,
        };
        searched += count;
        if count < LIMIT || last.is_none() || last == start {
            return Ok(());
        }
        start = last;
    }
    Ok(())
}

/// Shows each entry of a window to `take`; returns how many there were.
fn read_window(
    conn: &Connection,
    sql: &str,
    start: Option<&Value>,
    take: &mut dyn FnMut(&Row) -> rusqlite::Result<()>,
) -> rusqlite::Result<usize> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = match start {
        None => statement.query([])?,
        Some(date) => statement.query([date])?,
    };
    let mut count = 0;
    while let Some(row) = rows.next()? {
        take(row)?;
        count += 1;
    }
    Ok(count)
}

/// A window of the date index, by the index alone: id, the date as far as pages are ordered by it, and whether that is
/// all of it.
pub(super) fn window(layout: &Layout, from: Side, continued: bool) -> Option<String> {
    let (index, date) = (quoted(layout.media_indexes.date.as_ref()?), layout.media_date);
    let (direction, beyond) = match from {
        Side::Newest => ("DESC", "<="),
        Side::Oldest => ("ASC", ">="),
    };
    let continued = if continued {
        format!("WHERE {date} {beyond} ?1")
    } else {
        String::new()
    };
    let key = order_key(date);
    Some(format!(
        "SELECT CASE WHEN octet_length({date}) <= {COLUMN_BYTES} THEN id_media END, {key},
                coalesce(octet_length({date}) <= {WHOLE_BYTES}, 0)
         FROM media INDEXED BY {index} {continued} ORDER BY {date} {direction} LIMIT {LIMIT}"
    ))
}

/// SQLite's own order: NULL, numbers, text; unknown first.
fn compare(a: Option<&Scalar>, b: Option<&Scalar>) -> Ordering {
    fn rank(date: Option<&Scalar>) -> (u8, f64, &str) {
        match date {
            None => (0, 0.0, ""),
            Some(Scalar::Null) => (1, 0.0, ""),
            #[allow(clippy::cast_precision_loss)] // only the order of odd rows depends on it
            Some(Scalar::Integer(number)) => (2, *number as f64, ""),
            Some(Scalar::Real(number)) => (2, *number, ""),
            Some(Scalar::Text(text)) => (3, 0.0, text),
        }
    }
    let (a, b) = (rank(a), rank(b));
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(b.2))
}
