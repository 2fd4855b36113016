//! Rows and clips in step, for each pair of implementations.

use std::io::Write;

use super::clips::{Folder, Place, store};
use super::failing::Failing;
use super::rows::{Database, SqliteFile, a_clip, key};
use super::{ok, promises};
use crate::store::row::{Content, Kind, NewRow, Receipt};
use crate::store::uploads::{Then, Wish};
use crate::store::{Held, Store, StoreError};

#[derive(Default)]
pub(super) struct Both<D, P>(pub(super) D, pub(super) P);

impl<D: Database, P: Place> Both<D, P> {
    /// With what a start finds, and what time shows.
    pub(super) async fn open(&self) -> Store {
        let store = Store::open(self.0.open(), self.1.open()).await.unwrap();
        assert_eq!(store.sweep(None).await.unwrap(), None);
        store
    }
}

macro_rules! stores_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty, $place:ty) => {
        promises! { $(#$needs)? $implementation, super::Both<$database, $place>:
            a_repeated_clip_gets_the_first_receipt_and_leaves_nothing
            a_start_keeps_a_clip_with_a_row_and_removes_one_without
            a_row_that_may_be_there_keeps_its_clip_for_the_next_start
            a_row_that_is_not_there_takes_its_clip_with_it
            an_upload_without_its_row_goes_on
            an_upload_whose_row_may_be_there_is_asked_for_again
            what_expired_is_removed_with_its_bytes
            another_database_removes_nothing_of_an_owners_clips
            clips_that_nobody_owns_become_those_of_the_database_that_knows_them
        }
    };
}
stores_keep_their_promises!(sqlite_and_folder, super::SqliteFile, super::Folder);
#[cfg(feature = "fleet")]
stores_keep_their_promises!(
    #[ignore = "needs an S3 server: scripts/test-fleet.sh"]
    on_s3_and_sqlite,
    super::SqliteFile,
    super::super::s3::Bucket
);
#[cfg(feature = "fleet")]
stores_keep_their_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres_and_folder,
    super::super::rows::Postgres,
    super::Folder
);
#[cfg(feature = "fleet")]
stores_keep_their_promises!(
    #[ignore = "needs PostgreSQL and an S3 server: scripts/test-fleet.sh"]
    on_postgres_and_s3,
    super::super::rows::Postgres,
    super::super::s3::Bucket
);

#[cfg(feature = "fleet")]
promises! { #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"] on_postgres, super::super::rows::Postgres:
    what_is_young_by_the_databases_clock_stays
}
#[cfg(feature = "fleet")]
promises! { #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"] two_on_postgres_and_folder, super::Both<super::super::rows::Postgres, super::super::clips::SharedFolder>:
    two_that_sweep_at_once_remove_what_is_nobodys_alone
}
#[cfg(feature = "fleet")]
promises! { #[ignore = "needs PostgreSQL and an S3 server: scripts/test-fleet.sh"] two_on_postgres_and_s3, super::Both<super::super::rows::Postgres, super::super::s3::Bucket>:
    two_that_sweep_at_once_remove_what_is_nobodys_alone
}

async fn add(both: &Store, video: &'static [u8], of: &str) -> Result<Receipt, StoreError> {
    let mut writer = both.begin_clip().await?;
    let writer = tokio::task::spawn_blocking(move || writer.write_all(video).map(|()| writer));
    let writer = writer.await.unwrap().unwrap();
    both.add_clip(a_clip(), writer, Some(key(of, None))).await
}

async fn a_repeated_clip_gets_the_first_receipt_and_leaves_nothing<D: Database, P: Place>(both: Both<D, P>) {
    let kept = both.open().await;
    let first = add(&kept, b"first", "a").await.unwrap();
    assert_eq!(add(&kept, b"again", "a").await.unwrap(), first);
    assert_eq!(kept.receipt(Kind::Clip, key("a", None)).await.unwrap(), Some(first));
    assert_eq!(both.1.count().await, 1);
}

async fn a_start_keeps_a_clip_with_a_row_and_removes_one_without<D: Database, P: Place>(both: Both<D, P>) {
    both.open().await;
    let (rows, clips) = (both.0.open(), both.1.open());
    let (with, without) = (store(&*clips, b"with").await, store(&*clips, b"without").await);
    let row = NewRow {
        content: Content::Clip(a_clip(), with.clone()),
        key: None,
    };
    ok(rows.add(row)).await;
    drop((rows, clips));
    both.open().await;
    assert_eq!(both.1.video(&with).await.as_deref(), Some(&b"with"[..]));
    assert_eq!(both.1.video(&without).await, None);
    assert_eq!(both.1.count().await, 1);
}

async fn a_row_that_may_be_there_keeps_its_clip_for_the_next_start<D: Database, P: Place>(both: Both<D, P>) {
    let uncertain = StoreError::Uncertain("the line broke".to_string());
    let rows = Failing(both.0.open(), uncertain.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(add(&failing, b"video", "a").await, Err(uncertain));
    drop(failing);
    let kept = both.open().await;
    assert!(kept.receipt(Kind::Clip, key("a", None)).await.unwrap().is_some());
    assert_eq!(both.1.count().await, 1);
}

async fn a_row_that_is_not_there_takes_its_clip_with_it<D: Database, P: Place>(both: Both<D, P>) {
    let unavailable = StoreError::Unavailable("no".to_string());
    let rows = Failing(both.0.open(), unavailable.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(add(&failing, b"video", "a").await, Err(unavailable));
    assert_eq!(both.1.count().await, 0);
}

/// A whole upload that is to become a clip.
pub(super) async fn upload(both: &Store, video: &'static [u8]) -> Result<Option<Receipt>, StoreError> {
    let new = super::uploads::new("a", video.len() as u64);
    let upload = both.create_upload(new).await?.upload;
    let Wish::Held(Held { upload, stop: _stop }) = both.claim_upload(&upload.id).await? else {
        panic!("not held");
    };
    let prefix = both.prefix(&upload).await?.unwrap();
    let mut writer = both.resume(&upload, prefix).await?;
    let rest = &video[usize::try_from(upload.durable.bytes).unwrap()..];
    let writer = tokio::task::spawn_blocking(move || writer.write_all(rest).map(|()| writer));
    let writer = writer.await.unwrap().unwrap();
    let completed = both
        .complete_upload(&upload, writer, a_clip(), Some(key("a", None)))
        .await;
    if completed.is_err() {
        both.save_upload(upload.hold(), upload.durable.clone(), Then::LetsGo)
            .await?;
    }
    completed
}

async fn an_upload_without_its_row_goes_on<D: Database, P: Place>(both: Both<D, P>) {
    let unavailable = StoreError::Unavailable("no".to_string());
    let rows = Failing(both.0.open(), unavailable.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(upload(&failing, b"video").await, Err(unavailable));
    drop(failing);
    let kept = both.open().await;
    assert_eq!(both.1.count().await, 1);
    let receipt = upload(&kept, b"video").await.unwrap().unwrap();
    assert_eq!(receipt.size_bytes, Some(5));
    assert_eq!((both.1.count().await, ok(kept.clips.parts()).await.len()), (1, 0));
}

async fn an_upload_whose_row_may_be_there_is_asked_for_again<D: Database, P: Place>(both: Both<D, P>) {
    let uncertain = StoreError::Uncertain("the line broke".to_string());
    let rows = Failing(both.0.open(), uncertain.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(upload(&failing, b"video").await, Err(uncertain));
    assert!(failing.receipt(Kind::Clip, key("a", None)).await.unwrap().is_some());
    drop(failing);
    let kept = both.open().await;
    assert_eq!((both.1.count().await, ok(kept.clips.parts()).await.len()), (1, 0));
    assert_eq!(ok(kept.clips.unsettled()).await, Vec::<String>::new());
}

async fn what_expired_is_removed_with_its_bytes<D: Database, P: Place>(both: Both<D, P>) {
    both.open().await;
    let (rows, clips) = (both.0.open(), both.1.open());
    // At the dawn of time: long expired.
    let upload = ok(rows.create_upload(super::uploads::new("a", 10), "a-part".to_string(), 1)).await;
    super::parts::part(&*clips, &upload.upload.part, b"some").await;
    super::parts::part(&*clips, &uuid::Uuid::now_v7().to_string(), b"some").await;
    drop((rows, clips));
    both.open().await;
    assert_eq!(both.1.count().await, 0);
}

async fn another_database_removes_nothing_of_an_owners_clips<D: Database, P: Place>(both: Both<D, P>) {
    let first = both.open().await;
    add(&first, b"with a row", "a").await.unwrap();
    store(&*first.clips, b"without").await;
    super::parts::part(&*first.clips, &uuid::Uuid::now_v7().to_string(), b"nobody's").await;
    drop(first);
    let Both(database, place) = both;
    let count = place.count().await;
    // A new one, as a setting that is wrong or a database that is lost gives it.
    let other = Both(D::default(), place);
    for _ in 0..2 {
        let store = other.open().await;
        assert_eq!((store.owns_clips().await, other.1.count().await), (Ok(false), count));
        assert_eq!(store.metrics.clips_foreign.get(), 1);
    }
    let first = Both(database, other.1);
    let store = first.open().await;
    assert_eq!((store.owns_clips().await, first.1.count().await), (Ok(true), 1));
    assert_eq!(store.metrics.clips_foreign.get(), 0);
}

/// As an earlier version left them.
async fn clips_that_nobody_owns_become_those_of_the_database_that_knows_them<D: Database, P: Place>(both: Both<D, P>) {
    let (rows, clips) = (both.0.open(), both.1.open());
    for _ in 0..3 {
        let stored = store(&*clips, b"with a row").await;
        let content = Content::Clip(a_clip(), stored.clone());
        ok(rows.add(NewRow { content, key: None })).await;
        ok(clips.settle(stored.name, true)).await;
    }
    store(&*clips, b"without").await;
    drop((rows, clips));
    let Both(database, place) = both;
    let count = place.count().await;
    let other = Both(D::default(), place);
    let store = other.open().await;
    assert_eq!((store.owns_clips().await, other.1.count().await), (Ok(false), count));
    drop(store);
    let first = Both(database, other.1);
    let store = first.open().await;
    assert_eq!((store.owns_clips().await, first.1.count().await), (Ok(true), 3));
}

#[cfg(feature = "fleet")]
async fn two_that_sweep_at_once_remove_what_is_nobodys_alone<D: Database, P: Place>(both: Both<D, P>) {
    both.open().await;
    let (rows, clips) = (both.0.open(), both.1.open());
    let (mut needed, mut left) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let with = store(&*clips, b"with").await;
        let content = Content::Clip(a_clip(), with.clone());
        ok(rows.add(NewRow { content, key: None })).await;
        ok(clips.settle(with.name.clone(), true)).await;
        needed.push(with);
        left.push(store(&*clips, b"without").await);
        let part = uuid::Uuid::now_v7().to_string();
        super::parts::part(&*clips, &part, b"nobody's").await;
    }
    let part = uuid::Uuid::now_v7().to_string();
    let new = super::uploads::new("a", 10);
    ok(rows.create_upload(new, part.clone(), crate::clock::unix_ms())).await;
    super::parts::part(&*clips, &part, b"awaited").await;
    let stores = [Store::new(rows, clips), Store::new(both.0.open(), both.1.open())];
    let (one, other) = tokio::join!(stores[0].sweep(None), stores[1].sweep(None));
    assert_eq!((one, other), (Ok(None), Ok(None)));
    for clip in &needed {
        assert_eq!(both.1.video(clip).await.as_deref(), Some(&b"with"[..]));
    }
    for clip in &left {
        assert_eq!(both.1.video(clip).await, None);
    }
    // And what an upload goes on with.
    assert_eq!(both.1.count().await, needed.len() + 1);
}

/// A receiver's clock that is ahead makes nothing of the others a leftover.
#[cfg(feature = "fleet")]
async fn what_is_young_by_the_databases_clock_stays(database: super::rows::Postgres) {
    let place = Folder::default();
    let hour = std::time::Duration::from_secs(3_600);
    let open = || {
        let clips = crate::store::folder::FolderClips::leaving(place.path(), hour).unwrap();
        Store::new(database.open(), Box::new(clips))
    };
    assert!(open().owns_clips().await.unwrap());
    let stored = store(&*open().clips, b"without").await;
    let mark = std::fs::File::options()
        .write(true)
        .open(place.path().join("incoming").join(stored.name));
    #[allow(clippy::disallowed_methods)] // Files have that clock.
    let two_hours_ago = std::time::SystemTime::now() - 2 * hour;
    mark.unwrap().set_modified(two_hours_ago).unwrap();
    database.0.be_behind("1 day");
    open().sweep(None).await.unwrap();
    assert_eq!(place.count().await, 2);
    database.0.be_behind("0");
    open().sweep(None).await.unwrap();
    assert_eq!(place.count().await, 0);
}
