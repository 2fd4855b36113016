//! A row that brings the server down each time: it must not keep the others waiting for ever.

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;
use std::time::Duration;

#[test]
fn three_events_that_break_the_server_do_not_stop_the_others() {
    let mut harness = Harness::new();
    harness.recorder.events(50);
    harness.recorder.clip(b"video");
    harness.script(|call| {
        if call.table == Table::Event && call.id <= 3 {
            broken()
        } else {
            done(call)
        }
    });
    harness.clock.stop_at(Duration::from_secs(86_400));
    harness.serve(Mode::Continuous);
    assert_eq!(harness.count("success"), 48);
}

#[test]
fn a_clip_that_makes_the_server_hang_up_does_not_stop_the_others() {
    let mut harness = Harness::new();
    for _ in 0..20 {
        harness.recorder.clip(b"video");
    }
    harness.script(|call| if call.id == 1 { hung_up() } else { done(call) });
    harness.clock.stop_at(Duration::from_secs(86_400));
    harness.serve(Mode::Continuous);
    assert_eq!(harness.count("success"), 19);
}

#[test]
fn an_outage_leaves_the_order_as_it_is() {
    for (name, failing) in [
        ("unreachable", unavailable as fn() -> crate::upload::Verdict),
        ("401", misconfigured),
    ] {
        let mut harness = Harness::new();
        harness.recorder.events(4);
        for _ in 0..10 {
            harness.script(move |_| failing());
            harness.pass();
        }
        harness.script(done);
        harness.recorder.clip(b"video");
        harness.pass();
        let sent: Vec<(Table, i64)> = harness.wire.calls[harness.wire.calls.len() - 5..]
            .iter()
            .map(|call| (call.table, call.id))
            .collect();
        let events = (1..=4).map(|id| (Table::Event, id));
        let expected: Vec<(Table, i64)> = events.chain([(Table::Media, 1)]).collect();
        assert_eq!(sent, expected, "{name}");
    }
}

#[test]
fn what_is_left_for_last_is_counted_as_waiting_wherever_the_pass_ends() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    harness.recorder.clip(b"a");
    harness.recorder.clip(b"b");
    // Events 1 and 2 and clip 1 come last from now on.
    for (table, id) in [(Table::Event, 1), (Table::Event, 2), (Table::Media, 1)] {
        for _ in 0..2 {
            harness.script(move |call| {
                if (call.table, call.id) == (table, id) {
                    hung_up()
                } else {
                    refused()
                }
            });
            harness.pass();
            harness.sql("UPDATE sync_retry SET due_at = 0 WHERE reason = 'row'");
        }
    }
    let waiting = |harness: &mut Harness, ends: (Table, i64)| {
        harness.script(move |call| {
            if (call.table, call.id) == ends {
                unavailable()
            } else {
                refused()
            }
        });
        let report = harness.pass();
        harness.sql("UPDATE sync_retry SET due_at = 0 WHERE reason = 'row'");
        (report.events.waiting, report.media.waiting)
    };
    // The order is: event 3, clip 2, events 1 and 2, clip 1.
    assert_eq!(waiting(&mut harness, (Table::Event, 3)), (2, 2));
    assert_eq!(waiting(&mut harness, (Table::Media, 2)), (2, 1));
    assert_eq!(waiting(&mut harness, (Table::Event, 1)), (1, 1));
}

#[test]
fn a_database_that_counted_no_suspicions_yet_counts_them_from_now_on() {
    let mut harness = Harness::new();
    harness.recorder.events(2);
    harness.sql("ALTER TABLE sync_retry DROP COLUMN suspicions");
    harness.restart();
    harness.script(|call| if call.id == 1 { hung_up() } else { done(call) });
    harness.pass();
    harness.pass();
    harness.pass();
    assert_eq!(harness.status(Table::Event, 2).as_deref(), Some("success"));
}
