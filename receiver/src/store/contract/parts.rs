//! What a place for videos promises of those that arrive in several requests.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::clips::{Folder, Place};
use super::{ok, promises};
use crate::store::clips::Clips;
use crate::store::row::StoredClip;
use crate::store::uploads::{Durable, Hold, PartWriter};

macro_rules! parts_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $place:ty) => {
        promises! { $(#$needs)? $implementation, $place:
            a_part_grows_over_many_openings_and_becomes_a_clip
            what_was_not_counted_is_cut_off
            a_prefix_is_what_is_there_and_none_where_there_is_less
            a_complete_part_without_a_row_is_a_part_again
            a_part_that_is_removed_leaves_nothing
        }
    };
}
parts_keep_their_promises!(folder, super::Folder);
promises! { folder_alone, super::Folder:
    parts_are_told_apart_from_clips_on_their_way
}
#[cfg(feature = "fleet")]
parts_keep_their_promises!(
    #[ignore = "needs an S3 server: scripts/test-fleet.sh"]
    on_s3,
    super::super::s3::Bucket
);

async fn open(clips: &dyn Clips, part: &str, at: &Durable) -> Box<dyn PartWriter> {
    let prefix = ok(clips.prefix(part.to_string(), at.clone())).await.unwrap_or_default();
    assert_eq!(prefix.bytes(), at.bytes);
    // The first one, and others.
    let hold = Hold {
        part: part.to_string(),
        epoch: if at.bytes == 0 { 1 } else { 2 },
    };
    ok(clips.resume(hold, at.manifest.clone(), prefix)).await
}

/// Adds bytes after those that are told, durably.
pub(super) async fn grow(clips: &dyn Clips, part: &str, at: &Durable, bytes: &[u8]) -> Durable {
    let mut writer = open(clips, part, at).await;
    let end = at.bytes + bytes.len() as u64;
    let piece = bytes.to_vec();
    let grown = tokio::task::spawn_blocking(move || {
        let sync = writer.sync().unwrap();
        writer.write_all(&piece).unwrap();
        let durable = sync.sync(end).unwrap();
        assert_eq!((writer.prefix().bytes(), durable.bytes), (end, end));
        durable
    });
    grown.await.unwrap()
}

/// A part with these bytes.
pub(super) async fn part(clips: &dyn Clips, part: &str, bytes: &[u8]) -> Durable {
    grow(clips, part, &Durable::default(), bytes).await
}

pub(super) async fn complete(clips: &dyn Clips, part: &str, at: &Durable) -> StoredClip {
    let writer = open(clips, part, at).await;
    tokio::task::spawn_blocking(|| writer.complete().unwrap())
        .await
        .unwrap()
}

async fn a_part_grows_over_many_openings_and_becomes_a_clip<P: Place>(place: P) {
    let video: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut clips = place.open();
    let mut at = Durable::default();
    for piece in video.chunks(90_000) {
        at = grow(&*clips, "a", &at, piece).await;
        drop(clips);
        clips = place.open();
    }
    let stored = complete(&*clips, "a", &at).await;
    assert_eq!(stored.name.split('.').next(), Some("a"));
    assert_eq!(
        (stored.size_bytes, &stored.sha256),
        (at.bytes, &format!("{:x}", Sha256::digest(&video)))
    );
    if P::KNOWS_UNSETTLED {
        assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
    }
    ok(clips.settle(stored.name.clone(), true)).await;
    assert!(place.video(&stored).await == Some(video));
    assert_eq!((place.count().await, ok(clips.parts()).await.len()), (1, 0));
    // One without a byte is one too.
    let empty = complete(&*clips, "b", &Durable::default()).await;
    ok(clips.settle(empty.name.clone(), true)).await;
    assert_eq!((place.video(&empty).await, empty.size_bytes), (Some(vec![]), 0));
}

async fn what_was_not_counted_is_cut_off(place: impl Place) {
    let clips = place.open();
    let counted = part(&*clips, "a", b"counted").await;
    grow(&*clips, "a", &counted, b", and not").await;
    let all = grow(&*clips, "a", &counted, b"!").await;
    let stored = complete(&*clips, "a", &all).await;
    ok(clips.settle(stored.name.clone(), true)).await;
    assert_eq!(place.video(&stored).await.as_deref(), Some(&b"counted!"[..]));
    // Also all of it.
    part(&*clips, "b", b"not counted").await;
    let new = part(&*clips, "b", b"new").await;
    let longer = Durable { bytes: 4, ..new };
    assert!(ok(clips.prefix("b".to_string(), longer)).await.is_none());
}

async fn a_prefix_is_what_is_there_and_none_where_there_is_less(place: impl Place) {
    let clips = place.open();
    let nothing = Durable {
        bytes: 1,
        manifest: String::new(),
    };
    assert!(ok(clips.prefix("a".to_string(), nothing)).await.is_none());
    let manifest = part(&*clips, "a", b"12345").await.manifest;
    let first = |bytes| Durable {
        bytes,
        manifest: manifest.clone(),
    };
    for bytes in [1, 5] {
        let prefix = ok(clips.prefix("a".to_string(), first(bytes))).await.unwrap();
        let there = &b"12345"[..usize::try_from(bytes).unwrap()];
        assert_eq!((prefix.bytes(), prefix.sha256()), (bytes, Sha256::digest(there).into()));
    }
    assert!(ok(clips.prefix("a".to_string(), first(6))).await.is_none());
    assert_eq!(place.count().await, 1);
}

async fn a_complete_part_without_a_row_is_a_part_again<P: Place>(place: P) {
    let mut clips = place.open();
    let video = part(&*clips, "a", b"video").await;
    for _ in 0..2 {
        let stored = complete(&*clips, "a", &video).await;
        drop(clips);
        clips = place.open();
        if P::KNOWS_UNSETTLED {
            assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
        }
        // Twice: the first answer may have been lost.
        for _ in 0..2 {
            ok(clips.take_back("a".to_string())).await;
            if P::KNOWS_UNSETTLED {
                assert_eq!(place.video(&stored).await, None);
                assert_eq!(ok(clips.parts()).await, ["a"]);
                assert_eq!(ok(clips.unsettled()).await, Vec::<String>::new());
            }
        }
    }
    let more = grow(&*clips, "a", &video, b"!").await;
    assert_eq!(complete(&*clips, "a", &more).await.size_bytes, 6);
}

async fn a_part_that_is_removed_leaves_nothing(place: impl Place) {
    let clips = place.open();
    part(&*clips, "a", b"video").await;
    for _ in 0..2 {
        ok(clips.remove_part("a".to_string())).await;
        assert_eq!(place.count().await, 0);
    }
}

async fn parts_are_told_apart_from_clips_on_their_way(place: impl Place) {
    let clips = place.open();
    part(&*clips, "a", b"video").await;
    let stored = super::clips::store(&*clips, b"plain").await;
    let begun = ok(clips.begin()).await;
    assert_eq!(ok(clips.parts()).await, ["a"]);
    assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
    drop(begun);
    ok(clips.settle(stored.name, false)).await;
    assert_eq!(place.count().await, 1);
}
