//! Wall clocks that jump.

use std::time::Duration;

use super::harness::*;
use crate::config::Mode;

const YEAR: i64 = 365 * 86_400;
const DAY: Duration = Duration::from_secs(86_400);

/// Every row gets through within a day of monotonic time, and no row is tried more than once more than without
/// the jump.
#[test]
fn a_jump_of_the_clock_leaves_no_row_stuck_and_costs_at_most_one_try_more() {
    for jump in [
        -50 * YEAR,
        -5 * YEAR,
        -86_400,
        -3_600,
        3_600,
        86_400,
        5 * YEAR,
        50 * YEAR,
    ] {
        let mut harness = Harness::new();
        harness.interval = Duration::from_secs(900);
        harness.recorder.events(20);
        harness.script(|_| refused());
        harness
            .clock
            .plan(Duration::from_secs(1_000), move |clock| clock.jump(jump));
        harness.clock.stop_at(Duration::from_secs(3_000));
        harness.serve(Mode::Continuous);
        for id in 1..=20 {
            let tries = harness.wire.calls.iter().filter(|call| call.id == id).count();
            assert!((1..=2).contains(&tries), "{jump}: row {id} was tried {tries} times");
        }
        harness.script(done);
        harness.clock.stop_at(Duration::from_secs(3_000) + 2 * DAY);
        harness.serve(Mode::Continuous);
        assert_eq!(harness.count("success"), 20, "{jump}");
    }
}

#[test]
fn a_device_that_starts_in_1970_and_learns_the_time_later_works_as_any_other() {
    let mut harness = Harness::new();
    harness.clock.jump(-NOW);
    harness.recorder.events(20);
    harness.script(|_| refused());
    harness.clock.plan(Duration::from_secs(1_000), |clock| clock.jump(NOW));
    harness.clock.stop_at(Duration::from_secs(3_000));
    harness.serve(Mode::Continuous);
    assert_eq!(
        harness.wire.calls.len(),
        40,
        "once in 1970, once when the time is known"
    );
    harness.script(done);
    harness.clock.stop_at(Duration::from_secs(8_000));
    harness.serve(Mode::Continuous);
    assert_eq!(harness.count("success"), 20);
}

#[test]
fn what_failed_with_the_backend_is_due_at_the_next_pass_whatever_the_clock_says() {
    for jump in [-5 * YEAR, -86_400, -7_200, -60, 0, 7_200, 5 * YEAR] {
        let mut harness = Harness::new();
        harness.recorder.events(5);
        harness.script(|_| unavailable());
        harness.pass();
        harness.clock.jump(jump);
        harness.script(done);
        assert_eq!(harness.tried(), [1, 2, 3, 4, 5], "{jump}");
    }
}

#[test]
fn intervals_do_not_follow_the_wall_clock() {
    for mode in [Mode::Continuous, Mode::Periodic, Mode::Realtime] {
        let mut harness = Harness::new();
        for (place, jump) in [YEAR, -2 * YEAR, 3_600, -7_200, 20 * YEAR].into_iter().enumerate() {
            let at = Duration::from_secs(1_000 * (place as u64 + 1));
            harness.clock.plan(at, move |clock| clock.jump(jump));
        }
        harness.clock.stop_at(Duration::from_secs(6_000));
        harness.serve(mode);
        let starts = &harness.told.starts;
        assert!((18..=23).contains(&starts.len()), "{mode:?}: {}", starts.len());
        let waits = starts.windows(2).map(|pair| pair[1] - pair[0]);
        for wait in waits {
            assert!(near(wait, INTERVAL, 0.11), "{mode:?}: {wait:?}");
        }
    }
}
