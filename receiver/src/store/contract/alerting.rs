//! What every implementation of [`Alerting`](crate::store::upkeep::Alerting) promises.

use super::rows::event;
use super::upkeep::WithDesk;
use super::{ok, promises};
use crate::store::Desk;
use crate::store::upkeep::{Alarm, Important, Subject, Turn};

macro_rules! alerting_keeps_its_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            marks_stay_as_they_were_made_until_they_are_taken_off
            what_begins_and_what_is_over_is_told_once_each
            a_notice_is_one_senders_at_a_time_until_it_is_taken
            notices_of_a_subject_keep_their_order_and_no_others
            an_absence_is_noticed_and_a_short_one_is_not
            how_far_events_were_followed_is_kept
        }
    };
}
alerting_keeps_its_promises!(sqlite, crate::store::contract::rows::SqliteFile);
#[cfg(feature = "fleet")]
alerting_keeps_its_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    crate::store::contract::rows::Postgres
);

async fn marks_stay_as_they_were_made_until_they_are_taken_off(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    let mark = |sensor: &str, by: &str| Important {
        device_id: "shop-1".to_string(),
        sensor: sensor.to_string(),
        marked_by: by.to_string(),
        marked_at_s: 7,
    };
    ok(desk.mark(mark("door", "anna"))).await;
    ok(desk.mark(mark("door", "ben"))).await;
    ok(desk.mark(mark("bell", "ben"))).await;
    assert_eq!(ok(desk.important()).await, [mark("bell", "ben"), mark("door", "anna")]);
    ok(desk.unmark("shop-1".to_string(), "door".to_string())).await;
    ok(desk.unmark("shop-2".to_string(), "bell".to_string())).await;
    assert_eq!(ok(desk.important()).await, [mark("bell", "ben")]);
}

fn alarm(device: &str) -> Alarm {
    Alarm {
        subject: Subject {
            device_id: device.to_string(),
            what: "silent".to_string(),
            sensor: String::new(),
        },
        moment: "2025-12-18T17:30:00".to_string(),
        began_s: 100,
        last_s: 100,
    }
}

fn begins(device: &str) -> Turn {
    Turn::Begins(alarm(device), format!("{device} begins"))
}

fn over(device: &str) -> Turn {
    Turn::IsOver(alarm(device).subject, format!("{device} is over"))
}

async fn take(desk: &dyn Desk) -> Option<String> {
    let notice = ok(desk.next_notice(60)).await?;
    ok(desk.notice_taken(notice.id)).await;
    Some(notice.body)
}

async fn what_begins_and_what_is_over_is_told_once_each(database: impl WithDesk) {
    let _rows = database.open();
    let (desk, other) = (database.desk(), database.desk());
    // Two that both believe to lead.
    ok(desk.turn(vec![begins("a"), over("b")], None)).await;
    ok(other.turn(vec![begins("a")], None)).await;
    ok(other.turn(vec![Turn::GoesOn(alarm("a").subject, 250)], None)).await;
    ok(desk.turn(vec![Turn::GoesOn(alarm("a").subject, 200)], None)).await;
    let held = ok(desk.alarms()).await;
    assert_eq!(
        held,
        [Alarm {
            last_s: 250,
            ..alarm("a")
        }]
    );
    ok(desk.turn(vec![over("a")], None)).await;
    ok(other.turn(vec![over("a")], None)).await;
    assert_eq!(ok(desk.alarms()).await, []);
    assert_eq!(ok(desk.notices()).await, 2);
    assert_eq!(take(&*desk).await.as_deref(), Some("a begins"));
    assert_eq!(take(&*desk).await.as_deref(), Some("a is over"));
    assert_eq!((take(&*desk).await, ok(desk.notices()).await), (None, 0));
}

async fn a_notice_is_one_senders_at_a_time_until_it_is_taken(database: impl WithDesk) {
    let _rows = database.open();
    let (desk, other) = (database.desk(), database.desk());
    ok(desk.turn(vec![begins("a")], None)).await;
    let first = ok(desk.next_notice(60)).await.unwrap();
    assert_eq!((first.tries, ok(other.next_notice(60)).await), (0, None));
    // Not taken, it is due again when that was said.
    ok(desk.notice_refused(first.id, 600)).await;
    assert_eq!(ok(other.next_notice(60)).await, None);
    ok(desk.notice_refused(first.id, 0)).await;
    let second = ok(other.next_notice(60)).await.unwrap();
    assert_eq!((second.id, second.tries), (first.id, 1));
    ok(other.notice_taken(second.id)).await;
    assert_eq!(ok(desk.next_notice(60)).await, None);
}

async fn notices_of_a_subject_keep_their_order_and_no_others(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    ok(desk.turn(vec![begins("a"), over("a"), begins("b")], None)).await;
    let first = ok(desk.next_notice(60)).await.unwrap();
    assert_eq!(first.body, "a begins");
    ok(desk.notice_refused(first.id, 600)).await;
    assert_eq!(take(&*desk).await.as_deref(), Some("b begins"));
    assert_eq!(take(&*desk).await, None);
    ok(desk.notice_taken(first.id)).await;
    assert_eq!(take(&*desk).await.as_deref(), Some("a is over"));
}

async fn an_absence_is_noticed_and_a_short_one_is_not(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    assert_eq!(ok(desk.looked(1_000, 600)).await, 0);
    assert_eq!(ok(desk.looked(1_600, 600)).await, 0);
    assert_eq!(ok(desk.looked(2_201, 600)).await, 2_201);
    assert_eq!(ok(desk.looked(2_300, 600)).await, 2_201);
}

async fn how_far_events_were_followed_is_kept(database: impl WithDesk) {
    let rows = database.open();
    let desk = database.desk();
    assert_eq!(ok(desk.followed()).await, None);
    ok(desk.looked(1_000, 600)).await;
    let newest = ok(desk.newest()).await;
    ok(rows.add(event("pi", None))).await;
    ok(desk.turn(Vec::new(), Some(newest.clone()))).await;
    let followed = ok(desk.followed()).await.unwrap();
    assert!(followed == newest && desk.is_own(&followed, &newest));
    let seen = async {
        loop {
            // Where many write, a row is told once nobody who began before it is still about.
            let found = ok(desk.changes(followed.clone(), None, 10)).await.0.len();
            if found > 0 {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let seen = tokio::time::timeout(std::time::Duration::from_secs(20), seen).await;
    assert_eq!(seen, Ok(1));
    ok(desk.turn(Vec::new(), None)).await;
    assert_eq!(ok(desk.followed()).await, None);
}
