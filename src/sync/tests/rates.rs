//! A timetable of rates that holds clips back at times: events go, clips wait, nothing fails, nothing spins.

use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;

const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: i64 = 365 * 86_400;

/// It is 17:30: clips wait until 19:00.
fn held() -> Harness {
    let mut harness = Harness::new();
    harness.wire.rates = "07:00,0 19:00,off".parse().unwrap();
    harness.recorder.events(2);
    for _ in 0..3 {
        harness.recorder.clip(b"video");
    }
    harness
}

#[test]
fn clips_wait_without_failing_and_events_go() {
    let mut harness = held();
    let report = harness.pass();
    assert_eq!((report.events.sent, report.events.waiting), (2, 0));
    assert_eq!(
        (report.media.sent, report.media.failed, report.media.waiting),
        (0, 0, 3)
    );
    assert_eq!(report.clips_wait_until.unwrap().to_string(), "2025-12-18 19:00:00");
    assert_eq!(report.ended_by, None);
    assert!(!report.is_complete() && report.is_well());
    assert_eq!(harness.status(Table::Media, 1), None, "untouched");
    harness.pass_time(2 * HOUR);
    let report = harness.pass();
    assert_eq!((report.media.sent, report.clips_wait_until), (3, None));
    assert!(report.is_complete());
    // With none to hold back, nothing is said of clips.
    harness.pass_time(24 * HOUR - Duration::from_secs(7_200));
    assert_eq!(harness.pass().clips_wait_until, None);
}

#[test]
fn a_time_that_comes_in_the_middle_lets_the_rest_wait() {
    let mut harness = held();
    harness.wire.rates = "18:00,0 23:00,off".parse().unwrap();
    harness.wire.takes = Duration::from_secs(1_000);
    let report = harness.pass();
    // Two events to 18:03: the first clip would begin then.
    assert_eq!((report.events.sent, report.media.sent, report.media.waiting), (2, 0, 3));
    harness.wire.rates = "18:30,0 23:00,off".parse().unwrap();
    let report = harness.pass();
    assert_eq!(
        (report.media.sent, report.media.failed, report.media.waiting),
        (2, 0, 1)
    );
    assert!(report.clips_wait_until.is_some());
}

#[test]
fn clips_go_as_soon_as_they_may_however_long_the_interval() {
    for mode in [Mode::Continuous, Mode::Realtime] {
        let mut harness = held();
        harness.interval = 20 * HOUR;
        harness.clock.stop_at(3 * HOUR);
        harness.serve(mode);
        let clips: Vec<_> = harness
            .wire
            .calls
            .iter()
            .filter(|call| call.table == Table::Media)
            .collect();
        assert_eq!(clips.len(), 3, "{mode:?}");
        assert!(
            clips[0].at >= HOUR * 3 / 2 && clips[0].at < HOUR * 3 / 2 + Duration::from_secs(10),
            "{mode:?} {:?}",
            clips[0].at
        );
        assert_eq!(harness.told.starts.len(), 2, "{mode:?}");
    }
}

#[test]
fn realtime_does_not_spin_on_clips_that_wait_and_still_sends_events_at_once() {
    let mut harness = held();
    let conn = harness.connection();
    harness.clock.plan(Duration::from_millis(600_300), move |_| {
        insert_event(&conn, "2025-12-18T17:40:00");
    });
    harness.clock.stop_at(HOUR);
    harness.serve(Mode::Realtime);
    assert_eq!(harness.wire.calls.len(), 3);
    let at = harness.wire.calls[2].at.as_secs_f64();
    assert!((600.3..602.3).contains(&at), "{at}");
    assert!(harness.told.passes.len() <= 16, "{}", harness.told.passes.len());
}

#[test]
fn a_clock_that_jumps_while_clips_wait_neither_stalls_nor_floods() {
    for jump in [-50 * YEAR, -86_400, -3_600, 3_600, 12 * 3_600, 86_400, 50 * YEAR] {
        let mut harness = held();
        harness.interval = HOUR;
        harness.clock.plan(HOUR / 2, move |clock| clock.jump(jump));
        harness.clock.stop_at(24 * HOUR);
        harness.serve(Mode::Continuous);
        assert_eq!(harness.count("success"), 5, "{jump}");
        assert_eq!(harness.wire.calls.len(), 5, "{jump}: each once");
        assert!(harness.told.passes.len() <= 30, "{jump}: {}", harness.told.passes.len());
        for call in harness.wire.calls.iter().filter(|call| call.table == Table::Media) {
            let wall = NOW + call.at.as_secs() as i64 + jump;
            let hour = wall.rem_euclid(86_400) / 3_600;
            assert!(!(7..19).contains(&hour), "{jump}: a clip at {hour} h");
        }
    }
}

#[test]
fn periodic_keeps_its_grid_when_clips_wait() {
    let mut harness = held();
    harness.interval = HOUR;
    harness.clock.stop_at(3 * HOUR - Duration::from_secs(1));
    harness.serve(Mode::Periodic);
    let starts: Vec<_> = harness.told.starts.iter().map(Duration::as_secs).collect();
    assert_eq!(starts, [0, 3_600, 7_200]);
    assert_eq!(harness.count("success"), 5);
}
