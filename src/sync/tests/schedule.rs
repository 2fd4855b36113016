//! Passes over days: retries, outages, clocks that jump.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// Runs a pass every interval for so long.
fn live(world: &mut World, time: Duration) {
    let end = world.clock.monotonic() + time;
    while world.clock.monotonic() < end {
        world.pass();
        world.clock.pass_time(INTERVAL);
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_refused_row_is_tried_hourly_for_a_day_and_then_daily() {
    let mut world = World::new(|_| refused());
    world.recorder.events(1);
    live(&mut world, 24 * 7 * HOUR);
    let times: Vec<f64> = world
        .wire
        .calls
        .iter()
        .map(|call| call.at.as_secs_f64() / 3_600.0)
        .collect();
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (index, gap) in gaps.iter().enumerate() {
        // The first pass after the due time: up to one interval later, within a tenth of jitter.
        let planned = if index + 1 < 24 { 1.0 } else { 24.0 };
        assert!(
            (planned * 0.89..=planned * 1.11 + 0.1).contains(gap),
            "try {index}: {gap} h"
        );
    }
    assert!((28..=31).contains(&times.len()), "{} tries in a week", times.len());
}

#[test]
fn a_week_without_a_server_loses_nothing_and_costs_three_tries_a_pass() {
    let mut world = World::new(|_| unwell());
    world.recorder.events(500);
    live(&mut world, 24 * 7 * HOUR);
    let passes = 24 * 7 * 12;
    assert!(world.asked().len() <= 3 * passes);
    world.answers(done);
    let report = world.pass();
    assert_eq!(
        (report.events.sent, report.events.failed),
        (500, 0),
        "all at once when it is back"
    );
}

#[test]
fn a_row_that_failed_with_the_backend_is_not_on_the_daily_schedule_for_it() {
    let mut world = World::new(|_| unwell());
    world.recorder.events(1);
    live(&mut world, 48 * HOUR);
    world.asked();
    world.answers(|_| refused());
    live(&mut world, 4 * HOUR);
    assert!((4..=5).contains(&world.asked().len()), "hourly, as its first refusals");
}

#[test]
fn clocks_that_jump_leave_no_row_stuck_and_start_no_storm() {
    let year = 365 * 24 * 3_600;
    for jump in [-50 * year, -3_600 * 5, 3_600 * 5, year, 30 * year] {
        let mut world = World::new(|_| refused());
        world.recorder.events(20);
        live(&mut world, 3 * HOUR);
        world.asked();
        world.clock.wall.set(world.clock.wall.get() + jump);
        live(&mut world, 3 * HOUR);
        let tried = world.asked().len();
        // 3 hours bring each row about 3 tries; a jump may bring each one more.
        assert!(tried <= 20 * 5, "jump {jump}: {tried} tries");
        world.answers(done);
        live(&mut world, 27 * HOUR);
        assert_eq!(world.told.sent.len(), 20, "jump {jump}: a row is stuck");
    }
}

#[test]
fn a_device_that_starts_in_1970_sends_everything_and_retries_after_the_clock_is_set() {
    let mut world = World::new(|call| if call.id == 1 { refused() } else { done(call) });
    world.recorder.events(3);
    world.clock.wall.set(12);
    assert_eq!(world.pass().events.sent, 2);
    world.clock.wall.set(START);
    world.answers(done);
    assert_eq!(world.pass().events.sent, 1);
}

#[test]
fn once_tries_every_failed_row_on_every_run() {
    let mut world = World::new(|_| refused());
    world.once = true;
    world.recorder.events(2);
    for _ in 0..3 {
        assert_eq!(world.pass().events.failed, 2);
    }
    assert_eq!(world.asked(), [1, 2, 1, 2, 1, 2]);
}

#[test]
fn a_replaced_database_never_repeats_a_key() {
    let keys = Rc::new(RefCell::new(BTreeSet::new()));
    for _ in 0..2 {
        let seen = Rc::clone(&keys);
        let mut world = World::new(move |call| {
            assert!(seen.borrow_mut().insert(call.key.clone()), "{call:?}");
            done(call)
        });
        world.recorder.events(50);
        world.recorder.clip(b"x");
        world.pass();
    }
    assert_eq!(keys.borrow().len(), 102);
}

mod service {
    //! The schedule of passes themselves.

    use std::sync::Mutex;

    use super::*;
    use crate::config::Config;
    use crate::sync::service::{End, Service};

    /// When passes began, in seconds.
    struct Begins<'a>(&'a SimClock, &'a Mutex<Vec<f64>>);

    impl Reporter for Begins<'_> {
        fn notice(&mut self, notice: &Notice) {
            if matches!(notice, Notice::PassStarted { .. }) {
                self.1.lock().unwrap().push(self.0.monotonic().as_secs_f64());
            }
        }
    }

    fn run(
        mode: &str,
        events: i64,
        seconds: u64,
        script: impl Fn(&SimClock, &Call) -> Verdict + 'static,
    ) -> (End, Vec<f64>) {
        let mut world = World::new(done);
        world.recorder.events(events);
        let clock = Rc::clone(&world.clock);
        world.answers(move |call| script(&clock, call));
        world.clock.stop_at.set(Some(Duration::from_secs(seconds)));
        let path = world.recorder.path();
        let config = Config::from_lookup(&|name| match name {
            "LOCAL_DB_PATH" => Some(path.clone().into()),
            "SYNC_MODE" => Some(mode.into()),
            _ => None,
        })
        .unwrap();
        let begins = Mutex::new(Vec::new());
        let end = Service {
            config: &config,
            wire: &mut world.wire,
            reporter: &mut Begins(&world.clock, &begins),
            clock: &*world.clock,
            random: Random::seeded(3),
            instance: crate::device::instance::Instance::default(),
        }
        .run();
        (end, begins.into_inner().unwrap())
    }

    #[test]
    fn continuous_waits_a_full_interval_after_each_pass() {
        // Each row takes the server 10 s.
        let (end, begins) = run("continuous", 3, 3_000, |clock, call| {
            clock.pass_time(Duration::from_secs(10));
            done(call)
        });
        assert_eq!(end, End::Clean);
        assert!(
            (300.0..=360.0).contains(&(begins[1] - begins[0])),
            "30 s of work, then the interval: {begins:?}"
        );
        for pair in begins[1..].windows(2) {
            assert!((270.0..=330.0).contains(&(pair[1] - pair[0])), "{begins:?}");
        }
        assert!(begins.len() >= 9);
    }

    #[test]
    fn periodic_keeps_its_grid_also_after_a_pass_that_overran_it() {
        // The first pass takes 700 s: two points of the grid go by.
        let (_, begins) = run("periodic", 7, 2_000, |clock, call| {
            clock.pass_time(Duration::from_secs(100));
            done(call)
        });
        assert_eq!(begins, [0.0, 900.0, 1_200.0, 1_500.0, 1_800.0]);
    }

    #[test]
    fn realtime_slows_down_while_the_backend_is_away() {
        let (_, begins) = run("realtime", 1, 4_000, |_, _| unwell());
        let gaps: Vec<f64> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] < 9.0 && gaps[2] > gaps[0] && gaps[8] > 250.0, "{gaps:?}");
    }

    #[test]
    fn once_says_by_its_end_whether_all_was_sent() {
        assert_eq!(run("once", 3, 9_999, |_, call| done(call)).0, End::Clean);
        assert_eq!(run("once", 3, 9_999, |_, _| refused()).0, End::Incomplete);
        assert_eq!(run("once", 3, 9_999, |_, _| unwell()).0, End::Incomplete);
    }
}
