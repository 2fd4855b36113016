//! When passes begin, and when a row is due again.

use std::time::Duration;

use super::stage::*;
use crate::config::Mode;
use crate::row::Table;
use crate::sync::service::End;
use crate::upload::{RetryAfter, Verdict};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

#[test]
fn a_refused_row_is_tried_hourly_and_from_the_24th_time_daily() {
    let mut stage = Stage::new();
    stage.recorder.events(1);
    stage.script(|_| refused());
    stage.clock.stop_at(WEEK);
    assert_eq!(stage.serve(Mode::Continuous), End::Clean);
    let gaps = stage.gaps();
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
fn an_unclear_answer_is_followed_by_the_same_key() {
    let mut stage = Stage::new();
    stage.recorder.events(1);
    stage.recorder.clip(b"video");
    stage.script(|call| if call.nth < 6 { unclear() } else { done(call) });
    for _ in 0..4 {
        stage.pass();
        stage.pass_time(2 * HOUR);
        stage.restart();
    }
    assert_eq!(stage.count("success"), 2);
    assert_eq!(stage.wire.calls.len(), 8);
    assert_eq!(stage.wire.stored.len(), 2);
    for table in Table::ALL {
        let mut keys: Vec<_> = stage
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
    let mut stage = Stage::new();
    stage.recorder.events(100);
    for _ in 0..5 {
        stage.recorder.clip(b"video");
    }
    stage.script(|call| if call.at < WEEK { unwell() } else { done(call) });
    stage.clock.stop_at(WEEK + HOUR);
    assert_eq!(stage.serve(Mode::Continuous), End::Clean);
    let away = stage
        .told
        .passes
        .iter()
        .filter(|report| report.ended_by.is_some())
        .count();
    assert!((1_980..=2_060).contains(&away), "{away}");
    assert_eq!(stage.wire.calls.iter().filter(|call| call.at < WEEK).count(), away * 3);
    let last = stage.wire.calls.last().unwrap().at;
    assert!(last < WEEK + 2 * INTERVAL, "soon after: {last:?}");
    assert_eq!((stage.count("success"), stage.wire.stored.len()), (105, 105));
}

#[test]
fn continuous_waits_an_interval_give_or_take_a_tenth_after_each_pass() {
    let mut stage = Stage::new();
    stage.recorder.events(300);
    stage.wire.takes = Duration::from_secs(1);
    stage.clock.stop_at(DAY);
    stage.serve(Mode::Continuous);
    let starts = &stage.told.starts;
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
    let mut stage = Stage::new();
    let conn = stage.connection();
    stage.recorder.events(1);
    // A pass of eleven minutes, then short ones: each request brings the next row.
    stage.wire.takes = Duration::from_secs(1);
    stage.script(move |call| {
        if call.nth < 40 {
            insert_event(&conn, "2025-12-18T17:30:00");
        }
        if call.nth == 0 {
            busy(RetryAfter::Delay(Duration::from_secs(650)))
        } else {
            done(call)
        }
    });
    stage.clock.stop_at(20 * INTERVAL);
    stage.serve(Mode::Periodic);
    let points: Vec<_> = stage
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
    let mut stage = Stage::new();
    for second in [40, 100, 101, 250] {
        let conn = stage.connection();
        stage.clock.plan(Duration::from_millis(second * 1_000 + 300), move |_| {
            insert_event(&conn, "2025-12-18T17:30:00");
        });
    }
    stage.clock.stop_at(Duration::from_secs(280));
    stage.serve(Mode::Realtime);
    let at: Vec<_> = stage.wire.calls.iter().map(|call| call.at.as_secs_f64()).collect();
    assert_eq!(at.len(), 4);
    for (at, came) in at.iter().zip([40.3, 100.3, 101.3, 250.3]) {
        assert!((came..came + 2.0).contains(at), "{at}");
    }
}

#[test]
fn realtime_slows_down_to_the_interval_while_the_backend_is_away() {
    let mut stage = Stage::new();
    stage.recorder.events(1);
    for minute in 0..180 {
        let conn = stage.connection();
        stage.clock.plan(Duration::from_secs(60 * minute), move |_| {
            insert_event(&conn, "2025-12-18T17:30:00");
        });
    }
    stage.script(move |call| if call.at < 3 * HOUR { unwell() } else { done(call) });
    stage.clock.stop_at(3 * HOUR + 3 * INTERVAL);
    stage.serve(Mode::Realtime);
    let away: Vec<_> = stage.told.starts.iter().filter(|start| **start < 3 * HOUR).collect();
    let waits: Vec<_> = away.windows(2).map(|pair| (*pair[1] - *pair[0]).as_secs()).collect();
    assert!(waits[0] < 10, "{waits:?}");
    assert!(waits.iter().skip(8).all(|wait| *wait >= 270), "{waits:?}");
    assert!(away.len() < 50, "{}", away.len());
    assert_eq!(stage.count("success"), 181);
}

#[test]
fn realtime_does_not_spin_on_rows_that_wait_for_their_time() {
    let mut stage = Stage::new();
    stage.recorder.events(3);
    stage.script(|_| refused());
    stage.clock.stop_at(HOUR / 2);
    stage.serve(Mode::Realtime);
    assert_eq!(stage.wire.calls.len(), 3);
    assert!(stage.told.passes.len() <= 8, "{}", stage.told.passes.len());
}

#[test]
fn a_stop_ends_the_wait_the_pass_and_the_tries_of_a_row() {
    for (stop_ms, answer) in [(150_000, done as fn(&Call) -> _), (200, |_| unwell())] {
        for mode in [Mode::Continuous, Mode::Periodic, Mode::Realtime] {
            let mut stage = Stage::new();
            stage.recorder.events(2);
            stage.script(answer);
            stage.clock.stop_at(Duration::from_millis(stop_ms));
            assert_eq!(stage.serve(mode), End::Clean);
            assert_eq!(
                crate::clock::Clock::monotonic(&*stage.clock),
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
        ("unwell", |_| unwell(), End::Incomplete),
        ("refused", |_| refused(), End::Incomplete),
        ("misconfigured", |_| misconfigured(), End::Incomplete),
        (
            "one of two",
            |call| if call.id == 1 { unclear() } else { done(call) },
            End::Incomplete,
        ),
    ];
    for (name, answer, end) in cases {
        let mut stage = Stage::new();
        stage.recorder.events(2);
        stage.script(answer);
        assert_eq!(stage.serve(Mode::Once), end, "{name}");
        assert_eq!(stage.told.passes.len(), 1, "{name}");
    }
    let mut empty = Stage::new();
    assert_eq!(empty.serve(Mode::Once), End::Clean);
}

#[test]
fn once_tries_every_failed_row_whatever_was_planned() {
    let mut stage = Stage::new();
    stage.recorder.events(3);
    stage.script(|_| refused());
    stage.serve(Mode::Once);
    stage.script(done);
    assert_eq!(stage.serve(Mode::Once), End::Clean);
    assert_eq!(stage.wire.ids(Table::Event), [1, 2, 3, 1, 2, 3]);
}
