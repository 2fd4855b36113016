//! What each verdict does to its row, to the rows behind it, and to the pass.

use std::time::{Duration, SystemTime};

use super::harness::*;
use crate::device::tests::noise;
use crate::row::Table;
use crate::upload::{RetryAfter, Verdict};

#[test]
fn each_verdict_ends_the_pass_or_lets_it_go_on() {
    struct Case {
        name: &'static str,
        verdict: fn() -> Verdict,
        /// Requests for the first of three events.
        tries: usize,
        /// (sent, failed, waiting)
        counts: (u64, u64, u64),
        /// Whether the first event is tried in a pass right after.
        due_at_once: bool,
    }
    let case = |name, verdict, tries, counts, due_at_once| Case {
        name,
        verdict,
        tries,
        counts,
        due_at_once,
    };
    let cases = [
        case("done", || Verdict::Done { remote_id: 7 }, 1, (3, 0, 0), false),
        case("unavailable", unavailable, 3, (0, 1, 2), true),
        case("misconfigured", misconfigured, 1, (0, 1, 2), true),
        case("server error", broken, 1, (2, 1, 0), false),
        case("refused", refused, 1, (2, 1, 0), false),
        case("invalid response", invalid_response, 1, (2, 1, 0), false),
        case(
            "local",
            || Verdict::Local(std::io::Error::other("m")),
            1,
            (2, 1, 0),
            false,
        ),
    ];
    for Case {
        name,
        verdict,
        tries,
        counts,
        due_at_once,
    } in cases
    {
        let mut harness = Harness::new();
        harness.recorder.events(3);
        harness.script(move |call| if call.id == 1 { verdict() } else { done(call) });
        let report = harness.pass();
        let events = report.events;
        assert_eq!((events.sent, events.failed, events.waiting), counts, "{name}");
        assert_eq!(report.ended_by.is_some(), counts.2 > 0, "{name}");
        assert_eq!(report.is_complete(), name == "done", "{name}");
        assert_eq!(
            harness.wire.ids(Table::Event).iter().filter(|id| **id == 1).count(),
            tries,
            "{name}"
        );
        // Rows that were not tried have no trace in sync_tracking.
        let rest = (counts.2 == 0).then(|| "success".to_string());
        assert_eq!(
            [harness.status(Table::Event, 2), harness.status(Table::Event, 3)],
            [rest.clone(), rest],
            "{name}"
        );
        let first = if name == "done" { "success" } else { "failed" };
        assert_eq!(harness.status(Table::Event, 1).as_deref(), Some(first), "{name}");
        assert_eq!(harness.tried().contains(&1), due_at_once, "{name}");
    }
}

#[test]
fn a_row_is_tried_three_times_with_half_a_second_and_a_second_between() {
    let mut first = Vec::new();
    for seed in 0..50 {
        let mut harness = Harness::new();
        harness.random = fastrand::Rng::with_seed(seed);
        harness.event("2025-12-18T17:30:00");
        harness.script(|_| unavailable());
        harness.pass();
        let gaps = harness.gaps();
        assert_eq!(gaps.len(), 2);
        assert!(near(gaps[0], Duration::from_millis(500), 0.5), "{gaps:?}");
        assert!(near(gaps[1], Duration::from_secs(1), 0.5), "{gaps:?}");
        assert_eq!(harness.told.retrying, 2);
        first.push(gaps[0]);
    }
    first.dedup();
    assert!(first.len() > 40, "no two devices stay in step");
}

#[test]
fn a_row_that_gets_through_at_its_third_try_has_not_failed() {
    let mut harness = Harness::new();
    harness.recorder.events(2);
    harness.script(|call| if call.nth < 2 { unavailable() } else { done(call) });
    let report = harness.pass();
    assert!(report.is_complete());
    assert_eq!(harness.wire.ids(Table::Event), [1, 1, 1, 2]);
}

#[test]
fn the_servers_wish_is_honoured_up_to_the_interval() {
    let date = |seconds: i64| {
        RetryAfter::At(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW + seconds).unwrap()))
    };
    let delay = |seconds| RetryAfter::Delay(Duration::from_secs(seconds));
    for (wish, seconds) in [
        (delay(0), 0.0),
        (delay(20), 20.0),
        (delay(86_400), 300.0),
        (date(-5), 0.0),
        (date(40), 40.0),
        (date(86_400), 300.0),
    ] {
        let mut harness = Harness::new();
        harness.event("2025-12-18T17:30:00");
        harness.script(move |call| if call.nth == 0 { busy(wish) } else { done(call) });
        harness.pass();
        let gap = harness.gaps()[0].as_secs_f64();
        assert!((seconds..=seconds * 1.1 + 0.001).contains(&gap), "{wish:?}: {gap}");
    }
}

#[test]
fn three_500s_on_different_rows_end_the_pass_and_free_all_three() {
    let mut harness = Harness::new();
    harness.recorder.events(5);
    harness.script(|_| broken());
    let report = harness.pass();
    assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3]);
    assert_eq!((report.events.failed, report.events.waiting), (3, 2));
    assert!(report.ended_by.is_some());
    harness.script(done);
    assert_eq!(harness.tried(), [1, 2, 3, 4, 5]);
    assert_eq!(harness.count("success"), 5);
}

#[test]
fn two_500s_that_are_not_three_in_a_row_are_the_rows_own() {
    for between in [done as fn(&Call) -> Verdict, |_| refused()] {
        let mut harness = Harness::new();
        harness.recorder.events(5);
        harness.script(move |call| if call.id == 3 { between(call) } else { broken() });
        let report = harness.pass();
        assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3, 4, 5]);
        assert_eq!(report.ended_by, None);
        assert!(harness.tried().is_empty(), "due in an hour");
    }
}

#[test]
fn answers_that_tell_nothing_add_up_whatever_they_are() {
    let local = || Verdict::Local(std::io::Error::other("m"));
    // The card's trouble proves nothing about the backend.
    for (second, ends_at) in [(invalid_response as fn() -> Verdict, 3), (broken, 3), (local, 4)] {
        let mut harness = Harness::new();
        harness.recorder.events(6);
        harness.script(move |call| match call.id {
            2 => second(),
            1 | 4 => broken(),
            _ => invalid_response(),
        });
        let report = harness.pass();
        assert_eq!(harness.wire.ids(Table::Event), (1..=ends_at).collect::<Vec<_>>());
        assert!(report.ended_by.is_some());
        harness.script(done);
        harness.pass();
        // All but what the card refused.
        assert_eq!(harness.count("success"), 9 - ends_at);
    }
}

#[test]
fn a_streak_goes_on_over_passes_that_hold_one_row_each() {
    let mut harness = Harness::new();
    harness.script(|_| invalid_response());
    for id in 1..=3 {
        harness.recorder.events(1);
        assert_eq!(harness.tried(), [id], "those before it have an hour to wait");
    }
    harness.script(done);
    assert_eq!(harness.tried(), [1, 2, 3], "it was the backend all along");
}

#[test]
fn a_streak_touches_no_row_that_people_changed_since() {
    let mut harness = Harness::new();
    harness.recorder.events(2);
    harness.script(|_| invalid_response());
    harness.pass();
    harness.sql("UPDATE sync_tracking SET sync_status = 'success', remote_id = 7 WHERE local_id = 1");
    harness.recorder.events(1);
    harness.pass();
    assert_eq!(harness.status(Table::Event, 1).as_deref(), Some("success"));
}

#[test]
fn ten_thousand_waiting_rows_cost_one_rows_tries_while_the_backend_is_away() {
    let mut harness = Harness::new();
    harness.recorder.events(10_000);
    harness.recorder.clip(b"video");
    harness.wire.takes = Duration::from_secs(10);
    harness.script(|_| unavailable());
    let report = harness.pass();
    assert_eq!(harness.wire.ids(Table::Event), [1, 1, 1]);
    assert_eq!(harness.wire.calls.len(), 3, "no clip is tried either");
    assert_eq!((report.events.failed, report.events.waiting), (1, 9_999));
    assert_eq!((report.media.failed, report.media.waiting), (0, 1));
    assert_eq!(harness.count("failed"), 1, "the others have no row in sync_tracking");
}

#[test]
fn what_failed_only_because_the_backend_was_away_is_sent_in_the_next_pass() {
    let mut harness = Harness::new();
    harness.recorder.events(4);
    for _ in 0..30 {
        harness.script(|_| unavailable());
        harness.pass();
    }
    harness.script(done);
    assert_eq!(harness.tried(), [1, 2, 3, 4]);
    assert_eq!(harness.told.failed.len(), 30);
    assert!(
        harness.told.failed.iter().all(|(_, id, ..)| *id == 1),
        "it can't be why: it goes first"
    );
}

#[test]
fn a_clip_that_may_not_be_packed_is_sent_again_at_once() {
    let mut harness = Harness::new();
    harness.recorder.clip(b"video");
    harness.script(|call| {
        if call.nth == 0 {
            Verdict::RetryUncompressed
        } else {
            done(call)
        }
    });
    assert!(harness.pass().is_complete());
    assert_eq!(harness.gaps(), [Duration::ZERO]);
    assert_eq!(harness.told.retrying, 0, "it is not a try");
    assert_eq!(harness.wire.calls[0].key, harness.wire.calls[1].key);
}

#[test]
fn a_clip_that_vanishes_on_its_way_is_nobodys_failure() {
    let mut harness = Harness::new();
    harness.recorder.clip(&noise(600_000, 1));
    harness.recorder.clip(b"next");
    let conn = harness.connection();
    harness.script(move |call| {
        if call.id == 1 {
            conn.execute("DELETE FROM media WHERE id_media = 1", []).unwrap();
        }
        done(call)
    });
    let report = harness.pass();
    assert_eq!((report.media.sent, report.media.failed), (1, 0));
    assert_eq!(harness.status(Table::Media, 1), None);
    assert_eq!(harness.status(Table::Media, 2).as_deref(), Some("success"));
}

#[test]
fn a_clip_that_changes_on_its_way_is_read_again_and_sent_whole() {
    let mut harness = Harness::new();
    harness.recorder.clip(&noise(600_000, 1));
    let conn = harness.connection();
    harness.script(move |call| {
        if call.nth == 0 {
            let video = noise(600_000, 2);
            conn.execute("UPDATE media SET video = ?1", [video]).unwrap();
        }
        done(call)
    });
    assert!(harness.pass().is_complete());
    assert_eq!(harness.wire.calls.len(), 2);
    assert_eq!(harness.wire.stored.len(), 1);
}

#[test]
fn a_clip_that_never_stands_still_does_not_hold_up_the_others() {
    let mut harness = Harness::new();
    harness.recorder.clip(&noise(600_000, 1));
    harness.recorder.clip(b"next");
    let conn = harness.connection();
    harness.script(move |call| {
        if call.id == 1 {
            let video = noise(600_000, 3 + 2 * call.nth as u64);
            conn.execute("UPDATE media SET video = ?1 WHERE id_media = 1", [video])
                .unwrap();
        }
        done(call)
    });
    let report = harness.pass();
    assert_eq!((report.media.sent, report.media.failed), (1, 1));
    assert_eq!(harness.wire.ids(Table::Media), [1, 1, 1, 1, 2]);
}
