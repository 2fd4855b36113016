//! The local database in trouble: the result is kept, nothing else is sent, and people are told once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;
use crate::sync::pass::PassError;
use crate::sync::service::End;
use crate::upload::Verdict;

const HOUR: Duration = Duration::from_secs(3_600);

/// Another program that locks everybody out, and lets go when it is told.
struct Bully(Rc<RefCell<rusqlite::Connection>>);

impl Bully {
    fn of(harness: &Harness) -> Self {
        Self(Rc::new(RefCell::new(harness.connection())))
    }

    fn lock(&self) -> impl Fn() + use<> {
        let conn = Rc::clone(&self.0);
        move || conn.borrow().execute_batch("BEGIN EXCLUSIVE").unwrap()
    }

    fn lets_go_at(&self, harness: &Harness, time: Duration) {
        let conn = Rc::clone(&self.0);
        harness
            .clock
            .plan(time, move |_| conn.borrow().execute_batch("COMMIT").unwrap());
    }
}

/// The waits of tries of the database, put together again from their slices.
fn tries(harness: &Harness) -> Vec<f64> {
    let mut tries = Vec::new();
    let mut begin = None;
    for (at, length) in harness
        .clock
        .waits
        .borrow()
        .iter()
        .filter(|(_, length)| !length.is_zero())
    {
        begin.get_or_insert(*at);
        if length.as_secs_f64() < 5.0 {
            tries.push((*at + *length - begin.take().unwrap()).as_secs_f64());
        }
    }
    tries
}

#[test]
fn a_result_that_cannot_be_written_is_kept_and_its_row_is_not_sent_again() {
    let verdicts: [fn(&Call) -> Verdict; 3] = [done, |_| refused(), |_| invalid_response()];
    for verdict in verdicts {
        let mut harness = Harness::new();
        harness.recorder.events(3);
        let bully = Bully::of(&harness);
        bully.lets_go_at(&harness, HOUR);
        let lock = bully.lock();
        harness.script(move |call| {
            if call.id != 1 {
                return done(call);
            }
            lock();
            verdict(call)
        });
        harness.pass();
        assert_eq!(harness.wire.ids(Table::Event), [1, 2, 3], "the row is sent once");
        assert!(harness.wire.calls[1].at >= HOUR, "nothing else is sent meanwhile");
        assert!(harness.wire.calls[1].at <= HOUR + Duration::from_secs(33));
        assert!(
            harness.status(Table::Event, 1).is_some(),
            "the result is written in the end"
        );
        assert_eq!(
            (harness.told.troubles.len(), harness.told.troubles_over),
            (1, 1),
            "{:?}",
            harness.told.troubles
        );
        assert!(
            harness.told.troubles[0].contains("verrouillée"),
            "{:?}",
            harness.told.troubles
        );
    }
}

#[test]
fn a_database_in_trouble_is_tried_again_after_one_two_four_and_at_most_thirty_seconds() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    let bully = Bully::of(&harness);
    bully.lets_go_at(&harness, HOUR);
    let lock = bully.lock();
    harness.script(move |call| {
        lock();
        done(call)
    });
    harness.pass();
    let tries = tries(&harness);
    for (place, planned) in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0].into_iter().enumerate() {
        assert!(
            (tries[place] - planned).abs() <= planned * 0.1 + 1e-6,
            "{place}: {tries:?}"
        );
    }
    assert!((110..=140).contains(&tries.len()), "it never spins: {}", tries.len());
}

#[test]
fn a_row_that_cannot_be_read_for_a_while_is_not_to_blame() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    harness.recorder.clip(b"video");
    let bully = Bully::of(&harness);
    bully.lets_go_at(&harness, HOUR);
    let lock = bully.lock();
    // The lock comes in the wait between two tries, so that it is a read that meets it.
    harness.clock.plan(Duration::from_millis(100), move |_| lock());
    harness.script(|call| if call.nth == 0 { unavailable() } else { done(call) });
    let report = harness.pass();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((harness.told.failed.len(), harness.told.troubles.len()), (0, 1));
    assert!(harness.wire.calls[1].at >= HOUR);
}

#[test]
fn once_does_not_wait_for_a_trouble_to_end() {
    let mut harness = Harness::new();
    harness.once = true;
    harness.recorder.events(3);
    let lock = Bully::of(&harness).lock();
    harness.script(move |call| {
        lock();
        done(call)
    });
    let result = harness.try_pass();
    assert!(matches!(result, Err(PassError::Trouble(_))), "{result:?}");
    assert_eq!(harness.wire.calls.len(), 1);
    assert_eq!(tries(&harness).len(), 3);
}

#[test]
fn a_stop_is_heard_while_the_database_is_in_trouble() {
    let mut harness = Harness::new();
    harness.recorder.events(3);
    let lock = Bully::of(&harness).lock();
    harness.clock.stop_at(Duration::from_secs(100));
    harness.script(move |call| {
        lock();
        done(call)
    });
    assert_eq!(harness.try_pass(), Err(PassError::Interrupted));
    assert_eq!(harness.wire.calls.len(), 1);
}

#[test]
fn a_database_that_no_time_heals_ends_the_service_with_what_to_do() {
    for mode in [Mode::Once, Mode::Continuous] {
        let mut harness = Harness::new();
        harness.recorder.events(3);
        harness.clock.stop_at(HOUR);
        // As after a repair that left half of the tables.
        harness.sql("CREATE TRIGGER no BEFORE INSERT ON sync_tracking BEGIN SELECT RAISE(ABORT, 'non'); END");
        let end = harness.serve(mode);
        assert!(
            matches!(&end, End::Failed(message) if message.contains("sync_tracking")),
            "{end:?}"
        );
        assert_eq!(harness.wire.calls.len(), 1, "no row is sent whose result can't be kept");
    }
}

#[test]
fn a_database_that_is_not_there_yet_is_waited_for_and_told_once() {
    let mut harness = Harness::new();
    harness.recorder.events(2);
    let (path, away) = (harness.recorder.path(), harness.recorder.path().with_extension("away"));
    std::fs::rename(&path, &away).unwrap();
    harness
        .clock
        .plan(HOUR, move |_| std::fs::rename(&away, &path).unwrap());
    harness.clock.stop_at(2 * HOUR);
    assert_eq!(harness.serve(Mode::Continuous), End::Clean);
    assert_eq!((harness.told.troubles.len(), harness.told.troubles_over), (1, 1));
    assert_eq!(harness.wire.ids(Table::Event), [1, 2]);
    assert!(harness.wire.calls[0].at < HOUR + Duration::from_secs(3));
}

#[test]
fn a_running_service_waits_for_a_database_that_goes_away_and_comes_back() {
    let mut harness = Harness::new();
    harness.recorder.events(2);
    let (path, away) = (harness.recorder.path(), harness.recorder.path().with_extension("away"));
    let (from, to) = (path.clone(), away.clone());
    harness
        .clock
        .plan(Duration::from_secs(10), move |_| std::fs::rename(&from, &to).unwrap());
    harness
        .clock
        .plan(HOUR, move |_| std::fs::rename(&away, &path).unwrap());
    harness.clock.stop_at(2 * HOUR);
    assert_eq!(harness.serve(Mode::Continuous), End::Clean);
    assert_eq!((harness.told.troubles.len(), harness.told.troubles_over), (1, 1));
    assert_eq!(harness.wire.ids(Table::Event), [1, 2], "what was sent stays sent");
    assert!(harness.told.passes.len() > 10);
}
