//! [`Reading`] on PostgreSQL.

use std::collections::HashMap;

use tokio::sync::watch;
use tokio_postgres::{Error, Row};

use super::desk::{Own, PostgresDesk, borrowed, clean, push_pattern};
use super::following::Place;
use super::narrowed::Narrowed;
use super::read_rows::{clip, device, event};
use super::read_sql::{self as sql, List};
use super::scalar::sortable;
use super::wake;
use crate::store::reading::{
    Backlog, Changes, ClipRow, Cursor, DeviceRow, EventRow, FEW_ROWS, Filter, HourRow, Reading, Slice, Unseen,
};
use crate::store::rows::Load;
use crate::store::{Pending, StoreError};

/// After every moment: they begin with a digit.
const END_OF_TIME: &str = "~";

/// What a filter narrows a list to, and its parameters after those that are there.
fn narrowed(filter: &Filter, own: &mut Own) -> Narrowed {
    for wanted in [&filter.device, &filter.sensor, &filter.camera].into_iter().flatten() {
        own.push(Box::new(sortable(wanted)));
    }
    if let Some(visible) = &filter.visible {
        push_pattern(own, visible);
    }
    Narrowed {
        device: filter.device.is_some(),
        sensor: filter.sensor.is_some(),
        camera: filter.camera.is_some(),
        visible: filter.visible.is_some(),
    }
}

impl PostgresDesk {
    async fn page<T>(
        &self,
        list: List,
        filter: Filter,
        slice: Slice,
        read: fn(&Row, usize) -> Result<T, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let is_few = self.is_few(&filter, i64::from(slice.limit)).await?;
        let from = filter.from.clone().unwrap_or_default();
        let to = filter.to.clone().unwrap_or_else(|| END_OF_TIME.to_string());
        let (start, end) = if slice.ascending { (from, to) } else { (to, from) };
        // No id is 0: a moment alone begins before all of its rows, downwards and upwards.
        let (moment, id) = slice.after.map_or((start, 0), |place| (clean(&place.moment), place.id));
        let mut own: Own = vec![
            Box::new(moment),
            Box::new(id),
            Box::new(end),
            Box::new(i64::from(slice.limit)),
        ];
        let narrowed = narrowed(&filter, &mut own);
        let sql = if is_few {
            list.page_of_few(narrowed, slice.ascending)
        } else {
            list.page(narrowed, slice.ascending)
        };
        self.all(&sql, &borrowed(&own), |row| read(row, 0)).await
    }

    /// Whether a filter is by a pattern of devices, and those are so few that each may be looked at.
    pub(super) async fn is_few(&self, filter: &Filter, limit: i64) -> Result<bool, StoreError> {
        let Some(visible) = filter.visible.as_ref().filter(|_| filter.device.is_none()) else {
            return Ok(false);
        };
        let most = FEW_ROWS / limit.max(1);
        let mut own: Own = vec![Box::new(most + 1)];
        push_pattern(&mut own, visible);
        let count = self
            .first(&sql::count_theirs(), &borrowed(&own), |row| row.try_get::<_, i64>(0))
            .await?;
        Ok(count.unwrap_or(0) <= most)
    }

    async fn count_hours(&self, list: List, filter: &Filter) -> Result<Vec<(usize, u64)>, StoreError> {
        let mut own: Own = vec![
            Box::new(filter.from.clone().unwrap_or_default()),
            Box::new(filter.to.clone().unwrap_or_else(|| END_OF_TIME.to_string())),
        ];
        let narrowed = narrowed(filter, &mut own);
        let sql = if narrowed.visible && !narrowed.device {
            list.hours_of_theirs(narrowed)
        } else {
            list.hours(narrowed)
        };
        self.all(&sql, &borrowed(&own), |row| {
            let (hour, count): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
            Ok((hour.parse().unwrap_or(usize::MAX), u64::try_from(count).unwrap_or(0)))
        })
        .await
    }
}

impl Reading for PostgresDesk {
    fn load(&self) -> Load {
        self.link.load()
    }

    fn events(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<EventRow>> {
        Box::pin(async move {
            // Events have no camera.
            if filter.camera.is_some() {
                return Ok(Vec::new());
            }
            self.page(List::Events, filter, slice, event).await
        })
    }

    fn clips(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<ClipRow>> {
        Box::pin(self.page(List::Clips, filter, slice, clip))
    }

    fn clip(&self, id: i64) -> Pending<'_, Option<ClipRow>> {
        Box::pin(async move { self.first(&sql::one_clip(), &[&id], |row| clip(row, 0)).await })
    }

    fn pin(&self, id: i64, pinned: bool) -> Pending<'_, ()> {
        Box::pin(async move { self.link.rows(sql::PIN, &[&id, &pinned]).await.map(drop) })
    }

    fn hours(&self, filter: Filter) -> Pending<'_, [HourRow; 24]> {
        Box::pin(async move {
            let mut hours = [HourRow::default(); 24];
            if filter.camera.is_none() {
                for (hour, count) in self.count_hours(List::Events, &filter).await? {
                    if let Some(row) = hours.get_mut(hour) {
                        row.events = count;
                    }
                }
            }
            for (hour, count) in self.count_hours(List::Clips, &filter).await? {
                if let Some(row) = hours.get_mut(hour) {
                    row.clips = count;
                }
            }
            Ok(hours)
        })
    }

    fn devices(&self) -> Pending<'_, Vec<DeviceRow>> {
        Box::pin(self.all(sql::DEVICES, &[], device))
    }

    fn device(&self, device_id: String) -> Pending<'_, Option<DeviceRow>> {
        Box::pin(async move { self.first(sql::ONE_DEVICE, &[&sortable(&device_id)], device).await })
    }

    fn backlogs(&self, device_ids: Vec<String>, since_s: i64) -> Pending<'_, Vec<Vec<Backlog>>> {
        Box::pin(async move {
            let wanted: Vec<String> = device_ids.iter().map(|device| sortable(device)).collect();
            let rows = self
                .all(sql::BACKLOGS, &[&wanted, &since_s], |row| {
                    let backlog = Backlog {
                        quarter_s: row.try_get(1)?,
                        rows: u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0),
                    };
                    Ok((row.try_get::<_, String>(0)?, backlog))
                })
                .await?;
            let mut of: HashMap<String, Vec<Backlog>> = HashMap::new();
            for (device, backlog) in rows {
                of.entry(device).or_default().push(backlog);
            }
            Ok(wanted
                .iter()
                .map(|device| of.get(device).cloned().unwrap_or_default())
                .collect())
        })
    }

    fn newest(&self) -> Pending<'_, Cursor> {
        Box::pin(async move { Ok(self.newest_place().await?.cursor()) })
    }

    fn commits(&self, own: watch::Receiver<u64>) -> watch::Receiver<u64> {
        wake::everybodys(self.link.settings().clone(), own)
    }

    fn is_own(&self, cursor: &Cursor, newest: &Cursor) -> bool {
        Place::of(cursor).is_some_and(|place| Place::of(newest).is_none_or(|newest| place <= newest))
    }

    fn changes(&self, cursor: Cursor, visible: Option<String>, limit: u32) -> Pending<'_, Changes> {
        Box::pin(self.changes_after(cursor, visible, limit))
    }

    fn unseen(&self, person: String, visible: Option<String>, limit: u32) -> Pending<'_, Unseen> {
        Box::pin(self.unseen_of(person, visible, limit))
    }

    fn seen(&self, person: String, clip: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            let place = self
                .first(sql::PLACE_OF_CLIP, &[&clip], |row| {
                    Ok((row.try_get(0)?, row.try_get(1)?))
                })
                .await?;
            let Some((xid, id)): Option<(i64, i64)> = place else {
                return Ok(());
            };
            self.link.rows(sql::SEE, &[&clean(&person), &xid, &id]).await.map(drop)
        })
    }
}
