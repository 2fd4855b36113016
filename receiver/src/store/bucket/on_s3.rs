//! What only a place that many receivers share has to keep to.

use std::io::Write;

use super::BucketClips;
use crate::store::clips::Clips;
use crate::store::contract::s3::Bucket;
use crate::store::row::StoredClip;
use crate::store::uploads::{Durable, Hold, PartWriter, Parts, Prefix};

impl BucketClips {
    /// The paths of all objects of videos, sorted.
    pub(in crate::store) async fn all_objects(&self) -> Vec<String> {
        use futures_util::TryStreamExt;
        use object_store::ObjectStore;

        let listing = self.0.objects.list(Some(&self.0.settings.prefix));
        let found: Vec<_> = listing.try_collect().await.unwrap();
        let owner = self.0.owner_path();
        let found = found.into_iter().map(|object| object.location);
        let mut paths: Vec<_> = found
            .filter(|path| *path != owner)
            .map(|path| path.to_string())
            .collect();
        paths.sort();
        paths
    }
}

fn part() -> String {
    uuid::Uuid::now_v7().to_string()
}

async fn open(clips: &BucketClips, part: &str, epoch: i64, at: &Durable) -> Box<dyn PartWriter> {
    let prefix = clips.prefix(part.to_string(), at.clone()).await.unwrap().unwrap();
    let part = part.to_string();
    let manifest = at.manifest.clone();
    clips.resume(Hold { part, epoch }, manifest, prefix).await.unwrap()
}

/// Writes and makes durable.
async fn grow(mut writer: Box<dyn PartWriter>, bytes: &[u8]) -> (Box<dyn PartWriter>, Durable) {
    let bytes = bytes.to_vec();
    let grown = tokio::task::spawn_blocking(move || {
        writer.write_all(&bytes).unwrap();
        let durable = writer.sync().unwrap().sync(writer.prefix().bytes()).unwrap();
        (writer, durable)
    });
    grown.await.unwrap()
}

async fn complete(writer: Box<dyn PartWriter>) -> StoredClip {
    tokio::task::spawn_blocking(|| writer.complete().unwrap())
        .await
        .unwrap()
}

async fn read(clips: &BucketClips, clip: &StoredClip) -> Vec<u8> {
    clips
        .read(clip.name.clone(), clip.manifest.clone(), 0, 1 << 20)
        .await
        .unwrap()
}

#[tokio::test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
async fn who_was_replaced_changes_nothing_and_what_it_left_goes() {
    let bucket = Bucket::default();
    let (one, other) = (
        BucketClips::open(&bucket.0).unwrap(),
        BucketClips::open(&bucket.0).unwrap(),
    );
    let part = part();
    let first = open(&one, &part, 1, &Durable::default()).await;
    let (first, told) = grow(first, b"told, ").await;
    // The other receiver goes on, and the first one does not know it yet.
    let second = open(&other, &part, 2, &told).await;
    let (first, _) = grow(first, b"not told").await;
    let (second, _) = grow(second, b"and gone on").await;
    let (_first, _) = grow(first, b", still there").await;
    let clip = complete(second).await;
    assert_eq!(one.all_objects().await.len(), 4);
    other.settle(clip.name.clone(), true).await.unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while one.all_objects().await.len() > 2 {
        assert!(std::time::Instant::now() < end, "never tidied");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(read(&one, &clip).await, b"told, and gone on");
}

#[tokio::test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
async fn what_is_young_or_not_ours_is_not_swept() {
    let bucket = Bucket::default();
    let clips = BucketClips::open(&bucket.0).unwrap();
    let hour = 3_600_000;
    let day_ago = |name: &str| {
        // As `part()` would have been then.
        let mut id = uuid::Uuid::parse_str(name).unwrap().as_u128();
        id -= u128::from(25 * hour as u64) << 80;
        uuid::Uuid::from_u128(id).to_string()
    };
    let young = part();
    let old = day_ago(&young);
    for name in [young.as_str(), &old, "somebody-elses"] {
        grow(open(&clips, name, 1, &Durable::default()).await, b"x").await;
    }
    let now_ms = crate::clock::unix_ms();
    let names = clips.leftovers(None, now_ms).await.unwrap().names;
    assert_eq!(names, [old.as_str()]);
    // Its name is old, its bytes are not: somebody still writes.
    assert!(!clips.remove_leftover(old.clone(), now_ms).await.unwrap());
    assert_eq!(clips.all_objects().await.len(), 3);
    let later = BucketClips::leaving(&bucket.0, 0).unwrap();
    assert_eq!(later.leftovers(None, now_ms).await.unwrap().names.len(), 2);
    assert!(later.remove_leftover(old, now_ms).await.unwrap());
    assert_eq!(clips.all_objects().await.len(), 2);
}

#[tokio::test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
async fn a_manifest_that_is_none_is_said_and_a_missing_bucket_too() {
    let bucket = Bucket::default();
    let clips = BucketClips::open(&bucket.0).unwrap();
    let error = clips
        .read("a".to_string(), "no\nmanifest".to_string(), 0, 1)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("a: its manifest is none: no\\nmanifest"), "{error}");
    let nowhere = super::BucketSettings::new("s3://there-is-no-such-bucket/clips").unwrap();
    let clips = BucketClips::open(&nowhere).unwrap();
    let error = clips.check().await.unwrap_err().to_string();
    assert!(error.starts_with("s3://there-is-no-such-bucket/clips: "), "{error}");
    assert!(
        error.contains("404") && error.ends_with("there is no such bucket"),
        "{error}"
    );
    let writer = clips
        .resume(Hold { part: part(), epoch: 1 }, String::new(), Prefix::default())
        .await
        .unwrap();
    let failed = tokio::task::spawn_blocking(move || {
        let mut writer = writer;
        writer.write_all(b"x").unwrap();
        writer.complete().unwrap_err().to_string()
    });
    let error = failed.await.unwrap();
    assert!(
        error.contains("there is no such bucket") && !error.contains('\n'),
        "{error}"
    );
}
