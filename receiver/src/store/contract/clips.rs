use std::io::Write;

use sha2::{Digest, Sha256};

use super::{ok, promises};
use crate::store::clips::Clips;
use crate::store::folder::FolderClips;
use crate::store::row::StoredClip;

/// An empty place for videos that can be opened again, as after a crash.
pub(super) trait Place: Default {
    /// Whether it knows at its start what has no row. One that many receivers share finds it by its age.
    const KNOWS_UNSETTLED: bool;

    fn open(&self) -> Box<dyn Clips>;

    /// The video of that clip, as somebody else finds it.
    async fn video(&self, clip: &StoredClip) -> Option<Vec<u8>>;

    /// How much is there in all, complete or not.
    async fn count(&self) -> usize;
}

/// Waits until so much is there: what is dropped goes by itself.
pub(super) async fn counts(place: &impl Place, count: usize) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while place.count().await != count {
        assert!(
            std::time::Instant::now() < end,
            "never {count}: {}",
            place.count().await
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub(super) struct Folder(tempfile::TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Folder {
    pub(super) fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Place for Folder {
    const KNOWS_UNSETTLED: bool = true;

    fn open(&self) -> Box<dyn Clips> {
        Box::new(FolderClips::open(self.0.path()).unwrap())
    }

    async fn video(&self, clip: &StoredClip) -> Option<Vec<u8>> {
        std::fs::read(self.0.path().join("clips").join(&clip.name)).ok()
    }

    async fn count(&self) -> usize {
        let count = |name| std::fs::read_dir(self.0.path().join(name)).unwrap().count();
        count("clips") + count("incoming")
    }
}

/// The same as several receivers use it, for whom everything without a row is old.
#[cfg(feature = "fleet")]
#[derive(Default)]
pub(super) struct SharedFolder(Folder);

#[cfg(feature = "fleet")]
impl Place for SharedFolder {
    const KNOWS_UNSETTLED: bool = false;

    fn open(&self) -> Box<dyn Clips> {
        let folder = self.0.0.path();
        Box::new(FolderClips::leaving(folder, std::time::Duration::ZERO).unwrap())
    }

    async fn video(&self, clip: &StoredClip) -> Option<Vec<u8>> {
        self.0.video(clip).await
    }

    async fn count(&self) -> usize {
        self.0.count().await
    }
}

macro_rules! clips_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $place:ty) => {
        promises! { $(#$needs)? $implementation, $place:
            a_settled_clip_is_there_to_its_last_byte
            a_clip_without_a_row_is_removed
            a_clip_that_is_dropped_leaves_nothing
            names_sort_by_arrival
            a_settled_clip_is_read_in_pieces
            a_check_passes_and_leaves_nothing
        }
    };
}
clips_keep_their_promises!(folder, super::Folder);
promises! { folder_alone, super::Folder:
    a_crash_leaves_complete_clips_to_be_settled_and_nothing_else
}
#[cfg(feature = "fleet")]
clips_keep_their_promises!(
    #[ignore = "needs an S3 server: scripts/test-fleet.sh"]
    on_s3,
    super::super::s3::Bucket
);

/// A clip of several pieces that is complete.
pub(super) async fn store(clips: &dyn Clips, video: &[u8]) -> StoredClip {
    let mut writer = ok(clips.begin()).await;
    let pieces = video.to_vec();
    tokio::task::spawn_blocking(move || {
        for piece in pieces.chunks(70_000) {
            writer.write_all(piece).unwrap();
        }
        writer.complete().unwrap()
    })
    .await
    .unwrap()
}

async fn a_settled_clip_is_there_to_its_last_byte(place: impl Place) {
    let clips = place.open();
    let large: Vec<u8> = (0..2_300_000_u32).flat_map(u32::to_le_bytes).collect();
    for video in [&b""[..], b"x", &large] {
        let stored = store(&*clips, video).await;
        ok(clips.settle(stored.name.clone(), true)).await;
        assert_eq!(stored.size_bytes, video.len() as u64);
        assert_eq!(stored.sha256, format!("{:x}", Sha256::digest(video)));
        assert!(place.video(&stored).await.is_some_and(|found| found == video));
    }
    // One without a byte may need no place.
    assert!(matches!(place.count().await, 2 | 3));
}

async fn a_clip_without_a_row_is_removed(place: impl Place) {
    let clips = place.open();
    let stored = store(&*clips, b"video").await;
    // Twice: the first answer may have been lost.
    for _ in 0..2 {
        ok(clips.settle(stored.name.clone(), false)).await;
        assert_eq!(place.video(&stored).await, None);
    }
    assert_eq!(place.count().await, 0);
}

async fn a_clip_that_is_dropped_leaves_nothing(place: impl Place) {
    let clips = place.open();
    let mut writer = ok(clips.begin()).await;
    tokio::task::spawn_blocking(move || writer.write_all(&vec![7; 20 << 20]).unwrap())
        .await
        .unwrap();
    counts(&place, 0).await;
}

async fn a_crash_leaves_complete_clips_to_be_settled_and_nothing_else(place: impl Place) {
    let clips = place.open();
    let (kept, unwanted) = (store(&*clips, b"kept").await, store(&*clips, b"unwanted").await);
    let settled = store(&*clips, b"settled").await;
    ok(clips.settle(settled.name.clone(), true)).await;
    drop(clips);
    let clips = place.open();
    let mut unsettled = ok(clips.unsettled()).await;
    unsettled.sort();
    assert_eq!(unsettled, [kept.name.clone(), unwanted.name.clone()]);
    ok(clips.settle(kept.name.clone(), true)).await;
    ok(clips.settle(unwanted.name.clone(), false)).await;
    assert_eq!(ok(clips.unsettled()).await, Vec::<String>::new());
    assert_eq!(place.video(&kept).await.as_deref(), Some(&b"kept"[..]));
    assert_eq!(place.count().await, 2);
}

async fn names_sort_by_arrival(place: impl Place) {
    let clips = place.open();
    let mut names = Vec::new();
    for number in 0..20_u8 {
        names.push(store(&*clips, &[number]).await.name);
    }
    assert!(names.is_sorted());
}

async fn a_settled_clip_is_read_in_pieces(place: impl Place) {
    let clips = place.open();
    let video: Vec<u8> = (0..2_300_000_u32).flat_map(u32::to_le_bytes).collect();
    let stored = store(&*clips, &video).await;
    ok(clips.settle(stored.name.clone(), true)).await;
    let length = video.len() as u64;
    for (offset, count, found) in [
        (0, 10, &video[..10]),
        (0, video.len() + 1, &video[..]),
        (length - 3, 10, &video[video.len() - 3..]),
        (150_000, 70_000, &video[150_000..220_000]),
        (4_000_000, 5_000_000, &video[4_000_000..9_000_000]),
        (length, 10, &[]),
        (1 << 40, 10, &[]),
    ] {
        let read = ok(clips.read(stored.name.clone(), stored.manifest.clone(), offset, count)).await;
        assert!(read == found, "{offset} {count}");
    }
    ok(clips.settle(stored.name.clone(), false)).await;
    assert_eq!(
        ok(clips.read(stored.name, stored.manifest, 0, 10)).await,
        Vec::<u8>::new()
    );
}

async fn a_check_passes_and_leaves_nothing(place: impl Place) {
    let clips = place.open();
    ok(clips.check()).await;
    assert_eq!(place.count().await, 0);
}
