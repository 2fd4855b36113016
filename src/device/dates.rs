//! The dates of a page of clips, without reading through their videos.

use std::cmp::Ordering;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::due::Due;
use super::layout::{Layout, quoted};
use super::scalar::{scalar, unsigned};
use crate::row::Scalar;

/// Index entries one statement looks at.
const LIMIT: usize = 1_000;

/// Entries of the date index looked at for each clip whose date is wanted, and at least this many.
const DATE_SEARCH_PER_CLIP: usize = 8;
const DATE_SEARCH_LEAST: usize = 20_000;

/// Without an index, dates of clips are read from the rows only up to this many bytes of video.
const DATE_READ_BYTES: u64 = 64 << 20;

/// Fills in the dates of a page of clips, from the date index (which holds date and rowid and no video), newest
/// first. A date that the search does not reach stays unknown and sorts as the oldest.
pub(super) fn find(conn: &Connection, layout: &Layout, page: &mut [Due]) -> rusqlite::Result<()> {
    for due in page.iter_mut() {
        due.date = None;
    }
    let mut wanted: HashMap<i64, usize> = page.iter().enumerate().map(|(place, due)| (due.id, place)).collect();
    let date = layout.media_date;
    let Some(index) = &layout.media_indexes.date else {
        return read_dates(conn, date, page);
    };
    let index = quoted(index);
    let mut searched = 0;
    let most = DATE_SEARCH_LEAST.max(wanted.len() * DATE_SEARCH_PER_CLIP);
    let mut start: Option<(rusqlite::types::Value, i64)> = None;
    while !wanted.is_empty() && searched < most {
        let mut statement = conn.prepare_cached(&format!(
            "SELECT {date}, id_media FROM media INDEXED BY {index} {} ORDER BY {date} DESC, id_media DESC LIMIT {LIMIT}",
            if start.is_some() { format!("WHERE {date} <= ?1 AND ({date} < ?1 OR id_media < ?2)") } else { String::new() }
        ))?;
        let mut rows = match &start {
            None => statement.query([])?,
            Some((date, id)) => statement.query((date, id))?,
        };
        let mut last = None;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            let id: i64 = row.get(1)?;
            if let Some(place) = wanted.remove(&id) {
                page[place].date = Some(scalar(row.get_ref(0)?));
            }
            last = Some((row.get::<_, rusqlite::types::Value>(0)?, id));
        }
        searched += count;
        if count < LIMIT {
            break;
        }
        start = last;
    }
    Ok(())
}

/// Without an index the date lies behind the video: read it while that is cheap, else leave the order to the ids.
fn read_dates(conn: &Connection, date: &str, page: &mut [Due]) -> rusqlite::Result<()> {
    // The length comes from the record's header, without reading the video.
    let mut length = conn.prepare_cached("SELECT coalesce(length(video), 0) FROM media WHERE id_media = ?1")?;
    let mut bytes = 0_u64;
    for due in page.iter() {
        bytes += unsigned(length.query_row([due.id], |row| row.get(0)).optional()?.unwrap_or(0));
    }
    if bytes > DATE_READ_BYTES {
        return Ok(());
    }
    let mut read = conn.prepare_cached(&format!("SELECT {date} FROM media WHERE id_media = ?1"))?;
    for due in page.iter_mut() {
        due.date = read.query_row([due.id], |row| Ok(scalar(row.get_ref(0)?))).optional()?;
    }
    Ok(())
}

/// SQLite's own order: NULL, numbers, text; unknown first.
pub(super) fn compare(a: Option<&Scalar>, b: Option<&Scalar>) -> Ordering {
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
