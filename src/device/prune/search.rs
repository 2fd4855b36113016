//! Which clips are certainly at the server, lowest id first: `success` with the server's id, of the ids as they are given now, and the row is the one
//! that was sent.

use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use rusqlite::Row;

use super::super::dates::{self, Side};
use super::super::due::Due;
use super::super::error::{Context, Result};
use super::super::scalar::{moment, scalar, unsigned};
use super::super::{Device, generation};
use super::{PRUNING, Prunable};
use crate::row::{Scalar, Table};

/// How long one statement may take: the recorder waits for as long as it is read.
const WINDOW_TIME: Duration = Duration::from_millis(20);

/// Rows one statement looks at, and clips of them that are handed out.
const WINDOW: i64 = 1_000;
const CLIPS: usize = 100;

/// Entries of the date index looked at for the dates of a window.
const DATES: usize = 4_000;

/// A range of the recorder's PRIMARY KEY, each row in the UNIQUE index of `sync_tracking` and by the PRIMARY KEY of `sync_sent_clip`. The length of
/// a video stands in its record's header.
pub(in super::super) const AFTER: &str =
    "SELECT m.id_media, t.remote_id, CASE WHEN octet_length(t.sync_date) <= 64 THEN CAST(t.sync_date AS TEXT) END,
        CASE WHEN t.id IS NOT NULL THEN octet_length(m.video) END, s.bytes, s.date
    FROM media m
    LEFT JOIN sync_tracking t ON t.table_name = 'media' AND t.local_id = m.id_media
        AND t.sync_status = 'success' AND typeof(t.remote_id) = 'integer'
    LEFT JOIN sync_sent_clip s ON s.local_id = m.id_media AND s.sync_date = t.sync_date
    WHERE m.id_media > ?1 ORDER BY m.id_media LIMIT ?2";

/// Clips found at a time.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Those that are certainly at the server.
    pub clips: Vec<Prunable>,
    /// The highest id that was looked at; `None` behind the last row.
    pub reached: Option<i64>,
    /// Rows up to it, since the last of `clips`, that are none of them.
    pub others: u64,
}

/// A row marked as sent, with what was kept of it.
struct Sent {
    id: i64,
    remote_id: i64,
    sync_date: String,
    bytes: u64,
    kept: Option<Kept>,
}

/// A clip's length and date as they went out.
struct Kept {
    bytes: u64,
    date: Option<String>,
}

pub(super) fn window(device: &Device, after: i64, sent_before: Option<NaiveDateTime>) -> Result<Window> {
    let conn = &device.conn;
    let settled = generation::is_settled(conn, &device.layout, Table::Media);
    // The next pass sees to it.
    if !settled.context(&device.path, PRUNING)? {
        return Ok(Window::default());
    }
    let mut window = Window::default();
    let sent = read(device, after, sent_before, &mut window).context(&device.path, PRUNING)?;
    let mut dates: Vec<Due> = sent
        .iter()
        .filter(|row| row.kept.as_ref().is_none_or(|kept| kept.date.is_none()))
        .map(|row| Due { id: row.id, date: None })
        .collect();
    dates::search(conn, &device.path, &device.layout, &mut dates, Side::Oldest, DATES)?;
    let mut dates = dates.into_iter().peekable();
    for row in sent {
        let found = dates.next_if(|due| due.id == row.id).and_then(|due| due.date);
        let kept = row.kept.as_ref().and_then(|kept| kept.date.clone());
        let date = match kept.map(Scalar::Text).or(found) {
            Some(date) => date,
            None => dates::thorough(conn, &device.path, &device.layout, row.id)?.unwrap_or(Scalar::Null),
        };
        window.clips.extend(certain(row, date));
    }
    Ok(window)
}

/// Reads rows until there are enough, or the time is over.
fn read(
    device: &Device,
    after: i64,
    sent_before: Option<NaiveDateTime>,
    window: &mut Window,
) -> rusqlite::Result<Vec<Sent>> {
    let stays = generation::newest_that_stays(&device.conn, Table::Media)?;
    let mut sent = Vec::new();
    let mut statement = device.conn.prepare_cached(AFTER)?;
    let mut rows = statement.query((after, WINDOW))?;
    let began = Instant::now();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        window.reached = Some(id);
        window.others += 1;
        if let Some(clip) = sent_row(row, id)? {
            let early = sent_before.is_none_or(|before| moment_of(&clip.sync_date).is_some_and(|sent| sent < before));
            if early && stays != Some(id) {
                sent.push(clip);
                window.others = 0;
            }
        }
        if sent.len() == CLIPS || began.elapsed() > WINDOW_TIME {
            break;
        }
    }
    Ok(sent)
}

/// A row of [`AFTER`], if it is marked as sent.
fn sent_row(row: &Row, id: i64) -> rusqlite::Result<Option<Sent>> {
    let (Some(remote_id), Some(sync_date)) = (row.get(1)?, row.get(2)?) else {
        return Ok(None);
    };
    let bytes: Option<i64> = row.get(3)?;
    let kept: Option<i64> = row.get(4)?;
    Ok(Some(Sent {
        id,
        remote_id,
        sync_date,
        bytes: bytes.map_or(0, unsigned),
        kept: match kept {
            Some(bytes) => Some(Kept {
                bytes: unsigned(bytes),
                date: match scalar(row.get_ref(5)?) {
                    Scalar::Text(date) => Some(date),
                    _ => None,
                },
            }),
            None => None,
        },
    }))
}

/// The row as one that may go, if it is the one that was sent: its length is what it was, or, of a row that was sent before lengths
/// were kept, it is older than its success.
fn certain(row: Sent, date: Scalar) -> Option<Prunable> {
    let (recorded, sent) = (moment(&date), moment_of(&row.sync_date));
    let is_the_one = match &row.kept {
        Some(kept) => kept.bytes == row.bytes,
        None => recorded.is_some() && recorded <= sent,
    };
    is_the_one.then_some(Prunable {
        id: row.id,
        bytes: row.bytes,
        remote_id: row.remote_id,
        date,
        recorded,
        sync_date: row.sync_date,
        sent,
    })
}

fn moment_of(text: &str) -> Option<NaiveDateTime> {
    moment(&Scalar::Text(text.to_string()))
}
