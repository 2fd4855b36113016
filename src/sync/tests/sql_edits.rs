//! People and the Python service write to `sync_tracking` while the work goes on.

use std::time::Duration;

use super::harness::*;
use crate::config::Mode;
use crate::row::Table;

const PENDING: &str = "UPDATE sync_tracking SET sync_status = 'pending'";
const DELETE: &str = "DELETE FROM sync_tracking";

/// `sql` on another connection while the row `during` is on its way.
fn edit(harness: &mut Harness, during: i64, sql: &'static str) {
    let conn = harness.connection();
    let mut sql = Some(sql);
    harness.script(move |call| {
        if let Some(sql) = (call.id == during).then(|| sql.take()).flatten() {
            conn.execute_batch(sql).unwrap();
        }
        done(call)
    });
}

#[test]
fn what_is_set_to_pending_or_deleted_in_the_middle_of_a_pass_is_sent_again_in_the_next() {
    for sql in [PENDING, DELETE] {
        for (count, during) in [(5, 1), (5, 3), (5, 5), (700, 600)] {
            let mut harness = Harness::new();
            harness.recorder.events(count);
            edit(&mut harness, during, sql);
            assert!(harness.pass().is_complete());
            assert_eq!(
                harness.wire.ids(Table::Event),
                (1..=count).collect::<Vec<_>>(),
                "{sql} during {during}"
            );
            assert_eq!(
                harness.tried(),
                (1..during).collect::<Vec<_>>(),
                "{sql} during {during}"
            );
            assert!(harness.tried().is_empty());
            assert_eq!(harness.count("success"), count);
            assert_eq!(harness.wire.stored.len() as i64, count, "again with the same key");
        }
    }
}

#[test]
fn what_is_set_to_pending_or_deleted_long_after_is_sent_again() {
    for sql in [PENDING, DELETE] {
        for restart in [false, true] {
            let mut harness = Harness::new();
            harness.recorder.events(1_200);
            harness.pass();
            harness.pass();
            harness.sql(&format!("{sql} WHERE local_id IN (3, 700, 1200)"));
            if restart {
                harness.restart();
            }
            assert_eq!(harness.tried(), [3, 700, 1_200], "{sql}");
            assert!(harness.tried().is_empty());
        }
    }
}

#[test]
fn a_refused_row_that_is_set_to_pending_is_due_now_and_its_schedule_begins_anew() {
    for sql in [PENDING, DELETE] {
        let mut harness = Harness::new();
        harness.recorder.events(1);
        harness.script(|_| refused());
        for _ in 0..30 {
            harness.pass();
            harness.pass_time(Duration::from_secs(2 * 86_400));
        }
        harness.pass();
        harness.sql(sql);
        harness.pass();
        let (_, _, attempts, due_at) = *harness.told.failed.last().unwrap();
        let delay = due_at - crate::clock::Clock::unix_seconds(&*harness.clock);
        assert!(
            attempts == 1 && (3_200..=4_000).contains(&delay),
            "{sql}: {attempts}, {delay}"
        );
        assert_eq!(harness.wire.calls.len(), 32);
    }
}

#[test]
fn what_the_python_service_has_sent_is_not_sent_again() {
    let mut harness = Harness::new();
    harness.recorder.events(6);
    harness.sql(
        "INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status, error_message) VALUES
         ('evenement', 1, 11, '2025-12-18T17:30:00', 'success', NULL),
         ('evenement', 3, NULL, '2025-12-18T17:30:00', 'failed', 'timeout'),
         ('evenement', 4, NULL, '2025-12-18T17:30:00', 'pending', NULL),
         ('evenement', 6, 16, '2025-12-18T17:30:00', 'success', NULL)",
    );
    assert_eq!(harness.tried(), [2, 3, 4, 5]);
    assert_eq!(harness.count("success"), 6);
}

#[test]
fn a_success_that_is_written_by_hand_ends_the_tries_of_a_refused_row() {
    let mut harness = Harness::new();
    harness.recorder.events(1);
    harness.script(|_| refused());
    harness.pass();
    harness.sql("UPDATE sync_tracking SET sync_status = 'success', remote_id = 9");
    harness.pass_time(Duration::from_secs(7 * 86_400));
    assert!(harness.tried().is_empty());
}

#[test]
fn a_row_freed_from_three_500s_and_set_to_pending_meanwhile_is_not_lost() {
    for sql in [PENDING, DELETE] {
        let mut harness = Harness::new();
        harness.recorder.events(4);
        let conn = harness.connection();
        harness.script(move |call| {
            if call.id == 3 {
                conn.execute_batch(sql).unwrap();
            }
            broken()
        });
        harness.pass();
        harness.script(done);
        assert_eq!(harness.tried(), [1, 2, 3, 4], "{sql}");
    }
}

#[test]
fn a_table_that_is_dropped_between_two_passes_is_made_again_and_everything_is_sent_again() {
    let mut harness = Harness::new();
    harness.recorder.events(400);
    let conn = harness.connection();
    harness.clock.plan(Duration::from_secs(10), move |_| {
        conn.execute_batch("DROP TABLE sync_tracking").unwrap();
    });
    harness.clock.stop_at(2 * INTERVAL);
    assert_eq!(harness.serve(Mode::Continuous), crate::sync::service::End::Clean);
    assert_eq!(harness.wire.calls.len(), 800);
    assert_eq!((harness.count("success"), harness.wire.stored.len()), (400, 400));
}
