//! Which row goes next.

use super::harness::*;
use crate::row::Table;

fn order(harness: &Harness) -> Vec<(Table, i64)> {
    harness.wire.calls.iter().map(|call| (call.table, call.id)).collect()
}

#[test]
fn events_go_before_clips_and_the_oldest_first() {
    let mut harness = Harness::new();
    harness.recorder.clip(b"video");
    for date in [
        "2025-12-18T17:30:02",
        "2025-12-18T17:30:00",
        "2025-12-18T17:30:00",
        "2025-12-18T17:30:01",
    ] {
        harness.event(date);
    }
    harness
        .sql("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (x'00', '2025-12-18T17:29:00', 4, 1)");
    harness.pass();
    let events = [2, 3, 4, 1].map(|id| (Table::Event, id));
    assert_eq!(
        order(&harness),
        [&events[..], &[(Table::Media, 2), (Table::Media, 1)]].concat()
    );
}

#[test]
fn events_that_come_between_two_clips_go_first() {
    let mut harness = Harness::new();
    for _ in 0..3 {
        harness.recorder.clip(b"video");
    }
    let conn = harness.connection();
    harness.script(move |call| {
        if call.table == Table::Media && call.id < 3 {
            insert_event(&conn, "2025-12-18T17:30:00");
        }
        done(call)
    });
    let report = harness.pass();
    let (clip, event) = (|id| (Table::Media, id), |id| (Table::Event, id));
    assert_eq!(order(&harness), [clip(1), event(1), clip(2), event(2), clip(3)]);
    assert_eq!((report.events.sent, report.media.sent), (2, 3));
}

#[test]
fn a_backend_that_goes_away_between_two_clips_ends_the_pass_for_both_tables() {
    let mut harness = Harness::new();
    for _ in 0..3 {
        harness.recorder.clip(b"video");
    }
    let conn = harness.connection();
    harness.script(move |call| {
        if call.table == Table::Event {
            return unavailable();
        }
        insert_event(&conn, "2025-12-18T17:30:00");
        insert_event(&conn, "2025-12-18T17:30:00");
        done(call)
    });
    let report = harness.pass();
    assert_eq!((report.events.failed, report.events.waiting), (1, 1));
    assert_eq!((report.media.sent, report.media.waiting), (1, 2));
}

#[test]
fn rows_that_come_while_events_are_sent_are_not_forgotten() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    let conn = harness.connection();
    harness.script(move |call| {
        if call.id < 50 {
            insert_event(&conn, "2025-12-18T17:30:00");
        }
        done(call)
    });
    let mut passes = 0;
    while harness.count("success") < 50 {
        harness.pass();
        passes += 1;
        assert!(passes <= 50);
    }
    assert_eq!(harness.wire.ids(Table::Event), (1..=50).collect::<Vec<_>>());
}

#[test]
fn a_refused_event_is_tried_once_a_pass_also_when_others_come_between_clips() {
    for once in [false, true] {
        let mut harness = Harness::new();
        harness.once = once;
        harness.recorder.events(1);
        for _ in 0..4 {
            harness.recorder.clip(b"video");
        }
        let conn = harness.connection();
        harness.script(move |call| {
            if call.table == Table::Media {
                insert_event(&conn, "2025-12-18T17:30:00");
            }
            if (call.table, call.id) == (Table::Event, 1) {
                refused()
            } else {
                done(call)
            }
        });
        harness.pass();
        assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3, 4], "once: {once}");
    }
}
