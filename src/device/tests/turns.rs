//! Series of transactions leave the recorder its turn between two of them.

use std::time::Instant;

use super::*;
use crate::device::BREATH;

const ROWS: i64 = 500;

/// At least so many transactions: the first is of few rows, none of many.
const STEPS: u32 = 3;

/// Failed rows of whoever uploaded before, without our plan.
fn failed_rows() -> Recorder {
    let recorder = Recorder::new();
    recorder.events(ROWS);
    drop(recorder.device());
    recorder.all_done("evenement");
    recorder
        .conn
        .execute_batch("UPDATE sync_tracking SET sync_status = 'failed'; DELETE FROM sync_retry;")
        .unwrap();
    recorder
}

fn count(recorder: &Recorder, which: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM sync_retry WHERE {which}");
    recorder.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn planning_failed_rows_leaves_turns() {
    let recorder = failed_rows();
    let mut device = recorder.device();
    let start = Instant::now();
    device.look(0, &mut || {}).unwrap();
    assert!(start.elapsed() >= BREATH * STEPS, "{:?}", start.elapsed());
    assert_eq!(count(&recorder, "reason = 'unknown'"), ROWS);
}

#[test]
fn pulling_in_due_times_leaves_turns() {
    let recorder = failed_rows();
    let mut device = recorder.device();
    device.look(0, &mut || {}).unwrap();
    recorder
        .conn
        .execute_batch("UPDATE sync_retry SET reason = 'row', due_at = 1000000")
        .unwrap();
    let due = FailedDue::At {
        now: 7,
        longest_delay: 10,
    };
    let start = Instant::now();
    assert_eq!(device.backlog(Table::Event, due).unwrap().due, ROWS as u64);
    assert!(start.elapsed() >= BREATH * STEPS, "{:?}", start.elapsed());
    assert_eq!(count(&recorder, "due_at = 7"), ROWS);
}
