//! When passes begin, and when a row is due again.

use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;
use crate::sync::service::End;
use crate::upload::{RetryAfter, Verdict};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[test]
fn a_refused_row_is_tried_hourly_and_from_the_24th_time_daily() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    harness.script(|_| refused());
    harness.clock.stop_at(WEEK);
    assert_eq!(harness.serve(Mode::Continuous), End::Clean);
    let gaps = harness.gaps();
    for (place, gap) in gaps.iter().enumerate() {
        // The gap after the nth refusal; it ends with the first pass that finds the row due.
        let planned = if place + 1 < 24 { HOUR } else { DAY };
        let most = planned.mul_f64(1.1) + INTERVAL.mul_f64(1.1);
        assert!(
            (planned.mul_f64(0.9) - Duration::from_secs(1)..=most).contains(gap),
            "{place}: {gap:?}"
        );
    }
    assert!((28..=31).contains(&gaps.len()), "{}", gaps.len());
}

#[test]
fn an_invalid_response_is_followed_by_the_same_key() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    harness.recorder.clip(b"video");
    harness.script(|call| if call.nth < 6 { invalid_response() } else { done(call) });
    for _ in 0..4 {
        harness.pass();
        harness.pass_time(2 * HOUR);
        harness.restart();
    }
    assert_eq!(harness.count("success"), 2);
    assert_eq!(harness.wire.calls.len(), 8);
    assert_eq!(harness.wire.stored.len(), 2);
    for table in Table::ALL {
        let mut keys: Vec<_> = harness
            .wire
            .calls
            .iter()
            .filter(|call| call.table == table)
            .map(|call| &call.key)
            .collect();
        keys.dedup();
        assert_eq!(keys.len(), 1);
    }
}

#[test]
fn a_week_of_outage_costs_three_requests_a_pass_and_everything_arrives_after_it() {
    let mut harness = Harness::new();
    harness.recorder.events(100);
    for _ in 0..5 {
        harness.recorder.clip(b"video");
    }
    harness.script(|call| if call.at < WEEK { unavailable() } else { done(call) });
    harness.clock.stop_at(WEEK + HOUR);
    assert_eq!(harness.serve(Mode::Continuous), End::Clean);
    let away = harness
        .told
        .passes
        .iter()
        .filter(|report| report.ended_by.is_some())
        .count();
    assert!((1_980..=2_060).contains(&away), "{away}");
    assert_eq!(
        harness.wire.calls.iter().filter(|call| call.at < WEEK).count(),
        away * 3
    );
    let last = harness.wire.calls.last().unwrap().at;
    assert!(last < WEEK + 2 * INTERVAL, "soon after: {last:?}");
    assert_eq!((harness.count("success"), harness.wire.stored.len()), (105, 105));
}

#[test]
fn continuous_waits_an_interval_give_or_take_a_tenth_after_each_pass() {
    let mut harness = Harness::new();
    harness.recorder.events(300);
    harness.wire.takes = Duration::from_secs(1);
    harness.clock.stop_at(DAY);
    harness.serve(Mode::Continuous);
    let starts = &harness.told.starts;
    // The first pass took five minutes; the wait begins at its end.
    assert!(
        near(starts[1] - Duration::from_secs(300), INTERVAL, 0.1),
        "{:?}",
        starts[1]
    );
    let waits: Vec<_> = starts[1..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() > 250);
    assert!(waits.iter().all(|wait| near(*wait, INTERVAL, 0.1)), "{waits:?}");
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(
        *most - *least > INTERVAL / 10,
        "devices do not stay in step: {least:?} to {most:?}"
    );
}

#[test]
fn periodic_keeps_its_grid_however_long_passes_are() {
    let mut harness = Harness::new();
    let conn = harness.connection();
    harness.recorder.events(1);
    // A pass of eleven minutes, then short ones: each request brings the next row.
    harness.wire.takes = Duration::from_secs(1);
    harness.script(move |call| {
        if call.nth < 40 {
            insert_event(&conn, "2025-12-18T17:30:00");
        }
        if call.nth == 0 {
            busy(RetryAfter::Delay(Duration::from_secs(650)))
        } else {
            done(call)
        }
    });
    harness.clock.stop_at(20 * INTERVAL);
    harness.serve(Mode::Periodic);
    let points: Vec<_> = harness
        .told
        .starts
        .iter()
        .map(|start| start.as_secs_f64() / 300.0)
        .collect();
    assert!(points.iter().all(|point| point.fract() == 0.0), "{points:?}");
    assert!(points[1] >= 2.0, "a long pass skips the points it covers: {points:?}");
    assert!(
        points.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 1.0),
        "{points:?}"
    );
}

#[test]
fn realtime_sends_what_is_committed_within_two_seconds() {
    let mut harness = Harness::new();
    for second in [40, 100, 101, 250] {
        let conn = harness.connection();
        harness
            .clock
            .plan(Duration::from_millis(second * 1_000 + 300), move |_| {
                insert_event(&conn, "2025-12-18T17:30:00");
            });
    }
    harness.clock.stop_at(Duration::from_secs(280));
    harness.serve(Mode::Realtime);
    let at: Vec<_> = harness.wire.calls.iter().map(|call| call.at.as_secs_f64()).collect();
    assert_eq!(at.len(), 4);
    for (at, came) in at.iter().zip([40.3, 100.3, 101.3, 250.3]) {
        assert!((came..came + 2.0).contains(at), "{at}");
    }
}

#[test]
fn realtime_slows_down_to_the_interval_while_the_backend_is_away() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    for minute in 0..180 {
        let conn = harness.connection();
        harness.clock.plan(Duration::from_secs(60 * minute), move |_| {
            insert_event(&conn, "2025-12-18T17:30:00");
        });
    }
    harness.script(move |call| if call.at < 3 * HOUR { unavailable() } else { done(call) });
    harness.clock.stop_at(3 * HOUR + 3 * INTERVAL);
    harness.serve(Mode::Realtime);
    let away: Vec<_> = harness.told.starts.iter().filter(|start| **start < 3 * HOUR).collect();
    let waits: Vec<_> = away.windows(2).map(|pair| (*pair[1] - *pair[0]).as_secs()).collect();
    assert!(waits[0] < 10, "{waits:?}");
    assert!(waits.iter().skip(8).all(|wait| *wait >= 270), "{waits:?}");
    assert!(away.len() < 50, "{}", away.len());
    assert_eq!(harness.count("success"), 181);
}

#[test]
fn realtime_comes_back_when_a_busy_server_said_however_often_it_was_sent_away() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    let named = Duration::from_secs(10);
    harness.script(move |call| {
        if call.at < HOUR {
            busy(RetryAfter::Delay(named))
        } else {
            done(call)
        }
    });
    harness.clock.stop_at(2 * HOUR);
    harness.serve(Mode::Realtime);
    let (gaps, last) = (harness.gaps(), harness.wire.calls.last().unwrap().at);
    assert!(gaps.len() > 300, "{}", gaps.len());
    let away = &gaps[..gaps.len() - 2];
    assert!(
        away.iter().all(|gap| (named..=named.mul_f64(1.1)).contains(gap)),
        "{away:?}"
    );
    assert!(last < HOUR + named.mul_f64(1.1), "{last:?}");
    assert_eq!(harness.count("success"), 3);
}

#[test]
fn realtime_does_not_spin_on_a_server_that_names_a_time_that_is_none() {
    for named in [0, 1] {
        let mut harness = Harness::new();
        harness.recorder.events(1);
        harness.script(move |_| busy(RetryAfter::Delay(Duration::from_secs(named))));
        harness.clock.stop_at(HOUR);
        harness.serve(Mode::Realtime);
        // Three tries, and five seconds to the next pass.
        let passes = harness.told.passes.len() as u64;
        assert!(passes <= 3_600 / (5 + 2 * named) + 1, "{named}: {passes}");
    }
}

#[test]
fn continuous_keeps_its_interval_whatever_a_busy_server_named() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    harness.script(|_| busy(RetryAfter::Delay(Duration::from_secs(10))));
    harness.clock.stop_at(12 * HOUR);
    harness.serve(Mode::Continuous);
    // A pass is three tries with two waits between them.
    let starts = harness.told.starts.windows(2).map(|pair| pair[1] - pair[0]);
    let (least, most) = (
        INTERVAL.mul_f64(0.9) + Duration::from_secs(20),
        INTERVAL.mul_f64(1.1) + Duration::from_secs(22),
    );
    let starts: Vec<_> = starts.collect();
    assert!(
        starts.len() > 120 && starts.iter().all(|gap| (least..=most).contains(gap)),
        "{starts:?}"
    );
}

#[test]
fn realtime_does_not_spin_on_rows_that_wait_for_their_time() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    harness.script(|_| refused());
    harness.clock.stop_at(HOUR / 2);
    harness.serve(Mode::Realtime);
    assert_eq!(harness.wire.calls.len(), 3);
    assert!(harness.told.passes.len() <= 8, "{}", harness.told.passes.len());
}

#[test]
fn a_stop_ends_the_wait_the_pass_and_the_tries_of_a_row() {
    for (stop_ms, answer) in [(150_000, done as fn(&Call) -> _), (200, |_| unavailable())] {
        for mode in [Mode::Continuous, Mode::Periodic, Mode::Realtime] {
            let mut harness = Harness::new();
            harness.recorder.events(2);
            harness.script(answer);
            harness.clock.stop_at(Duration::from_millis(stop_ms));
            assert_eq!(harness.serve(mode), End::Clean);
            assert_eq!(
                crate::clock::Clock::monotonic(&*harness.clock),
                Duration::from_millis(stop_ms)
            );
        }
    }
}

#[test]
fn once_says_by_its_end_whether_everything_arrived() {
    type Answer = fn(&Call) -> Verdict;
    let cases: [(&str, Answer, End); 5] = [
        ("done", done, End::Clean),
        ("unavailable", |_| unavailable(), End::Incomplete),
        ("refused", |_| refused(), End::Incomplete),
        ("misconfigured", |_| misconfigured(), End::Incomplete),
        (
            "one of two",
            |call| if call.id == 1 { invalid_response() } else { done(call) },
            End::Incomplete,
        ),
    ];
    for (name, answer, end) in cases {
        let mut harness = Harness::new();
        harness.recorder.events(2);
        harness.script(answer);
        assert_eq!(harness.serve(Mode::Once), end, "{name}");
        assert_eq!(harness.told.passes.len(), 1, "{name}");
    }
    let mut empty = Harness::new();
    assert_eq!(empty.serve(Mode::Once), End::Clean);
}

#[test]
fn once_tries_every_failed_row_whatever_was_planned() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    harness.script(|_| refused());
    harness.serve(Mode::Once);
    harness.script(done);
    assert_eq!(harness.serve(Mode::Once), End::Clean);
    assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3, 1, 2, 3]);
}
