//! One pass: what each verdict does to its row and to those behind.

use super::*;
use crate::upload::RetryAfter;

#[test]
fn an_unwell_backend_costs_one_row_three_tries_and_the_others_nothing() {
    let mut world = World::new(|_| unwell());
    world.recorder.events(10_000);
    world.recorder.clip(b"x");
    let report = world.pass();
    assert_eq!(world.asked(), [1, 1, 1]);
    assert_eq!((report.events.failed, report.events.waiting), (1, 9_999));
    assert_eq!((report.media.failed, report.media.waiting), (0, 1));
    assert_eq!(report.ended_by.as_deref(), Some("Serveur inaccessible"));
    let mut waits = world.clock.waits.borrow().clone();
    waits.retain(|wait| !wait.is_zero());
    assert_eq!(waits.len(), 2);
    for (wait, planned_ms) in waits.iter().zip([500, 1_000]) {
        assert!(
            (planned_ms / 2..=planned_ms * 3 / 2).contains(&(wait.as_millis() as i32)),
            "{wait:?}"
        );
    }
    assert_eq!(world.status(2), "none", "untouched");
}

#[test]
fn a_row_that_succeeds_at_its_second_try_is_no_failure_and_keeps_its_key() {
    let mut tries = 0;
    let mut world = World::new(move |call| {
        tries += 1;
        if tries == 1 { unwell() } else { done(call) }
    });
    world.recorder.events(2);
    let report = world.pass();
    assert_eq!((report.events.sent, report.events.failed), (2, 0));
    let keys: Vec<_> = world.wire.calls.iter().map(|call| call.key.clone()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2]);
}

#[test]
fn the_servers_wish_is_kept_between_two_tries() {
    let at = std::time::UNIX_EPOCH + Duration::from_secs(START as u64 + 40);
    for (wish, least, most) in [
        (RetryAfter::Delay(Duration::from_secs(20)), 20, 22),
        (RetryAfter::Delay(Duration::from_secs(86_400)), 300, 330),
        (RetryAfter::At(at), 40, 44),
    ] {
        let mut first = true;
        let mut world = World::new(move |call| {
            if std::mem::take(&mut first) {
                Verdict::Unwell {
                    message: "HTTP 503".into(),
                    unreachable: false,
                    retry_after: Some(wish),
                }
            } else {
                done(call)
            }
        });
        world.recorder.events(1);
        world.pass();
        let waited = total(&world.clock.waits.borrow()).as_secs();
        assert!((least..=most).contains(&waited), "{wish:?}: {waited}");
    }
}

#[test]
fn refused_and_unclear_rows_let_the_others_go_on() {
    for verdict in [
        refused as fn() -> Verdict,
        || Verdict::Unclear { message: "?".into() },
        server_error,
    ] {
        let mut world = World::new(move |call| if call.id == 2 { verdict() } else { done(call) });
        world.recorder.events(4);
        let report = world.pass();
        assert_eq!(
            (report.events.sent, report.events.failed, report.events.waiting),
            (3, 1, 0)
        );
        assert_eq!(world.asked(), [1, 2, 3, 4]);
        assert_eq!(world.status(2), "failed");
        world.pass();
        assert!(world.asked().is_empty(), "not due before its time");
    }
}

#[test]
fn three_rows_in_a_row_with_a_500_are_the_backends_trouble_and_not_blamed() {
    let mut world = World::new(|_| server_error());
    world.recorder.events(10);
    let report = world.pass();
    assert_eq!(world.asked(), [1, 2, 3]);
    assert_eq!((report.events.failed, report.events.waiting), (3, 7));
    assert!(report.ended_by.is_some());
    world.answers(done);
    assert_eq!(world.pass().events.sent, 10, "due at the next pass, all of them");
}

#[test]
fn two_500s_and_a_success_are_two_rows_troubles() {
    let mut world = World::new(|call| if call.id % 3 == 0 { done(call) } else { server_error() });
    world.recorder.events(9);
    let report = world.pass();
    assert_eq!(
        (report.events.sent, report.events.failed, report.ended_by),
        (3, 6, None)
    );
}

#[test]
fn a_misconfiguration_ends_the_pass_at_once_and_is_tried_at_the_next() {
    let mut world = World::new(|_| Verdict::Misconfigured {
        message: "HTTP 401 (vérifiez BACKEND_TOKEN)".into(),
    });
    world.recorder.events(5);
    let report = world.pass();
    assert_eq!(world.asked(), [1]);
    assert_eq!((report.events.failed, report.events.waiting), (1, 4));
    world.answers(done);
    assert_eq!(world.pass().events.sent, 5);
}

#[test]
fn a_server_that_takes_no_packed_bodies_gets_the_row_again_at_once() {
    let mut first = true;
    let mut world = World::new(move |call| {
        if std::mem::take(&mut first) {
            Verdict::PlainNext
        } else {
            done(call)
        }
    });
    world.recorder.clip(b"abc");
    assert_eq!(world.pass().media.sent, 1);
    assert_eq!(world.asked(), [1, 1]);
    assert!(world.clock.waits.borrow().is_empty());
}

#[test]
fn another_backend_is_tried_at_once_within_the_rows_tries() {
    let mut tries = 0;
    let mut world = World::new(move |call| {
        tries += 1;
        if tries == 1 { unwell() } else { done(call) }
    });
    world.wire.backends = 2;
    world.recorder.events(1);
    let report = world.pass();
    assert_eq!(
        (report.events.sent, report.backend.as_str(), report.several_backends),
        (1, "http://second", true)
    );
    assert!(world.clock.waits.borrow().is_empty(), "no wait before another server");
}

#[test]
fn events_that_come_between_two_clips_go_first() {
    let mut world = World::new(done);
    world.recorder.events(1);
    world.recorder.clip(b"one");
    world.recorder.clip(b"two");
    let path = world.recorder.path();
    world.answers(move |call| {
        if call.table == Table::Media && call.id == 1 {
            rusqlite::Connection::open(&path)
                .unwrap()
                .execute("INSERT INTO evenement (date, id_capteur) VALUES ('2026', 1)", [])
                .unwrap();
        }
        done(call)
    });
    let report = world.pass();
    let order: Vec<_> = world.wire.calls.iter().map(|call| (call.table, call.id)).collect();
    assert_eq!(
        order,
        [
            (Table::Event, 1),
            (Table::Media, 1),
            (Table::Event, 2),
            (Table::Media, 2)
        ]
    );
    assert_eq!((report.events.sent, report.media.sent), (2, 2));
}

#[test]
fn what_people_do_in_sql_during_a_pass_is_seen_at_the_next() {
    for (sql, again) in [
        (
            "UPDATE sync_tracking SET sync_status = 'pending' WHERE sync_status = 'failed'",
            vec![2],
        ),
        ("DELETE FROM sync_tracking WHERE local_id = 1", vec![1]),
        ("DELETE FROM sync_tracking", vec![1, 2]),
    ] {
        let mut world = World::new(done);
        world.recorder.events(4);
        let path = world.recorder.path();
        world.answers(move |call| {
            if call.id == 3 {
                rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
            }
            if call.id == 2 { refused() } else { done(call) }
        });
        world.pass();
        world.asked();
        world.answers(done);
        world.pass();
        assert_eq!(world.asked(), again, "{sql}");
    }
}

#[test]
fn a_result_that_can_not_be_written_is_kept_and_nothing_is_sent_meanwhile() {
    let mut world = World::new(done);
    world.recorder.events(3);
    // What a full disk does to the second result, until somebody makes room.
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON sync_tracking WHEN new.local_id = 2 AND (SELECT count(*) FROM room) = 0
                BEGIN SELECT RAISE(ABORT, 'no room'); END";
    world
        .recorder
        .conn
        .execute_batch(&format!("CREATE TABLE room (x); {full};"))
        .unwrap();
    world.device = world.recorder.device();
    let report = world.try_pass();
    // An aborted statement is no passing trouble by its code: the service ends rather than sends on.
    assert!(matches!(report, Err(PassError::Unusable(_))), "{report:?}");
    assert_eq!(world.asked(), [1, 2]);
    world
        .recorder
        .conn
        .execute_batch("INSERT INTO room VALUES (1)")
        .unwrap();
    world.pass();
    assert_eq!(world.asked(), [2, 3], "the row without a result again, with its key");
}

#[test]
fn a_database_that_is_locked_for_long_delays_the_result_and_loses_nothing() {
    let mut world = World::new(done);
    world.recorder.events(2);
    let path = world.recorder.path();
    let (lock, locked) = std::sync::mpsc::channel::<()>();
    let mut holder = None;
    world.answers(move |call| {
        if call.id == 1 && holder.is_none() {
            let conn = rusqlite::Connection::open(&path).unwrap();
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            let lock = lock.clone();
            // Longer than one busy timeout of the device, which tests shorten.
            holder = Some(std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(250));
                conn.execute_batch("ROLLBACK").unwrap();
                drop(lock);
            }));
        }
        done(call)
    });
    world.device.impatient(Duration::from_millis(20));
    let report = world.pass();
    assert_eq!((report.events.sent, world.asked()), (2, vec![1, 2]));
    assert_eq!(
        world
            .told
            .lines
            .iter()
            .filter(|line| line.starts_with("trouble:"))
            .count(),
        1,
        "said once"
    );
    assert!(world.told.lines.contains(&"trouble over".to_string()));
    drop(locked);
}

#[test]
fn a_stop_during_a_wait_leaves_the_row_as_it_was() {
    let mut world = World::new(|_| unwell());
    world.recorder.events(2);
    world.clock.stop_at.set(Some(Duration::from_millis(100)));
    assert_eq!(world.try_pass(), Err(PassError::Interrupted));
    assert_eq!(world.asked(), [1]);
    assert_eq!(world.status(1), "none");
}
