//! [`Reading`] on SQLite.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::desk::SqliteDesk;
use super::following::{Ids, changes};
use super::of_few;
use super::read_rows::{clip, device, event};
use super::reading_sql::{self as sql, List, Narrowed};
use super::unseen::unseen;
use crate::store::reading::{
    Backlog, Changes, ClipRow, Cursor, DeviceRow, EventRow, Filter, HourRow, Reading, Slice, Unseen,
};
use crate::store::rows::Load;
use crate::store::{Pending, pattern};

/// After every moment: they begin with a digit.
const END_OF_TIME: &str = "~";

fn narrowed(filter: &Filter) -> Narrowed {
    Narrowed {
        device: filter.device.is_some(),
        sensor: filter.sensor.is_some(),
        camera: filter.camera.is_some(),
    }
}

fn page<T>(
    conn: &Connection,
    list: List,
    filter: Filter,
    slice: &Slice,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = conn.prepare_cached(&list.page(narrowed(&filter), slice.ascending))?;
    let from = filter.from.unwrap_or_default();
    let to = filter.to.unwrap_or_else(|| END_OF_TIME.to_string());
    let (start, end) = if slice.ascending { (from, to) } else { (to, from) };
    // No id is 0: a moment alone begins before all of its rows, downwards and upwards.
    let (moment, id) = match &slice.after {
        Some(place) => (place.moment.clone(), place.id),
        None => (start, 0),
    };
    let rows = statement.query_map(
        params![
            moment,
            id,
            end,
            filter.device,
            filter.sensor,
            filter.visible.as_deref().map(pattern::glob),
            filter.camera,
            slice.limit
        ],
        read,
    )?;
    rows.collect()
}

/// Of a day.
fn count_everybodys(conn: &Connection, list: List, day: &str) -> rusqlite::Result<Vec<(usize, u64)>> {
    let mut statement = conn.prepare_cached(&list.count())?;
    let mut count = |hour: usize| {
        let (start, end) = (format!("{day}T{hour:02}"), format!("{day}T{:02}", hour + 1));
        let count: i64 = statement.query_row([start, end], |row| row.get(0))?;
        Ok((hour, u64::try_from(count).unwrap_or(0)))
    };
    (0..24).map(&mut count).collect()
}

fn count_hours(conn: &Connection, list: List, filter: &Filter) -> rusqlite::Result<Vec<(usize, u64)>> {
    let narrowed = narrowed(filter);
    let sql = match (&filter.visible, &filter.from) {
        (Some(_), _) if !narrowed.device => list.hours_of_theirs(narrowed),
        (None, Some(day)) if narrowed == Narrowed::default() => return count_everybodys(conn, list, day),
        _ => list.hours(narrowed),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let none = Value::Null;
    let rows = statement.query_map(
        params![
            filter.from,
            none,
            filter.to,
            filter.device,
            filter.sensor,
            filter.visible.as_deref().map(pattern::glob),
            filter.camera,
            none
        ],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    rows.map(|row| row.map(|(hour, count)| (usize::try_from(hour).unwrap_or(0), u64::try_from(count).unwrap_or(0))))
        .collect()
}

impl Reading for SqliteDesk {
    fn load(&self) -> Load {
        self.pool.load()
    }

    fn events(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<EventRow>> {
        Box::pin(async move {
            // Events have no camera.
            if filter.camera.is_some() {
                return Ok(Vec::new());
            }
            self.pool
                .with(move |conn| {
                    let place = |row: &EventRow| (row.moment.clone(), row.id);
                    of_few::page(conn, &filter, &slice, place, |filter, slice| {
                        page(conn, List::Events, filter, slice, event)
                    })
                })
                .await
        })
    }

    fn clips(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<ClipRow>> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    let place = |row: &ClipRow| (row.moment.clone(), row.id);
                    of_few::page(conn, &filter, &slice, place, |filter, slice| {
                        page(conn, List::Clips, filter, slice, clip)
                    })
                })
                .await
        })
    }

    fn clip(&self, id: i64) -> Pending<'_, Option<ClipRow>> {
        Box::pin(async move {
            self.pool
                .with(move |conn| conn.prepare_cached(&sql::one_clip())?.query_row([id], clip).optional())
                .await
        })
    }

    fn pin(&self, id: i64, pinned: bool) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| tx.execute(sql::PIN, params![id, pinned]).map(drop))
                .await
        })
    }

    fn hours(&self, filter: Filter) -> Pending<'_, [HourRow; 24]> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    let mut hours = [HourRow::default(); 24];
                    // Events have no camera.
                    let events = if filter.camera.is_none() {
                        count_hours(conn, List::Events, &filter)?
                    } else {
                        Vec::new()
                    };
                    for (hour, count) in events {
                        if let Some(row) = hours.get_mut(hour) {
                            row.events = count;
                        }
                    }
                    for (hour, count) in count_hours(conn, List::Clips, &filter)? {
                        if let Some(row) = hours.get_mut(hour) {
                            row.clips = count;
                        }
                    }
                    Ok(hours)
                })
                .await
        })
    }

    fn devices(&self) -> Pending<'_, Vec<DeviceRow>> {
        Box::pin(self.pool.with(|conn| {
            let mut statement = conn.prepare_cached(sql::DEVICES)?;
            let rows = statement.query_map([], device)?;
            rows.collect()
        }))
    }

    fn device(&self, device_id: String) -> Pending<'_, Option<DeviceRow>> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    conn.prepare_cached(sql::ONE_DEVICE)?
                        .query_row([device_id], device)
                        .optional()
                })
                .await
        })
    }

    fn backlogs(&self, device_ids: Vec<String>, since_s: i64) -> Pending<'_, Vec<Vec<Backlog>>> {
        Box::pin(self.pool.with(move |conn| {
            let mut statement = conn.prepare_cached(sql::BACKLOG)?;
            let of = |device_id: &String| {
                let rows = statement.query_map(params![device_id, since_s], |row| {
                    Ok(Backlog {
                        quarter_s: row.get(0)?,
                        rows: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                    })
                })?;
                rows.collect()
            };
            device_ids.iter().map(of).collect()
        }))
    }

    fn newest(&self) -> Pending<'_, Cursor> {
        Box::pin(async move { Ok(self.pool.with(|conn| Ids::newest(conn)).await?.into()) })
    }

    fn is_own(&self, cursor: &Cursor, newest: &Cursor) -> bool {
        Ids::of(cursor).is_some_and(|ids| Ids::of(newest).is_none_or(|newest| !ids.is_ahead_of(newest)))
    }

    fn changes(&self, cursor: Cursor, visible: Option<String>, limit: u32) -> Pending<'_, Changes> {
        Box::pin(async move {
            let Some(after) = Ids::of(&cursor) else {
                return Ok((Vec::new(), self.newest().await?));
            };
            self.pool.with(move |conn| changes(conn, after, visible, limit)).await
        })
    }

    fn unseen(&self, person: String, visible: Option<String>, limit: u32) -> Pending<'_, Unseen> {
        Box::pin(async move {
            self.pool
                .with(move |conn| unseen(conn, &person, visible.as_deref(), limit))
                .await
        })
    }

    fn seen(&self, person: String, clip: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| tx.execute(sql::SEE, params![person, clip]).map(drop))
                .await
        })
    }
}
