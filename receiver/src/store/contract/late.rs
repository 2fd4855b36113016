//! Holders of uploads that are slow, lose them, or can't go on: no row is ever without its video.

use std::io::Write;

use super::clips::{Folder, Place};
use super::failing::Failing;
use super::promises;
use super::rows::{Database, SqliteFile, a_clip, key};
use super::store::{Both, upload};
use crate::store::row::{Content, Kind, NewRow, StoredClip};
use crate::store::uploads::{Claim, LEASE_MS, PartSync, PartWriter, Prefix, Saved, Then, Upload, Wish};
use crate::store::{Held, Store, StoreError};

macro_rules! late_ones_do_no_harm {
    ($(#$needs:tt)? $implementation:ident, $database:ty, $place:ty) => {
        promises! { $(#$needs)? $implementation, super::Both<$database, $place>:
            a_row_that_comes_late_is_not_without_its_video
            who_lost_its_upload_takes_nothing_back
        }
    };
}
late_ones_do_no_harm!(sqlite_and_folder, super::SqliteFile, super::Folder);
#[cfg(feature = "fleet")]
late_ones_do_no_harm!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres_and_folder,
    super::super::rows::Postgres,
    super::Folder
);
#[cfg(feature = "fleet")]
late_ones_do_no_harm!(
    #[ignore = "needs PostgreSQL and an S3 server: scripts/test-fleet.sh"]
    on_postgres_and_s3,
    super::super::rows::Postgres,
    super::super::s3::Bucket
);
promises! { folder_alone, super::Both<super::SqliteFile, super::Folder>:
    a_part_that_cannot_be_read_begins_anew
}

/// An upload of five bytes as its holder left it that stopped before it had the row stored, and what it completed.
async fn completed(both: &Store) -> (Upload, StoredClip) {
    let created = both.create_upload(super::uploads::new("a", 5)).await.unwrap();
    // Its lease is over.
    let then = crate::clock::unix_ms() - LEASE_MS;
    let claim = both.rows.claim_upload(created.upload.id, then).await.unwrap();
    let Claim::Taken(mut upload) = claim else {
        panic!("{claim:?}");
    };
    upload.durable = super::parts::part(&*both.clips, &upload.part, b"vid").await;
    let saved = both
        .rows
        .save_upload(upload.hold(), upload.durable.clone(), Then::GoesOn, then);
    assert_eq!(saved.await, Ok(Saved::Kept));
    let all = super::parts::grow(&*both.clips, &upload.part, &upload.durable, b"eo").await;
    let stored = super::parts::complete(&*both.clips, &upload.part, &all).await;
    (upload, stored)
}

fn row(stored: &StoredClip) -> NewRow {
    NewRow {
        content: Content::Clip(a_clip(), stored.clone()),
        key: Some(key("a", None)),
    }
}

async fn a_row_that_comes_late_is_not_without_its_video<D: Database, P: Place>(both: Both<D, P>) {
    let kept = both.open().await;
    let (slow, stored) = completed(&kept).await;
    let Wish::Seen(seen) = kept.quiet_upload(&slow.id).await.unwrap() else {
        panic!("not seen");
    };
    let prefix = kept.prefix_seen(&seen).await.unwrap();
    assert_eq!(prefix.map(|prefix| prefix.bytes()), Some(3));
    let now_ms = crate::clock::unix_ms();
    let added = kept
        .rows
        .complete_upload(slow.hold(), row(&stored), now_ms)
        .await
        .unwrap();
    if added.is_none() {
        assert!(upload(&kept, b"video").await.unwrap().is_some());
    }
    assert_eq!(both.1.video(&stored).await.as_deref(), Some(&b"video"[..]));
    assert_eq!(
        kept.receipt(Kind::Clip, key("a", None))
            .await
            .unwrap()
            .unwrap()
            .size_bytes,
        Some(5)
    );
}

/// A writer that has completed a clip long ago.
struct Completed(StoredClip, Prefix);

impl Write for Completed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl PartWriter for Completed {
    fn prefix(&self) -> &Prefix {
        &self.1
    }

    fn sync(&self) -> Result<Box<dyn PartSync>, StoreError> {
        Err(StoreError::Unavailable("it is completed".to_string()))
    }

    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError> {
        Ok(self.0)
    }
}

async fn who_lost_its_upload_takes_nothing_back<D: Database, P: Place>(both: Both<D, P>) {
    let kept = both.open().await;
    let (slow, stored) = completed(&kept).await;
    // Another one has it, and has completed it too.
    let claim = kept
        .rows
        .claim_upload(slow.id.clone(), crate::clock::unix_ms())
        .await
        .unwrap();
    let Claim::Taken(held) = claim else {
        panic!("{claim:?}");
    };
    let unavailable = StoreError::Unavailable("no".to_string());
    let failing = Store::new(Box::new(Failing(both.0.open(), unavailable.clone())), both.1.open());
    for (slow_one, outcome) in [(&kept, Ok(None)), (&failing, Err(unavailable))] {
        let writer = Box::new(Completed(stored.clone(), Prefix::default()));
        let late = slow_one.complete_upload(&slow, writer, a_clip(), Some(key("a", None)));
        assert_eq!(late.await, outcome);
    }
    let now_ms = crate::clock::unix_ms();
    let added = kept
        .rows
        .complete_upload(held.hold(), row(&stored), now_ms)
        .await
        .unwrap();
    assert!(added.unwrap().is_new);
    assert_eq!(both.1.video(&stored).await.as_deref(), Some(&b"video"[..]));
}

async fn a_part_that_cannot_be_read_begins_anew(both: Both<SqliteFile, Folder>) {
    let kept = both.open().await;
    let created = kept.create_upload(super::uploads::new("a", 5)).await.unwrap().upload;
    let Wish::Held(Held { upload: mut held, stop }) = kept.claim_upload(&created.id).await.unwrap() else {
        panic!("not held");
    };
    held.durable = super::parts::part(&*kept.clips, &held.part, b"vid").await;
    let saved = kept.save_upload(held.hold(), held.durable.clone(), Then::GoesOn);
    assert_eq!(saved.await, Ok(Saved::Kept));
    // What is read at its start gives EIO, as a sector does that is lost.
    let part = both.1.path().join("incoming").join(format!("{}.upload", held.part));
    std::fs::remove_file(&part).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", &part).unwrap();
    assert!(kept.prefix(&held).await.unwrap().is_none());
    assert!(std::fs::symlink_metadata(&part).is_err());
    assert!(kept.upload("a").await.unwrap().is_none());
    drop(stop);
    assert!(upload(&kept, b"video").await.unwrap().is_some());
}
