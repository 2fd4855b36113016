//! One clip, deleted. SQLite frees a large video page by page under its write lock, twice over: for the columns behind the video, and
//! for the chain itself. So the whole record is read beforehand, in steps without a lock between them; what is large is read once more
//! and timed, since a device may not have the memory to keep it at hand. What takes too long stays.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::super::error::{Context, Result};
use super::super::record::{STEP_BYTES, StoredRecord, Wanted};
use super::super::{Device, generation};
use super::tally::Tally;
use super::{PRUNING, Prunable};
use crate::row::{Scalar, Table};

/// By the PRIMARY KEY, where it is the rowid, as the recorder declares it; nothing where it is not.
pub(in super::super) const DELETE: &str = "DELETE FROM media WHERE _rowid_ = ?1 AND id_media = ?1";

/// By the UNIQUE index of `sync_tracking`.
pub(in super::super) const IS_CERTAIN: &str = "SELECT 1 FROM sync_uploaded
    WHERE table_name = 'media' AND local_id = ?1 AND remote_id = ?2 AND sync_date = ?3";

/// A record up to this length was read a moment ago and is at hand; deleting it takes no time.
const SURE_BYTES: u64 = 4 << 20;

/// What became of a clip that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is gone.
    Done {
        /// For how long nobody else could write.
        locked: Duration,
    },
    /// It is not, or no more, the row that was sent.
    Left,
    /// Deleting it would keep the recorder waiting.
    TooLong,
    /// It was told to stop.
    Interrupted,
}

pub(super) fn remove(
    device: &Device,
    clip: &Prunable,
    longest: Duration,
    now: i64,
    pulse: &mut dyn FnMut() -> bool,
) -> Result<Removal> {
    let conn = &device.conn;
    let Some(mut record) = StoredRecord::find(conn, &device.path, clip.id)? else {
        return Ok(Removal::Left);
    };
    let video = record.span(device.layout.video_position)?;
    let Some(date) = read_through(&mut record, device, pulse)? else {
        return Ok(Removal::Interrupted);
    };
    if date != clip.date || video.is_some_and(|video| video.is_bytes() && video.length != clip.bytes) {
        return Ok(Removal::Left);
    }
    if record.len() > SURE_BYTES {
        match rehearse(&mut record, longest.div_f64(DELETION), pulse)? {
            Rehearsal::Short => {}
            Rehearsal::Long => return Ok(Removal::TooLong),
            Rehearsal::Interrupted => return Ok(Removal::Interrupted),
        }
    }
    // What the transaction asks again is at hand then.
    if !is_certain(conn, device, clip).context(&device.path, PRUNING)? {
        return Ok(Removal::Left);
    }
    delete(device, &mut record, clip, now)
}

/// Reads the whole record, so that its pages are at hand, and its date with it. `None` when told to stop.
fn read_through(record: &mut StoredRecord, device: &Device, pulse: &mut dyn FnMut() -> bool) -> Result<Option<Scalar>> {
    let [date, ..] = device.layout.media_columns;
    let mut wanted = Wanted::of(record, [date])?;
    let mut bytes = Vec::new();
    while !record.is_read() {
        if pulse() {
            return Ok(None);
        }
        let start = record.position();
        bytes.clear();
        record.step(STEP_BYTES, &mut bytes)?;
        wanted.collect(start, &bytes);
    }
    let [date] = wanted.values(record)?;
    Ok(Some(date))
}

/// How much longer a deletion takes than its rehearsal: each page is read twice in it. Measured: 1.35, its commit left out.
const DELETION: f64 = 1.4;

/// Pages of one step of the rehearsal: a millisecond or two where they are at hand.
const STEP_PAGES: usize = 256;

/// Rehearsals of a clip.
const REHEARSALS: u32 = 5;

enum Rehearsal {
    Short,
    Long,
    Interrupted,
}

/// Goes through the record's chain as SQLite will: does that take no longer than it may? Tried again where the processor may have been
/// busy with something else.
fn rehearse(record: &mut StoredRecord, longest: Duration, pulse: &mut dyn FnMut() -> bool) -> Result<Rehearsal> {
    for _ in 0..REHEARSALS {
        let (mut took, mut page) = (Duration::ZERO, record.overflow());
        while page != 0 && took <= longest {
            if pulse() {
                return Ok(Rehearsal::Interrupted);
            }
            let began = Instant::now();
            page = record.follow(page, STEP_PAGES)?;
            took += began.elapsed();
        }
        log::debug!("rehearsal: {took:?} for {} bytes", record.len());
        if page == 0 && took <= longest {
            return Ok(Rehearsal::Short);
        }
    }
    Ok(Rehearsal::Long)
}

/// Whether the row counts as sent, of the ids as they are given now, and no other row needs it to stay.
fn is_certain(conn: &Connection, device: &Device, clip: &Prunable) -> rusqlite::Result<bool> {
    let sent = conn
        .prepare_cached(IS_CERTAIN)?
        .query_row((clip.id, clip.remote_id, &clip.sync_date), |_| Ok(()))
        .optional()?;
    Ok(sent.is_some()
        && generation::newest_that_stays(conn, Table::Media)? != Some(clip.id)
        && generation::is_settled(conn, &device.layout, Table::Media)?)
}

/// The one transaction.
fn delete(device: &Device, record: &mut StoredRecord, clip: &Prunable, now: i64) -> Result<Removal> {
    let path = &device.path;
    let tx = Transaction::new_unchecked(&device.conn, TransactionBehavior::Immediate).context(path, PRUNING)?;
    let began = Instant::now();
    record.verify()?;
    if !is_certain(&tx, device, clip).context(path, PRUNING)? {
        return Ok(Removal::Left);
    }
    let deleted = tx
        .prepare_cached(DELETE)
        .and_then(|mut statement| statement.execute([clip.id]))
        .context(path, PRUNING)?;
    if deleted != 1 {
        return Ok(Removal::Left);
    }
    Tally::add(&tx, clip.bytes, now).context(path, PRUNING)?;
    tx.commit().context(path, PRUNING)?;
    Ok(Removal::Done {
        locked: began.elapsed(),
    })
}
