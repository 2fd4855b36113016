//! Rows and clips in step, for each pair of implementations.

use std::io::Write;

use super::clips::{Folder, Place, store};
use super::rows::{Database, SqliteFile, a_clip, key};
use super::{ok, promises};
use crate::store::rows::{Added, Content, Key, Kind, NewRow, NewStatus, Receipt, Rows};
use crate::store::{Pending, Store, StoreError};

#[derive(Default)]
struct Both<D, P>(D, P);

impl<D: Database, P: Place> Both<D, P> {
    async fn open(&self) -> Store {
        Store::open(self.0.open(), self.1.open()).await.unwrap()
    }
}

macro_rules! stores_keep_their_promises {
    ($implementation:ident, $database:ty, $place:ty) => {
        promises! { $implementation, super::Both<$database, $place>:
            a_repeated_clip_gets_the_first_receipt_and_leaves_nothing
            a_start_keeps_a_clip_with_a_row_and_removes_one_without
            a_row_that_may_be_there_keeps_its_clip_for_the_next_start
            a_row_that_is_not_there_takes_its_clip_with_it
        }
    };
}
stores_keep_their_promises!(sqlite_and_folder, super::SqliteFile, super::Folder);

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
    assert_eq!(both.1.count(), 1);
}

async fn a_start_keeps_a_clip_with_a_row_and_removes_one_without<D: Database, P: Place>(both: Both<D, P>) {
    let (rows, clips) = (both.0.open(), both.1.open());
    let (with, without) = (store(&*clips, b"with").await, store(&*clips, b"without").await);
    let row = NewRow {
        content: Content::Clip(a_clip(), with.clone()),
        key: None,
    };
    ok(rows.add(row)).await;
    drop((rows, clips));
    both.open().await;
    assert_eq!(both.1.video(&with.name).as_deref(), Some(&b"with"[..]));
    assert_eq!(both.1.video(&without.name), None);
    assert_eq!(both.1.count(), 1);
}

/// A database that stores a row, or does not, and says that it failed.
struct Failing<R>(R, StoreError);

impl Rows for Failing<Box<dyn Rows>> {
    fn receipt(&self, kind: Kind, key: Key) -> Pending<'_, Option<Receipt>> {
        self.0.receipt(kind, key)
    }

    fn add_all(&self, rows: Vec<NewRow>) -> Pending<'_, Vec<Added>> {
        Box::pin(async {
            if matches!(self.1, StoreError::Uncertain(_)) {
                self.0.add_all(rows).await?;
            }
            Err(self.1.clone())
        })
    }

    fn put_status(&self, status: NewStatus) -> Pending<'_, ()> {
        self.0.put_status(status)
    }

    fn names_clip(&self, name: String) -> Pending<'_, bool> {
        self.0.names_clip(name)
    }

    fn check(&self) -> Pending<'_, ()> {
        self.0.check()
    }
}

async fn a_row_that_may_be_there_keeps_its_clip_for_the_next_start<D: Database, P: Place>(both: Both<D, P>) {
    let uncertain = StoreError::Uncertain("the line broke".to_string());
    let rows = Failing(both.0.open(), uncertain.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(add(&failing, b"video", "a").await, Err(uncertain));
    drop(failing);
    let kept = both.open().await;
    assert!(kept.receipt(Kind::Clip, key("a", None)).await.unwrap().is_some());
    assert_eq!(both.1.count(), 1);
}

async fn a_row_that_is_not_there_takes_its_clip_with_it<D: Database, P: Place>(both: Both<D, P>) {
    let unavailable = StoreError::Unavailable("no".to_string());
    let rows = Failing(both.0.open(), unavailable.clone());
    let failing = Store::open(Box::new(rows), both.1.open()).await.unwrap();
    assert_eq!(add(&failing, b"video", "a").await, Err(unavailable));
    assert_eq!(both.1.count(), 0);
}
