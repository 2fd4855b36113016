//! What a database promises of uploads.

use super::rows::{Database, SqliteFile, clip, event, key};
use super::{ok, promises};
use crate::store::row::Kind;
use crate::store::rows::Rows;
use crate::store::uploads::{Claim, Durable, Hold, KEPT_MS, LEASE_MS, NewUpload, Saved, Then, Upload};

macro_rules! uploads_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            an_upload_is_created_once_for_its_metadata_and_length
            an_id_that_none_has_is_gone_whatever_it_is
            other_metadata_or_another_length_take_its_place
            one_holder_at_a_time_writes
            a_holder_that_is_silent_gives_way
            a_holder_that_was_replaced_changes_nothing
            an_upload_that_was_deleted_is_not_its_old_holders_when_it_comes_again
            an_offset_never_goes_back
            the_row_and_the_end_of_an_upload_are_one
            a_key_that_was_stored_meanwhile_ends_an_upload_without_a_row
            a_complete_upload_whose_clip_is_gone_may_come_again
            who_continues_keeps_an_upload_and_others_expire
            one_claim_of_many_is_heard
        }
    };
}
uploads_keep_their_promises!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
uploads_keep_their_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::super::rows::Postgres
);

const NOW: i64 = 1_800_000_000_000;

pub(super) fn new(id: &str, length_bytes: u64) -> NewUpload {
    NewUpload {
        id: id.to_string(),
        device_id: "pi".to_string(),
        key: Some(id.to_string()),
        metadata: "media e30=".to_string(),
        length_bytes,
    }
}

async fn create(rows: &dyn Rows, id: &str, part: &str) -> Upload {
    let created = ok(rows.create_upload(new(id, 100), part.to_string(), NOW)).await;
    assert!(created.is_new && created.dropped_part.is_none());
    created.upload
}

async fn claim(rows: &dyn Rows, id: &str, now_ms: i64) -> Upload {
    match ok(rows.claim_upload(id.to_string(), now_ms)).await {
        Claim::Taken(upload) => upload,
        other => panic!("{other:?}"),
    }
}

fn durable(bytes: u64) -> Durable {
    let manifest = format!("{bytes} bytes");
    Durable { bytes, manifest }
}

async fn save(rows: &dyn Rows, hold: Hold, offset_bytes: u64, now_ms: i64) -> Saved {
    ok(rows.save_upload(hold, durable(offset_bytes), Then::GoesOn, now_ms)).await
}

async fn find(rows: &dyn Rows, id: &str) -> Option<Upload> {
    ok(rows.upload(id.to_string(), NOW)).await
}

async fn an_upload_is_created_once_for_its_metadata_and_length(database: impl Database) {
    let mut rows = database.open();
    let first = create(&*rows, "a", "1").await;
    assert_eq!(
        (first.durable.bytes, first.length_bytes, first.is_complete),
        (0, 100, false)
    );
    assert_eq!((first.part.as_str(), first.expires_ms), ("1", NOW + KEPT_MS));
    for part in ["2", "3"] {
        let again = ok(rows.create_upload(new("a", 100), part.to_string(), NOW + 5)).await;
        assert_eq!(
            (again.upload, again.is_new, again.dropped_part),
            (first.clone(), false, None)
        );
        assert_eq!(find(&*rows, "a").await.as_ref(), Some(&first));
        rows = database.open();
    }
    assert_eq!(find(&*rows, "b").await, None);
    assert!(ok(rows.awaits_part("1".to_string())).await);
    assert!(!ok(rows.awaits_part("2".to_string())).await);
}

/// It is what an address ends with, which anybody may write.
async fn an_id_that_none_has_is_gone_whatever_it_is(database: impl Database) {
    let rows = database.open();
    for id in ["", "\0", "a\0", "\u{10ffff}'\\%"] {
        assert_eq!(find(&*rows, id).await, None);
        assert_eq!(ok(rows.claim_upload(id.to_string(), NOW)).await, Claim::Gone);
    }
}

async fn other_metadata_or_another_length_take_its_place(database: impl Database) {
    let rows = database.open();
    create(&*rows, "a", "1").await;
    let hold = claim(&*rows, "a", NOW).await.hold();
    assert_eq!(save(&*rows, hold.clone(), 40, NOW).await, Saved::Kept);
    let longer = ok(rows.create_upload(new("a", 101), "2".to_string(), NOW)).await;
    assert_eq!((longer.is_new, longer.dropped_part.as_deref()), (true, Some("1")));
    assert_eq!(
        (longer.upload.durable, longer.upload.part.as_str()),
        (Durable::default(), "2")
    );
    let edited = NewUpload {
        metadata: "media e30A".to_string(),
        ..new("a", 101)
    };
    let edited = ok(rows.create_upload(edited, "3".to_string(), NOW)).await;
    assert_eq!(edited.dropped_part.as_deref(), Some("2"));
    // Its holder hears of it, and the new one is free.
    assert_eq!(save(&*rows, hold, 50, NOW).await, Saved::Lost);
    assert_eq!(claim(&*rows, "a", NOW).await.durable, Durable::default());
}

async fn one_holder_at_a_time_writes(database: impl Database) {
    let rows = database.open();
    create(&*rows, "a", "1").await;
    let first = claim(&*rows, "a", NOW).await;
    assert_eq!(first.lease_until_ms, NOW + LEASE_MS);
    assert_eq!(save(&*rows, first.hold(), 10, NOW).await, Saved::Kept);
    // Who comes is heard by the holder, once it has let go.
    assert_eq!(ok(rows.claim_upload("a".to_string(), NOW)).await, Claim::Held);
    assert_eq!(save(&*rows, first.hold(), 20, NOW).await, Saved::Wanted);
    ok(rows.save_upload(first.hold(), durable(25), Then::LetsGo, NOW)).await;
    assert_eq!(find(&*rows, "a").await.map(|upload| upload.lease_until_ms), Some(0));
    let second = claim(&*rows, "a", NOW).await;
    assert_eq!(second.durable, durable(25));
    assert!(second.epoch > first.epoch);
    assert_eq!(save(&*rows, second.hold(), 30, NOW).await, Saved::Kept);
    assert_eq!(ok(rows.claim_upload("b".to_string(), NOW)).await, Claim::Gone);
}

async fn a_holder_that_is_silent_gives_way(database: impl Database) {
    let mut rows = database.open();
    create(&*rows, "a", "1").await;
    let first = claim(&*rows, "a", NOW).await;
    assert_eq!(save(&*rows, first.hold(), 10, NOW + LEASE_MS - 1).await, Saved::Kept);
    assert_eq!(
        ok(rows.claim_upload("a".to_string(), NOW + LEASE_MS + 1)).await,
        Claim::Held
    );
    let later = NOW + 2 * LEASE_MS;
    assert_eq!(claim(&*rows, "a", later).await.durable, durable(10));
    // Also one that is no more.
    rows = database.open();
    assert_eq!(claim(&*rows, "a", later + LEASE_MS).await.durable, durable(10));
}

async fn a_holder_that_was_replaced_changes_nothing(database: impl Database) {
    let rows = database.open();
    create(&*rows, "a", "1").await;
    let first = claim(&*rows, "a", NOW).await;
    let later = NOW + LEASE_MS;
    claim(&*rows, "a", later).await;
    let before = find(&*rows, "a").await;
    assert_eq!(save(&*rows, first.hold(), 99, later).await, Saved::Lost);
    let row = clip("1.mp4", Some(key("a", None)));
    assert_eq!(ok(rows.complete_upload(first.hold(), row, later)).await, None);
    assert!(!ok(rows.delete_upload(first.hold())).await);
    assert_eq!(find(&*rows, "a").await, before);
    assert!(!ok(rows.names_clip("1.mp4".to_string())).await);
}

async fn an_upload_that_was_deleted_is_not_its_old_holders_when_it_comes_again(database: impl Database) {
    let rows = database.open();
    create(&*rows, "a", "1").await;
    let first = claim(&*rows, "a", NOW).await;
    assert!(ok(rows.delete_upload(first.hold())).await);
    assert!(!ok(rows.awaits_part("1".to_string())).await);
    create(&*rows, "a", "2").await;
    let second = claim(&*rows, "a", NOW).await;
    assert_eq!(save(&*rows, first.hold(), 50, NOW).await, Saved::Lost);
    assert_eq!(save(&*rows, second.hold(), 7, NOW).await, Saved::Kept);
    assert_eq!(find(&*rows, "a").await.map(|upload| upload.durable), Some(durable(7)));
}

async fn an_offset_never_goes_back(database: impl Database) {
    let mut rows = database.open();
    create(&*rows, "a", "1").await;
    for round in 0..3 {
        let hold = claim(&*rows, "a", NOW + 2 * round * LEASE_MS).await.hold();
        for offset in [60, 20, 59] {
            save(&*rows, hold.clone(), offset, NOW + 2 * round * LEASE_MS).await;
            assert_eq!(find(&*rows, "a").await.map(|upload| upload.durable), Some(durable(60)));
        }
        rows = database.open();
    }
}

async fn the_row_and_the_end_of_an_upload_are_one(database: impl Database) {
    let mut rows = database.open();
    create(&*rows, "a", "1").await;
    let names = ["1.mp4", "2"].map(str::to_string);
    assert_eq!(ok(rows.owned(names.to_vec())).await, [names[0].clone()].into());
    let hold = claim(&*rows, "a", NOW).await.hold();
    let row = clip("1.mp4", Some(key("a", None)));
    let added = ok(rows.complete_upload(hold.clone(), row.clone(), NOW)).await.unwrap();
    assert!(added.is_new);
    for _ in 0..2 {
        let upload = find(&*rows, "a").await.unwrap();
        assert_eq!((upload.is_complete, upload.durable.bytes), (true, 100));
        let manifest = ok(rows.manifest("1.mp4".to_string())).await;
        assert_eq!(manifest.as_deref(), Some("of 1.mp4"));
        assert_eq!(
            ok(rows.receipt(Kind::Clip, key("a", None))).await.as_ref(),
            Some(&added.receipt)
        );
        // It is nobody's to write any more.
        assert_eq!(claim(&*rows, "a", NOW).await, upload);
        assert_eq!(save(&*rows, hold.clone(), 100, NOW).await, Saved::Lost);
        assert_eq!(ok(rows.complete_upload(hold.clone(), row.clone(), NOW)).await, None);
        assert!(!ok(rows.delete_upload(hold.clone())).await);
        assert!(!ok(rows.awaits_part("1".to_string())).await);
        assert_eq!(
            ok(rows.create_upload(new("a", 100), "2".to_string(), NOW)).await.upload,
            upload
        );
        rows = database.open();
    }
}

async fn a_key_that_was_stored_meanwhile_ends_an_upload_without_a_row(database: impl Database) {
    let rows = database.open();
    create(&*rows, "a", "1").await;
    let hold = claim(&*rows, "a", NOW).await.hold();
    let first = ok(rows.add(clip("plain.mp4", Some(key("a", None))))).await;
    let row = clip("1.mp4", Some(key("a", None)));
    let added = ok(rows.complete_upload(hold, row, NOW)).await.unwrap();
    assert_eq!((added.is_new, added.receipt), (false, first.receipt));
    assert!(find(&*rows, "a").await.unwrap().is_complete);
    assert!(!ok(rows.names_clip("1.mp4".to_string())).await);
}

async fn a_complete_upload_whose_clip_is_gone_may_come_again(database: impl Database) {
    let rows = database.open();
    ok(rows.add(event("pi", None))).await;
    create(&*rows, "a", "1").await;
    let hold = claim(&*rows, "a", NOW).await.hold();
    ok(rows.complete_upload(hold, clip("1.mp4", Some(key("a", None))), NOW)).await;
    database.forget_clips();
    let again = ok(rows.create_upload(new("a", 100), "2".to_string(), NOW)).await;
    // Its bytes are a clip's by now, and none of ours.
    assert_eq!((again.is_new, again.dropped_part), (true, None));
    assert_eq!(claim(&*rows, "a", NOW).await.durable, Durable::default());
}

async fn who_continues_keeps_an_upload_and_others_expire(database: impl Database) {
    let rows = database.open();
    for (id, part) in [("continued", "1"), ("left", "2"), ("complete", "3")] {
        create(&*rows, id, part).await;
    }
    let complete = claim(&*rows, "complete", NOW).await.hold();
    ok(rows.complete_upload(complete, clip("3.mp4", None), NOW)).await;
    let later = NOW + KEPT_MS - 1;
    let continued = claim(&*rows, "continued", later).await;
    assert_eq!(ok(rows.expire_uploads(later)).await, Vec::<String>::new());
    // Nobody sees it, though nobody has looked for what expired.
    let after = NOW + KEPT_MS;
    assert_eq!(ok(rows.upload("left".to_string(), after)).await, None);
    assert_eq!(ok(rows.claim_upload("left".to_string(), after)).await, Claim::Gone);
    assert_eq!(ok(rows.expire_uploads(after)).await, ["2"]);
    assert_eq!(ok(rows.expire_uploads(after)).await, Vec::<String>::new());
    assert!(ok(rows.names_clip("3.mp4".to_string())).await);
    assert_eq!(ok(rows.upload("complete".to_string(), NOW)).await, None);
    assert_eq!(save(&*rows, continued.hold(), 10, after).await, Saved::Kept);
    let kept = ok(rows.upload("continued".to_string(), after)).await.unwrap();
    assert_eq!(kept.expires_ms, after + KEPT_MS);
    // One that has expired and comes again begins anew.
    create(&*rows, "late", "4").await;
    let late = ok(rows.create_upload(new("late", 100), "5".to_string(), after)).await;
    assert_eq!((late.is_new, late.dropped_part.as_deref()), (true, Some("4")));
}

async fn one_claim_of_many_is_heard(database: impl Database) {
    let rows: std::sync::Arc<dyn Rows> = database.open().into();
    create(&*rows, "a", "1").await;
    let claims: Vec<_> = (0..16)
        .map(|_| {
            let rows = std::sync::Arc::clone(&rows);
            tokio::spawn(async move { ok(rows.claim_upload("a".to_string(), NOW)).await })
        })
        .collect();
    let mut taken = 0;
    for claim in claims {
        taken += usize::from(matches!(claim.await.unwrap(), Claim::Taken(_)));
    }
    assert_eq!(taken, 1);
}
