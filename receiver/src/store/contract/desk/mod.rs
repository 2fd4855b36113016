//! What a database promises to people: lists, what follows, who they are.

mod filters;
mod following;
mod lists;
mod theirs;
mod visible;

use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "fleet")]
use super::rows::Postgres;
use super::rows::{Database, SqliteFile};
use super::{ok, promises};
use crate::record::{Clip, Event, Origin, Scalar};
use crate::store::Desk;
#[cfg(feature = "fleet")]
use crate::store::postgres::PostgresDesk;
use crate::store::reading::{Change, ClipRow, EventRow, Filter, HourRow, Slice};
use crate::store::reading::{Cursor, Place};
use crate::store::row::StoredClip;
use crate::store::row::{Content, NewRow, NewStatus};
use crate::store::rows::Rows;
use crate::store::sqlite::SqliteDesk;

use filters::*;
use following::*;
use lists::*;
use theirs::*;
use visible::*;

/// No machine takes longer.
const WITHIN: Duration = Duration::from_secs(30);

/// An empty database that rows are stored in and people look at.
pub(super) trait Looked: Database {
    fn desk(&self) -> Arc<dyn Desk>;

    /// Runs a statement that both databases know.
    fn change(&self, sql: &str);
}

impl Looked for SqliteFile {
    fn desk(&self) -> Arc<dyn Desk> {
        Arc::new(SqliteDesk::open(self.folder()).unwrap())
    }

    fn change(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.folder().join("receiver.db")).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database.execute_batch(sql).unwrap();
    }
}

#[cfg(feature = "fleet")]
impl Looked for Postgres {
    fn desk(&self) -> Arc<dyn Desk> {
        PostgresDesk::beside(&self.0.ready()).unwrap()
    }

    fn change(&self, sql: &str) {
        self.0.run(sql);
    }
}

macro_rules! desks_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            each_filter_narrows_a_list
            a_camera_narrows_clips_alone
            each_set_of_filters_finds_what_has_all_of_them
            names_of_any_length_are_stored_and_found
            pages_lose_and_double_nothing_where_rows_share_a_moment
            rows_without_a_date_have_the_moment_at_which_they_came
            hours_are_those_of_the_devices_clocks
            devices_are_known_by_rows_and_by_what_they_tell
            a_pin_stays_until_it_is_taken_off
            what_is_new_is_each_persons_own
            one_sees_only_ones_own_devices
            one_counts_only_ones_own_devices
            one_follows_only_ones_own_devices
            few_devices_among_many_are_found_in_pages_too
            what_many_store_at_once_is_told_to_each_follower_once
            nothing_that_is_asked_is_too_odd
            of_a_long_text_the_beginning_is_read
        }
    };
}
desks_keep_their_promises!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
desks_keep_their_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::Postgres
);

fn origin(device: &str, date: Scalar, sensor: &str) -> Origin {
    Origin {
        date,
        sensor_id: Scalar::Integer(4),
        sensor_name: Scalar::Text(sensor.to_string()),
        device_id: device.to_string(),
        source: "sync_service".to_string(),
    }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_string())
}

fn event(device: &str, date: &str, sensor: &str) -> NewRow {
    let content = Content::Event(Event {
        origin: origin(device, text(date), sensor),
        sensor_state: Scalar::Integer(1),
    });
    NewRow { content, key: None }
}

fn clip(name: &str, device: &str, date: &str, camera: i64) -> NewRow {
    let clip = Clip {
        origin: origin(device, text(date), "Caméra"),
        camera: Scalar::Integer(camera),
    };
    let stored = StoredClip {
        name: name.to_string(),
        size_bytes: 512,
        sha256: "00".repeat(32),
        manifest: String::new(),
    };
    let content = Content::Clip(clip, stored);
    NewRow { content, key: None }
}

fn slice(limit: u32) -> Slice {
    Slice {
        after: None,
        ascending: false,
        limit,
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_string())
}

fn event_ids(rows: &[EventRow]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

fn clip_ids(rows: &[ClipRow]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

/// Waits until a clip can be followed: not before transactions that began earlier are over, anybody's.
async fn followed(desk: &dyn Desk, clip: i64) {
    let end = Instant::now() + WITHIN;
    while ok(desk.unseen("nobody".to_string(), None, 1)).await.newest != clip {
        assert!(Instant::now() < end, "never: {clip}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What follows a place, once it is that much.
async fn told(desk: &dyn Desk, mut cursor: Cursor, visible: &str, count: usize) -> Vec<Change> {
    let (mut found, end) = (Vec::new(), Instant::now() + WITHIN);
    loop {
        let (changes, after) = ok(desk.changes(cursor, some(visible), 50)).await;
        found.extend(changes.into_iter().map(|(change, _)| change));
        cursor = after;
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < end, "{} of {count}", found.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All pages of a list of events, as ids.
async fn walk(desk: &dyn Desk, filter: &Filter, limit: u32, ascending: bool) -> Vec<i64> {
    let place = |row: &EventRow| (row.moment.clone(), row.id);
    walk_by(limit, ascending, place, async |slice| {
        ok(desk.events(filter.clone(), slice)).await
    })
    .await
}

/// The same of clips.
async fn walk_clips(desk: &dyn Desk, filter: &Filter, limit: u32, ascending: bool) -> Vec<i64> {
    let place = |row: &ClipRow| (row.moment.clone(), row.id);
    walk_by(limit, ascending, place, async |slice| {
        ok(desk.clips(filter.clone(), slice)).await
    })
    .await
}

async fn walk_by<T>(
    limit: u32,
    ascending: bool,
    place: impl Fn(&T) -> (String, i64),
    page: impl AsyncFn(Slice) -> Vec<T>,
) -> Vec<i64> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let slice = Slice {
            after,
            ascending,
            limit,
        };
        let page: Vec<_> = page(slice).await.iter().map(&place).collect();
        ids.extend(page.iter().map(|(_, id)| *id));
        after = page.last().map(|(moment, id)| Place {
            moment: moment.clone(),
            id: *id,
        });
        if page.len() < limit as usize {
            return ids;
        }
    }
}
