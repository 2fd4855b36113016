//! What every implementation of [`Keeping`] promises.

#[cfg(feature = "fleet")]
use super::rows::Postgres;
use super::rows::{Database, SqliteFile, clip_of, event, key};
use super::{ok, promises};
use crate::store::Desk;
use crate::store::Kind;
#[cfg(feature = "fleet")]
use crate::store::postgres::PostgresDesk;
use crate::store::row::NewRow;
use crate::store::rows::Rows;
use crate::store::sqlite::SqliteRows;
use crate::store::upkeep::{Doom, EventPage, Reason};

/// A database with both halves of it.
pub(super) trait WithDesk: Database {
    fn desk(&self) -> std::sync::Arc<dyn Desk>;

    /// Lets every row have come so many days earlier.
    fn age_days(&self, days: i32);

    fn age_a_day(&self) {
        self.age_days(1);
    }
}

impl WithDesk for SqliteFile {
    fn desk(&self) -> std::sync::Arc<dyn Desk> {
        std::sync::Arc::new(crate::store::sqlite::SqliteDesk::open(self.0.path()).unwrap())
    }

    fn age_days(&self, days: i32) {
        SqliteRows::age_days(&self.0.path().join("receiver.db"), days);
    }
}

#[cfg(feature = "fleet")]
impl WithDesk for Postgres {
    fn desk(&self) -> std::sync::Arc<dyn Desk> {
        PostgresDesk::beside(&self.0.ready()).unwrap()
    }

    fn age_days(&self, days: i32) {
        for table in ["evenement", "media"] {
            self.0.run(&format!(
                "UPDATE {table} SET received_at = received_at - interval '{days} days'"
            ));
        }
    }
}

macro_rules! upkeep_keeps_its_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            the_oldest_clips_are_doomed_and_pinned_ones_are_not
            a_doomed_clip_is_seen_by_nobody_and_keeps_its_receipt
            as_many_clips_are_doomed_as_make_room_and_no_more
            events_go_by_age_and_keep_their_receipts
            events_of_a_clock_that_was_ahead_are_passed
            what_was_removed_is_told_by_device_and_reason
            trouble_is_told_since_it_began_and_until_it_is_over
        }
    };
}
upkeep_keeps_its_promises!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
upkeep_keeps_its_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::Postgres
);

async fn add(rows: &dyn Rows, names: &[&str]) -> Vec<i64> {
    let mut ids = Vec::new();
    for name in names {
        let row = clip_of("shop-1", &format!("{name}.mp4"), Some(key(name, None)));
        ids.push(ok(rows.add(row)).await.receipt.id);
    }
    ids
}

fn now_s() -> i64 {
    crate::people::now_s()
}

async fn the_oldest_clips_are_doomed_and_pinned_ones_are_not(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    let old = add(&*rows, &["a", "b", "c", "d"]).await;
    database.age_a_day();
    let young = add(&*rows, &["e"]).await;
    ok(desk.pin(old[1], true)).await;
    let before = Doom::Before(now_s() - 3600);
    assert_eq!(ok(desk.doom(before, 2)).await, [512, 512]);
    let doomed = ok(desk.doomed(0, 10)).await;
    let ids: Vec<_> = doomed.iter().map(|clip| clip.id).collect();
    assert_eq!(ids, [old[0], old[2]]);
    assert_eq!((doomed[0].file.as_str(), doomed[0].reason), ("a.mp4", Reason::Age));
    assert_eq!(ok(desk.doomed(old[0], 10)).await, doomed[1..]);
    assert_eq!(ok(desk.doomed(0, 1)).await, doomed[..1]);
    assert_eq!(ok(desk.doom(before, 10)).await, [512]);
    assert_eq!(ok(desk.doom(before, 10)).await, [0; 0]);
    assert_eq!(ok(desk.clip_bytes()).await, 2 * 512);
    // A pin that comes too late pins nothing.
    ok(desk.pin(old[0], true)).await;
    assert_eq!(ok(desk.doomed(0, 10)).await.len(), 3);
    // Rows that are not doomed stay, whoever asks.
    ok(desk.clips_gone([old.clone(), young.clone()].concat())).await;
    assert_eq!(ok(desk.doomed(0, 10)).await, []);
    assert!(ok(desk.clip(old[1])).await.is_some() && ok(desk.clip(young[0])).await.is_some());
    assert!(!ok(rows.names_clip("a.mp4".to_string())).await);
}

async fn a_doomed_clip_is_seen_by_nobody_and_keeps_its_receipt(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    let begin = ok(desk.newest()).await;
    let first = ok(rows.add(clip_of("shop-1", "a.mp4", Some(key("a", None)))))
        .await
        .receipt;
    let tokened = key("a", Some("shop-1"));
    database.age_a_day();
    assert_eq!(ok(desk.doom(Doom::Before(now_s()), 10)).await.len(), 1);
    let slice = crate::store::reading::Slice {
        after: None,
        ascending: false,
        limit: 10,
    };
    for is_gone in [false, true] {
        assert_eq!(ok(desk.clips(Default::default(), slice.clone())).await, []);
        assert_eq!(ok(desk.clip(first.id)).await, None);
        assert!(ok(desk.changes(begin.clone(), None, 10)).await.0.is_empty());
        assert_eq!(ok(desk.unseen("anna".to_string(), None, 10)).await.count, 0);
        // What is still named must not be taken for a left-over.
        assert_eq!(ok(rows.names_clip("a.mp4".to_string())).await, !is_gone);
        let same = key("a", None);
        assert_eq!(ok(rows.receipt(Kind::Clip, same.clone())).await.as_ref(), Some(&first));
        let again = ok(rows.add(clip_of("shop-1", "b.mp4", Some(same)))).await;
        assert_eq!((again.is_new, &again.receipt), (false, &first));
        assert_eq!(ok(rows.receipt(Kind::Event, tokened.clone())).await, None);
        ok(desk.clips_gone(vec![first.id])).await;
    }
    assert_eq!(ok(desk.forget_receipts(now_s() - 60, 10)).await, 0);
    assert_eq!(ok(desk.forget_receipts(now_s() + 60, 10)).await, 1);
    assert_eq!(ok(rows.receipt(Kind::Clip, key("a", None))).await, None);
}

async fn as_many_clips_are_doomed_as_make_room_and_no_more(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    add(&*rows, &["a", "b", "c", "d"]).await;
    assert_eq!(ok(desk.clip_bytes()).await, 4 * 512);
    assert_eq!(ok(desk.doom(Doom::Bytes(513), 10)).await.len(), 2);
    assert_eq!(ok(desk.clip_bytes()).await, 2 * 512);
    assert_eq!(ok(desk.doom(Doom::Bytes(5_000), 1)).await.len(), 1);
    let doomed = ok(desk.doomed(0, 10)).await;
    let files: Vec<_> = doomed.iter().map(|clip| clip.file.as_str()).collect();
    assert_eq!(files, ["a.mp4", "b.mp4", "c.mp4"]);
    assert!(doomed.iter().all(|clip| clip.reason == Reason::Space));
}

async fn events_go_by_age_and_keep_their_receipts(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    let names = ["a", "b", "c"];
    let mut receipts = Vec::new();
    for name in names {
        receipts.push(ok(rows.add(event("pi", Some(key(name, Some("pi")))))).await.receipt);
    }
    ok(rows.add(event("pi", None))).await;
    database.age_a_day();
    let young = ok(rows.add(event("pi", None))).await.receipt;
    let before = now_s() - 3600;
    for (limit, gone) in [(2, 2), (10, 2), (10, 0)] {
        assert_eq!(ok(desk.remove_events(0, before, limit)).await.old.len(), gone);
    }
    for (name, receipt) in names.into_iter().zip(&receipts) {
        let key = key(name, Some("pi"));
        assert_eq!(ok(rows.receipt(Kind::Event, key.clone())).await.as_ref(), Some(receipt));
        let rows: Vec<NewRow> = vec![event("pi", Some(key))];
        let again = ok(database.open().add_all(rows)).await;
        assert_eq!((again[0].is_new, &again[0].receipt), (false, receipt));
    }
    // Another device's key is another key.
    assert_eq!(ok(rows.receipt(Kind::Event, key("a", Some("other")))).await, None);
    assert!(ok(rows.add(event("pi", None))).await.receipt.id > young.id);
}

async fn events_of_a_clock_that_was_ahead_are_passed(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    let mut ids = Vec::new();
    // So many, and how old all are then that are there by now.
    for (count, days) in [(4, -30), (3, 2), (3, 0)] {
        for _ in 0..count {
            ids.push(ok(rows.add(event("pi", None))).await.receipt.id);
        }
        database.age_days(days);
    }
    let before = now_s() - 86_400;
    let (mut after, mut pages) = (0, Vec::new());
    loop {
        let page = ok(desk.remove_events(after, before, 2)).await;
        let next = page.next;
        pages.push(page);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    let page = |old: &[i64], next, has_young| EventPage {
        old: old.to_vec(),
        next,
        has_young,
    };
    assert_eq!(
        pages,
        [
            page(&[], Some(ids[1]), false),
            page(&[], Some(ids[3]), false),
            page(&ids[4..6], Some(ids[5]), false),
            page(&ids[6..7], Some(ids[7]), true),
            page(&[], None, true),
        ]
    );
    // All that stay, on a page with room for more.
    assert_eq!(ok(desk.remove_events(0, before, 10)).await, page(&[], None, true));
}

async fn what_was_removed_is_told_by_device_and_reason(database: impl WithDesk) {
    let (rows, desk) = (database.open(), database.desk());
    for (device, name) in [("shop-1", "a"), ("shop-1", "b"), ("home", "c")] {
        let file = format!("{name}.mp4");
        ok(rows.add(clip_of(device, &file, None))).await;
    }
    ok(rows.add(event("shop-1", None))).await;
    database.age_a_day();
    ok(desk.remove_events(0, now_s(), 10)).await;
    for _ in 0..3 {
        ok(desk.doom(Doom::Bytes(1), 10)).await;
        let ids = ok(desk.doomed(0, 10)).await.iter().map(|clip| clip.id).collect();
        ok(desk.clips_gone(ids)).await;
    }
    let told = ok(desk.removals(None, 10)).await;
    let lines: Vec<_> = told
        .iter()
        .map(|line| (line.device_id.as_str(), line.kind, line.reason, line.rows, line.bytes))
        .collect();
    let clips = |device, rows: u64| (device, Kind::Clip, Reason::Space, rows, rows * 512);
    assert_eq!(
        lines,
        [
            clips("home", 1),
            ("shop-1", Kind::Event, Reason::Age, 1, 0),
            clips("shop-1", 2)
        ]
    );
    assert!(
        told.iter()
            .all(|line| line.day.len() == 10 && line.oldest <= line.newest && line.oldest.ends_with('Z'))
    );
    let theirs = ok(desk.removals(Some("shop-*".to_string()), 10)).await;
    assert!(theirs.len() == 2 && theirs.iter().all(|line| line.device_id == "shop-1"));
    assert_eq!(ok(desk.removals(None, 1)).await.len(), 1);
}

async fn trouble_is_told_since_it_began_and_until_it_is_over(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    assert_eq!(ok(desk.trouble()).await, None);
    ok(desk.put_trouble(Some("one".to_string()))).await;
    let first = ok(desk.trouble()).await.unwrap();
    ok(desk.put_trouble(Some("two".to_string()))).await;
    let second = ok(desk.trouble()).await.unwrap();
    assert_eq!((second.since_s, second.reason.as_str()), (first.since_s, "two"));
    assert!(second.last_s >= first.last_s && (now_s() - first.since_s).abs() < 60);
    ok(desk.put_trouble(None)).await;
    assert_eq!(ok(desk.trouble()).await, None);
}
