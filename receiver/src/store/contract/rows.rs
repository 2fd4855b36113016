use super::{ok, promises};
use crate::record::{Clip, Event, Origin, Scalar};
#[cfg(feature = "fleet")]
use crate::store::postgres::{OwnDatabase, PostgresRows};
use crate::store::row::StoredClip;
use crate::store::row::{Content, Key, Kind, NewRow, Receipt};
use crate::store::rows::Rows;
use crate::store::sqlite::SqliteRows;

/// An empty database that can be opened again, as after a crash: nothing says good-bye to the one before.
pub(super) trait Database: Default {
    fn open(&self) -> Box<dyn Rows>;

    /// Removes all clips' rows, as people or a retention may.
    fn forget_clips(&self);
}

pub(super) struct SqliteFile(pub(super) tempfile::TempDir);

impl Default for SqliteFile {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl SqliteFile {
    pub(super) fn folder(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Database for SqliteFile {
    fn open(&self) -> Box<dyn Rows> {
        Box::new(SqliteRows::open(&self.0.path().join("receiver.db")).unwrap())
    }

    fn forget_clips(&self) {
        SqliteRows::forget_clips(&self.0.path().join("receiver.db"));
    }
}

#[cfg(feature = "fleet")]
#[derive(Default)]
pub(super) struct Postgres(pub(super) OwnDatabase);

#[cfg(feature = "fleet")]
impl Database for Postgres {
    fn open(&self) -> Box<dyn Rows> {
        Box::new(PostgresRows::new(self.0.ready()))
    }

    fn forget_clips(&self) {
        self.0.run("DELETE FROM media");
    }
}

macro_rules! rows_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            a_row_without_a_key_is_new_each_time
            a_key_has_one_row_and_one_receipt_for_ever
            a_key_belongs_to_its_kind_and_to_its_device
            without_tokens_a_key_is_one_for_all_devices
            one_key_in_many_hands_is_one_row
            rows_that_come_together_each_have_their_own_outcome
            rows_of_one_request_are_stored_in_their_order_each_key_once
            a_receipt_says_what_was_sent_whatever_its_type
            a_clip_is_named_by_its_row_alone
            a_check_passes_and_leaves_nothing
        }
    };
}
rows_keep_their_promises!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
rows_keep_their_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::Postgres
);

pub(super) fn event(device_id: &str, key: Option<Key>) -> NewRow {
    let content = Content::Event(Event {
        origin: origin(device_id, Scalar::Text("2025-12-18T17:30:00".to_string())),
        sensor_state: Scalar::Integer(1),
    });
    NewRow { content, key }
}

fn origin(device_id: &str, date: Scalar) -> Origin {
    Origin {
        date,
        sensor_id: Scalar::Integer(4),
        sensor_name: Scalar::Null,
        device_id: device_id.to_string(),
        source: "sync_service".to_string(),
    }
}

pub(super) fn a_clip() -> Clip {
    Clip {
        origin: origin("pi", Scalar::Null),
        camera: Scalar::Integer(2),
    }
}

pub(super) fn clip_of(device_id: &str, name: &str, key: Option<Key>) -> NewRow {
    let mut row = clip(name, key);
    if let Content::Clip(clip, _) = &mut row.content {
        clip.origin.device_id = device_id.to_string();
    }
    row
}

pub(super) fn clip(name: &str, key: Option<Key>) -> NewRow {
    let stored = StoredClip {
        name: name.to_string(),
        size_bytes: 512,
        sha256: "00".repeat(32),
        manifest: format!("of {name}"),
    };
    NewRow {
        content: Content::Clip(a_clip(), stored),
        key,
    }
}

pub(super) fn key(key: &str, owner: Option<&str>) -> Key {
    Key {
        owner: owner.map(str::to_string),
        key: key.to_string(),
    }
}

async fn a_row_without_a_key_is_new_each_time(database: impl Database) {
    let rows = database.open();
    let (first, second) = (
        ok(rows.add(event("pi", None))).await,
        ok(rows.add(event("pi", None))).await,
    );
    assert!(first.is_new && second.is_new);
    assert!(second.receipt.id > first.receipt.id);
}

async fn a_key_has_one_row_and_one_receipt_for_ever(database: impl Database) {
    let mut rows = database.open();
    let (of_event, of_clip) = (key("a", Some("pi")), key("b", None));
    assert_eq!(ok(rows.receipt(Kind::Event, of_event.clone())).await, None);
    let first = ok(rows.add(event("pi", Some(of_event.clone())))).await;
    let first_clip = ok(rows.add(clip("1.mp4", Some(of_clip.clone())))).await;
    assert!(first.is_new && first_clip.is_new);
    assert_eq!(first_clip.receipt.size_bytes, Some(512));
    for _ in 0..2 {
        let again = ok(rows.add(event("pi", Some(of_event.clone())))).await;
        assert_eq!((again.is_new, &again.receipt), (false, &first.receipt));
        let again = ok(rows.add(clip("2.mp4", Some(of_clip.clone())))).await;
        assert_eq!((again.is_new, &again.receipt), (false, &first_clip.receipt));
        let asked = ok(rows.receipt(Kind::Event, of_event.clone())).await;
        assert_eq!(asked.as_ref(), Some(&first.receipt));
        let asked = ok(rows.receipt(Kind::Clip, of_clip.clone())).await;
        assert_eq!(asked.as_ref(), Some(&first_clip.receipt));
        rows = database.open();
    }
    assert!(!ok(rows.names_clip("2.mp4".to_string())).await);
}

async fn a_key_belongs_to_its_kind_and_to_its_device(database: impl Database) {
    let rows = database.open();
    let (pi, other) = (key("a", Some("pi")), key("a", Some("other")));
    let first = ok(rows.add(event("pi", Some(pi.clone())))).await;
    assert_eq!(ok(rows.receipt(Kind::Clip, pi.clone())).await, None);
    assert!(ok(rows.add(clip("1.mp4", Some(pi.clone())))).await.is_new);
    assert_eq!(ok(rows.receipt(Kind::Event, other.clone())).await, None);
    assert!(ok(rows.add(event("other", Some(other)))).await.is_new);
    assert_eq!(ok(rows.receipt(Kind::Event, pi)).await, Some(first.receipt));
}

async fn without_tokens_a_key_is_one_for_all_devices(database: impl Database) {
    let rows = database.open();
    let first = ok(rows.add(event("pi", Some(key("a", None))))).await;
    let again = ok(rows.add(event("other", Some(key("a", None))))).await;
    assert_eq!((again.is_new, again.receipt), (false, first.receipt));
}

async fn one_key_in_many_hands_is_one_row(database: impl Database) {
    let rows: std::sync::Arc<dyn Rows> = database.open().into();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let rows = std::sync::Arc::clone(&rows);
            tokio::spawn(async move { ok(rows.add(event("pi", Some(key("a", Some("pi")))))).await })
        })
        .collect();
    let mut added = Vec::new();
    for task in tasks {
        added.push(task.await.unwrap());
    }
    assert_eq!(added.iter().filter(|added| added.is_new).count(), 1);
    assert!(added.iter().all(|other| other.receipt == added[0].receipt));
}

async fn rows_that_come_together_each_have_their_own_outcome(database: impl Database) {
    let rows = database.open();
    let seen = key("seen", None);
    let first = ok(rows.add(event("pi", Some(seen.clone())))).await;
    let (again, new, clip) = tokio::join!(
        ok(rows.add(event("pi", Some(seen)))),
        ok(rows.add(event("pi", Some(key("new", None))))),
        ok(rows.add(clip("1.mp4", None))),
    );
    assert_eq!((again.is_new, new.is_new, clip.is_new), (false, true, true));
    assert_eq!(again.receipt, first.receipt);
    assert_ne!(new.receipt.id, first.receipt.id);
}

async fn rows_of_one_request_are_stored_in_their_order_each_key_once(database: impl Database) {
    let rows = database.open();
    let first = ok(rows.add(event("pi", Some(key("seen", None))))).await;
    let names = ["a", "seen", "b", "a", "c"];
    let added = ok(rows.add_all(names.map(|name| event("pi", Some(key(name, None)))).to_vec())).await;
    let is_new: Vec<_> = added.iter().map(|added| added.is_new).collect();
    assert_eq!(is_new, [true, false, true, false, true]);
    let ids: Vec<_> = added.iter().map(|added| added.receipt.id).collect();
    assert_eq!((ids[1], ids[3]), (first.receipt.id, ids[0]));
    assert!(ids[0] < ids[2] && ids[2] < ids[4]);
    for (name, added) in names.into_iter().zip(added) {
        assert_eq!(
            ok(rows.receipt(Kind::Event, key(name, None))).await,
            Some(added.receipt)
        );
    }
    assert_eq!(ok(rows.add_all(Vec::new())).await, []);
}

async fn a_receipt_says_what_was_sent_whatever_its_type(database: impl Database) {
    let mut rows = database.open();
    let values = [
        Scalar::Null,
        Scalar::Integer(i64::MIN),
        Scalar::Integer(9_007_199_254_740_993),
        Scalar::Real(1_734_542_345.25),
        Scalar::Real(1e300),
        Scalar::Real(3.0),
        Scalar::Text(String::new()),
        Scalar::Text("123".to_string()),
        Scalar::Text("🎥 é\u{fffd}'\0".to_string()),
    ];
    let mut receipts: Vec<(Key, Receipt)> = Vec::new();
    for (number, value) in values.into_iter().enumerate() {
        let mut origin = origin("pi", value.clone());
        origin.sensor_id = value.clone();
        let content = Content::Event(Event {
            origin,
            sensor_state: value.clone(),
        });
        let key = key(&number.to_string(), None);
        let row = NewRow {
            content,
            key: Some(key.clone()),
        };
        let receipt = ok(rows.add(row)).await.receipt;
        assert_eq!((&receipt.date, &receipt.sensor_id), (&value, &value));
        receipts.push((key, receipt));
    }
    rows = database.open();
    for (key, receipt) in receipts {
        assert_eq!(ok(rows.receipt(Kind::Event, key)).await, Some(receipt));
    }
}

async fn a_clip_is_named_by_its_row_alone(database: impl Database) {
    let mut rows = database.open();
    ok(rows.add(clip("1.mp4", None))).await;
    for _ in 0..2 {
        let manifest = ok(rows.manifest("1.mp4".to_string())).await;
        assert_eq!(manifest.as_deref(), Some("of 1.mp4"));
        assert!(ok(rows.names_clip("1.mp4".to_string())).await);
        assert!(!ok(rows.names_clip("1.mp".to_string())).await);
        let names = (0..200).rev().map(|number| format!("{number}.mp4")).collect();
        assert_eq!(ok(rows.owned(names)).await, ["1.mp4".to_string()].into());
        rows = database.open();
    }
}

async fn a_check_passes_and_leaves_nothing(database: impl Database) {
    let rows = database.open();
    let before = ok(rows.add(event("pi", None))).await;
    ok(rows.check()).await;
    ok(rows.check()).await;
    let after = ok(rows.add(event("pi", None))).await;
    assert_eq!(after.receipt.id, before.receipt.id + 1);
}
