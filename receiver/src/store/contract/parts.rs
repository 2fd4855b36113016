//! What a place for videos promises of those that arrive in several requests.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::clips::{Folder, Place};
use super::{ok, promises};
use crate::store::clips::{Clips, StoredClip};
use crate::store::uploads::PartWriter;

macro_rules! parts_keep_their_promises {
    ($implementation:ident, $place:ty) => {
        promises! { $implementation, $place:
            a_part_grows_over_many_openings_and_becomes_a_clip
            what_was_not_counted_is_cut_off
            a_prefix_is_what_is_there_and_none_where_there_is_less
            a_complete_part_without_a_row_is_a_part_again
            a_part_that_is_removed_leaves_nothing
            parts_are_told_apart_from_clips_on_their_way
        }
    };
}
parts_keep_their_promises!(folder, super::Folder);

async fn open(clips: &dyn Clips, part: &str, at: u64) -> Box<dyn PartWriter> {
    let prefix = ok(clips.prefix(part.to_string(), at)).await.unwrap_or_default();
    assert_eq!(prefix.bytes(), at);
    ok(clips.resume(part.to_string(), prefix)).await
}

/// Adds bytes after the first `at`, durably.
pub(super) async fn grow(clips: &dyn Clips, part: &str, at: u64, bytes: &[u8]) {
    let mut writer = open(clips, part, at).await;
    let bytes = bytes.to_vec();
    tokio::task::spawn_blocking(move || {
        let sync = writer.sync().unwrap();
        writer.write_all(&bytes).unwrap();
        sync.sync().unwrap();
        assert_eq!(writer.prefix().bytes(), at + bytes.len() as u64);
    })
    .await
    .unwrap();
}

async fn complete(clips: &dyn Clips, part: &str, at: u64) -> StoredClip {
    let writer = open(clips, part, at).await;
    tokio::task::spawn_blocking(|| writer.complete().unwrap())
        .await
        .unwrap()
}

async fn a_part_grows_over_many_openings_and_becomes_a_clip(place: impl Place) {
    let video: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut clips = place.open();
    let mut at = 0;
    for piece in video.chunks(90_000) {
        grow(&*clips, "a", at, piece).await;
        at += piece.len() as u64;
        drop(clips);
        clips = place.open();
    }
    let stored = complete(&*clips, "a", at).await;
    assert!(stored.name.starts_with("a."));
    assert_eq!(
        (stored.size_bytes, stored.sha256),
        (at, format!("{:x}", Sha256::digest(&video)))
    );
    assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
    ok(clips.settle(stored.name.clone(), true)).await;
    assert_eq!(place.video(&stored.name), Some(video));
    assert_eq!((place.count(), ok(clips.parts()).await.len()), (1, 0));
    // One without a byte is one too.
    let empty = complete(&*clips, "b", 0).await;
    ok(clips.settle(empty.name.clone(), true)).await;
    assert_eq!((place.video(&empty.name), empty.size_bytes), (Some(vec![]), 0));
}

async fn what_was_not_counted_is_cut_off(place: impl Place) {
    let clips = place.open();
    grow(&*clips, "a", 0, b"counted, and not").await;
    grow(&*clips, "a", 7, b"!").await;
    let stored = complete(&*clips, "a", 8).await;
    ok(clips.settle(stored.name.clone(), true)).await;
    assert_eq!(place.video(&stored.name).as_deref(), Some(&b"counted!"[..]));
    // Also all of it.
    grow(&*clips, "b", 0, b"not counted").await;
    grow(&*clips, "b", 0, b"new").await;
    assert!(ok(clips.prefix("b".to_string(), 4)).await.is_none());
}

async fn a_prefix_is_what_is_there_and_none_where_there_is_less(place: impl Place) {
    let clips = place.open();
    assert!(ok(clips.prefix("a".to_string(), 1)).await.is_none());
    grow(&*clips, "a", 0, b"12345").await;
    for bytes in [1, 5] {
        let prefix = ok(clips.prefix("a".to_string(), bytes)).await.unwrap();
        let there = &b"12345"[..usize::try_from(bytes).unwrap()];
        assert_eq!((prefix.bytes(), prefix.sha256()), (bytes, Sha256::digest(there).into()));
    }
    assert!(ok(clips.prefix("a".to_string(), 6)).await.is_none());
    // Nor can it be gone on with where it is not.
    let prefix = ok(clips.prefix("a".to_string(), 5)).await.unwrap();
    assert!(clips.resume("b".to_string(), prefix).await.is_err());
    assert_eq!(place.count(), 1);
}

async fn a_complete_part_without_a_row_is_a_part_again(place: impl Place) {
    let mut clips = place.open();
    grow(&*clips, "a", 0, b"video").await;
    for _ in 0..2 {
        let stored = complete(&*clips, "a", 5).await;
        drop(clips);
        clips = place.open();
        assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
        // Twice: the first answer may have been lost.
        for _ in 0..2 {
            ok(clips.take_back("a".to_string())).await;
            assert_eq!(place.video(&stored.name), None);
            assert_eq!(ok(clips.parts()).await, ["a"]);
            assert_eq!(ok(clips.unsettled()).await, Vec::<String>::new());
        }
    }
    grow(&*clips, "a", 5, b"!").await;
    assert_eq!(complete(&*clips, "a", 6).await.size_bytes, 6);
}

async fn a_part_that_is_removed_leaves_nothing(place: impl Place) {
    let clips = place.open();
    grow(&*clips, "a", 0, b"video").await;
    for _ in 0..2 {
        ok(clips.remove_part("a".to_string())).await;
        assert_eq!(place.count(), 0);
    }
}

async fn parts_are_told_apart_from_clips_on_their_way(place: impl Place) {
    let clips = place.open();
    grow(&*clips, "a", 0, b"video").await;
    let stored = super::clips::store(&*clips, b"plain").await;
    let begun = ok(clips.begin()).await;
    assert_eq!(ok(clips.parts()).await, ["a"]);
    assert_eq!(ok(clips.unsettled()).await, std::slice::from_ref(&stored.name));
    drop(begun);
    ok(clips.settle(stored.name, false)).await;
    assert_eq!(place.count(), 1);
}
