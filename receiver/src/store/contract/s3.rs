//! A part of a bucket on a real S3 server, as `scripts/test-fleet.sh` starts one.

use super::clips::Place;
use super::ok;
use crate::store::bucket::{BucketClips, BucketSettings};
use crate::store::clips::Clips;
use crate::store::row::StoredClip;

pub(in crate::store) struct Bucket(pub(in crate::store) BucketSettings);

/// The bucket, as the environment names it.
#[allow(clippy::disallowed_methods)] // Tests are told where it is.
fn bucket() -> String {
    std::env::var("SYNC_TEST_S3").expect("SYNC_TEST_S3; run scripts/test-fleet.sh")
}

impl Default for Bucket {
    fn default() -> Self {
        crate::tls::install();
        let bucket = bucket();
        let url = format!("s3://{bucket}/{}", uuid::Uuid::new_v4().simple());
        Self(BucketSettings::new(&url).unwrap())
    }
}

impl Place for Bucket {
    const KNOWS_UNSETTLED: bool = false;

    /// What has no row when it looks is left over.
    fn open(&self) -> Box<dyn Clips> {
        Box::new(BucketClips::leaving(&self.0, 0).unwrap())
    }

    async fn video(&self, clip: &StoredClip) -> Option<Vec<u8>> {
        let length = usize::try_from(clip.size_bytes).unwrap() + 1;
        let bytes = ok(self.open().read(clip.name.clone(), clip.manifest.clone(), 0, length)).await;
        (bytes.len() as u64 == clip.size_bytes).then_some(bytes)
    }

    async fn count(&self) -> usize {
        let objects = BucketClips::open(&self.0).unwrap().all_objects().await;
        let folders: std::collections::BTreeSet<_> = objects
            .iter()
            .map(|object| object.rsplit_once('/').unwrap().0)
            .collect();
        folders.len()
    }
}
