use rusqlite::StatementStatus;

use super::*;
use crate::device::low_water::LowWaterMark;

const NOW: FailedDue = FailedDue::At {
    now: 1_000_000,
    longest_delay: 100_000,
};

fn ids(device: &Device, backlog: &mut Backlog) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let page = device.next_page(backlog).unwrap();
        if page.is_empty() {
            return ids;
        }
        ids.extend(page.iter().map(|due| due.id));
    }
}

fn due(device: &Device, table: Table) -> Vec<i64> {
    let mut backlog = device.backlog(table, NOW).unwrap();
    let ids = ids(device, &mut backlog);
    assert_eq!(backlog.due, ids.len() as u64, "the count announced is the count given");
    ids
}

fn record(device: &mut Device, table: Table, id: i64, outcome: Outcome) {
    let record = Record {
        table,
        id,
        date: "2025-12-18T17:30:00".into(),
        now: 1_000_000,
        outcome,
    };
    device.record(&record).unwrap();
}

fn failed(due_at: i64) -> Outcome {
    Outcome::Failed {
        message: "HTTP 400".into(),
        reason: Reason::Row,
        failures: Failures::default(),
        due_at,
    }
}

fn low_water_mark(recorder: &Recorder, table: &str) -> i64 {
    recorder
        .conn
        .query_row(
            "SELECT low_water FROM sync_low_water WHERE table_name = ?1",
            [table],
            |row| row.get(0),
        )
        .unwrap()
}

#[test]
fn rows_come_oldest_first_by_date_then_id() {
    let recorder = Recorder::new();
    for (id, date) in [(1, "2025-03"), (2, "2025-01"), (3, "2025-02"), (4, "2025-01")] {
        recorder
            .conn
            .execute("INSERT INTO evenement VALUES (?1, ?2, 1)", (id, date))
            .unwrap();
        recorder
            .conn
            .execute("INSERT INTO media VALUES (?1, x'00', ?2, 4, 1)", (id, date))
            .unwrap();
    }
    let device = recorder.device();
    assert_eq!(due(&device, Table::Event), [2, 4, 3, 1]);
    assert_eq!(due(&device, Table::Media), [2, 4, 3, 1]);
    recorder.conn.execute_batch("DROP INDEX idx_media_date").unwrap();
    assert_eq!(
        due(&recorder.device(), Table::Media),
        [2, 4, 3, 1],
        "also without an index"
    );
}

#[test]
fn a_row_is_due_when_it_is_new_pending_or_its_time_has_come() {
    let recorder = Recorder::new();
    recorder.events(7);
    let mut device = recorder.device();
    record(&mut device, Table::Event, 1, Outcome::Success { remote_id: 1 });
    record(&mut device, Table::Event, 2, failed(999_999));
    record(&mut device, Table::Event, 3, failed(1_000_001));
    // Further away than any delay: the clock jumped.
    record(&mut device, Table::Event, 4, failed(1_200_000));
    record(&mut device, Table::Event, 5, failed(1_050_000));
    recorder
        .conn
        .execute(
            "UPDATE sync_tracking SET sync_status = 'pending' WHERE local_id = 5",
            [],
        )
        .unwrap();
    assert_eq!(due(&device, Table::Event), [2, 4, 5, 6, 7]);
    let mut all = device.backlog(Table::Event, FailedDue::All).unwrap();
    assert_eq!(ids(&device, &mut all), [2, 3, 4, 5, 6, 7]);
}

#[test]
fn rows_that_fail_during_a_pass_do_not_come_again_in_it() {
    let recorder = Recorder::new();
    recorder.events(3);
    let mut device = recorder.device();
    record(&mut device, Table::Event, 1, failed(0));
    let mut backlog = device.backlog(Table::Event, FailedDue::All).unwrap();
    let mut seen = Vec::new();
    loop {
        let page = device.next_page(&mut backlog).unwrap();
        if page.is_empty() {
            break;
        }
        for row in page {
            seen.push(row.id);
            record(&mut device, Table::Event, row.id, failed(0));
        }
    }
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn a_long_backlog_comes_in_pages_and_complete() {
    let recorder = Recorder::new();
    recorder.events(25_000);
    let device = recorder.device();
    let mut backlog = device.backlog(Table::Event, NOW).unwrap();
    assert_eq!(backlog.due, 25_000);
    assert_eq!(device.next_page(&mut backlog).unwrap().len(), 10_000);
    assert_eq!(ids(&device, &mut backlog), (10_001..=25_000).collect::<Vec<_>>());
}

#[test]
fn the_low_water_mark_follows_what_is_done_and_not_what_waits() {
    let recorder = Recorder::new();
    recorder.events(3_000);
    let mut device = recorder.device();
    recorder.all_done("evenement");
    assert!(due(&device, Table::Event).is_empty());
    assert_eq!(low_water_mark(&recorder, "evenement"), 3_000);
    recorder.events(600);
    record(&mut device, Table::Event, 3_301, Outcome::Success { remote_id: 1 });
    assert_eq!(due(&device, Table::Event).len(), 599);
    assert_eq!(low_water_mark(&recorder, "evenement"), 3_000, "3,001 still waits");
}

#[test]
fn what_people_do_in_sql_is_seen_at_the_next_look() {
    let recorder = Recorder::new();
    recorder.events(3_000);
    let device = recorder.device();
    recorder.all_done("evenement");
    assert!(due(&device, Table::Event).is_empty());
    let sql = |text: &str| recorder.conn.execute_batch(text).unwrap();
    let done = |id: i64| {
        sql(&format!(
            "INSERT OR REPLACE INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status, error_message)
             VALUES ('evenement', {id}, 9, '2026', 'success', NULL)"
        ));
    };
    sql("DELETE FROM sync_tracking WHERE local_id = 15");
    assert_eq!(due(&device, Table::Event), [15]);
    done(15);
    assert!(due(&device, Table::Event).is_empty());
    sql("UPDATE sync_tracking SET sync_status = 'pending' WHERE local_id IN (7, 2000)");
    assert_eq!(due(&device, Table::Event), [7, 2_000]);
    done(7);
    done(2_000);
    sql("UPDATE sync_tracking SET local_id = 90000 WHERE local_id = 44");
    assert_eq!(due(&device, Table::Event), [44]);
    sql("DELETE FROM sync_tracking");
    assert_eq!(due(&device, Table::Event).len(), 3_000);
}

#[test]
fn a_table_that_was_emptied_behind_the_triggers_back_is_looked_at_again() {
    let recorder = Recorder::new();
    recorder.events(3_000);
    drop(recorder.device());
    recorder.all_done("evenement");
    assert!(due(&recorder.device(), Table::Event).is_empty());
    assert_eq!(low_water_mark(&recorder, "evenement"), 3_000);
    recorder
        .conn
        .execute_batch("DROP TRIGGER sync_tracking_deleted; DELETE FROM sync_tracking WHERE local_id = 5;")
        .unwrap();
    assert_eq!(due(&recorder.device(), Table::Event), [5]);
    recorder.conn.execute_batch("DROP TABLE sync_tracking;").unwrap();
    assert_eq!(due(&recorder.device(), Table::Event).len(), 3_000);
}

#[test]
fn an_edit_while_the_backlog_is_taken_is_not_overrun_by_the_low_water_mark() {
    let recorder = Recorder::new();
    recorder.events(3_000);
    let device = recorder.device();
    recorder.all_done("evenement");
    let before = LowWaterMark::read(&device.conn, Table::Event).unwrap();
    let stock = crate::device::stock::Stock::count(&device.conn, &device.layout, Table::Event, NOW, &before).unwrap();
    recorder
        .conn
        .execute_batch("DELETE FROM sync_tracking WHERE local_id = 10")
        .unwrap();
    before
        .move_on(&device.conn, Table::Event, stock.reached, stock.lost)
        .unwrap();
    assert_eq!(due(&device, Table::Event), [10]);
}

#[test]
fn rows_deleted_before_they_were_sent_are_counted_once() {
    let recorder = Recorder::new();
    recorder.events(10);
    let mut device = recorder.device();
    for id in [1, 2, 3] {
        record(&mut device, Table::Event, id, Outcome::Success { remote_id: id });
    }
    recorder
        .conn
        .execute_batch("DELETE FROM evenement WHERE id_evenement IN (1, 5, 6)")
        .unwrap();
    for _ in 0..2 {
        let backlog = device.backlog(Table::Event, NOW).unwrap();
        assert_eq!(
            (backlog.due, backlog.vanished),
            (5, 0),
            "not yet: row 4 still waits before them"
        );
    }
    record(&mut device, Table::Event, 4, Outcome::Success { remote_id: 4 });
    for _ in 0..2 {
        assert_eq!(device.backlog(Table::Event, NOW).unwrap().vanished, 2);
    }
    record(&mut device, Table::Event, 8, failed(0));
    recorder
        .conn
        .execute_batch("DELETE FROM evenement WHERE id_evenement = 8")
        .unwrap();
    assert_eq!(device.backlog(Table::Event, NOW).unwrap().vanished, 3);
    recorder.conn.execute_batch("DELETE FROM sync_tracking").unwrap();
    assert_eq!(
        device.backlog(Table::Event, NOW).unwrap().vanished,
        2,
        "what was sent is not lost because tracking is gone"
    );
}

#[test]
fn what_was_sent_since_the_last_look_is_counted_in_windows() {
    let recorder = Recorder::new();
    recorder.events(5_500);
    let device = recorder.device();
    device.backlog(Table::Event, NOW).unwrap();
    recorder.all_done("evenement");
    recorder
        .conn
        .execute_batch("DELETE FROM sync_tracking WHERE local_id = 70; DELETE FROM evenement WHERE id_evenement = 70")
        .unwrap();
    assert_eq!(device.backlog(Table::Event, NOW).unwrap().vanished, 1);
    let counting = device.conn.prepare_cached(low_water::COUNT_TRACKED).unwrap();
    assert_eq!(counting.get_status(StatementStatus::Run), 6);
}

/// Steps of SQLite's virtual machine for a look that finds nothing due, counted by its progress handler.
fn steps(device: &Device) -> u64 {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = std::sync::Arc::clone(&count);
    let step = move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    device.conn.progress_handler(1, Some(step)).unwrap();
    for table in Table::ALL {
        assert_eq!(device.backlog(table, NOW).unwrap().due, 0);
    }
    device.conn.progress_handler(0, None::<fn() -> bool>).unwrap();
    count.load(std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn failed_rows_that_are_not_due_cost_a_look_nothing() {
    let recorder = Recorder::new();
    recorder.events(10_000);
    let device = recorder.device();
    recorder.all_done("evenement");
    assert!(due(&device, Table::Event).is_empty());
    let none = steps(&device);
    recorder
        .conn
        .execute_batch(
            "UPDATE sync_tracking SET sync_status = 'failed' WHERE local_id % 2;
             UPDATE sync_retry SET reason = 'row', due_at = 1050000;",
        )
        .unwrap();
    let many = steps(&device);
    assert!(many <= none + 50, "{none} steps with no failed rows, {many} with 5,000");
}

#[test]
fn a_failed_row_that_was_deleted_is_counted_and_found_when_it_is_put_back() {
    let recorder = Recorder::new();
    recorder.events(3);
    let mut device = recorder.device();
    for id in [1, 2, 3] {
        record(&mut device, Table::Event, id, failed(0));
    }
    recorder
        .conn
        .execute_batch("DELETE FROM evenement WHERE id_evenement = 2")
        .unwrap();
    for _ in 0..2 {
        let backlog = device.backlog(Table::Event, NOW).unwrap();
        assert_eq!((backlog.due, backlog.vanished), (2, 1));
    }
    recorder
        .conn
        .execute_batch("INSERT INTO evenement VALUES (2, '2025-12-18T17:30:00', 1)")
        .unwrap();
    let tomorrow = FailedDue::At {
        now: 1_000_000 + 86_400,
        longest_delay: 100_000,
    };
    let backlog = device.backlog(Table::Event, tomorrow).unwrap();
    assert_eq!((backlog.due, backlog.vanished), (3, 0));
}

#[test]
fn whoever_failed_a_row_it_is_due() {
    let recorder = Recorder::new();
    recorder.events(4);
    let device = recorder.device();
    recorder
        .conn
        .execute_batch(
            "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status) VALUES ('evenement', 1, '', 'failed');
             INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status) VALUES ('evenement', 2, '', 'success');
             UPDATE sync_tracking SET sync_status = 'failed' WHERE local_id = 2;
             INSERT OR REPLACE INTO sync_tracking (table_name, local_id, sync_date, sync_status)
             VALUES ('evenement', 3, '', 'success'), ('evenement', 3, '', 'failed'), ('evenement', 4, '', 'success');",
        )
        .unwrap();
    assert_eq!(due(&device, Table::Event), [1, 2, 3]);
}

#[test]
fn odd_values_in_our_tables_stop_nothing() {
    let recorder = Recorder::new();
    recorder.events(3);
    let mut device = recorder.device();
    for id in [1, 2] {
        record(&mut device, Table::Event, id, failed(0));
    }
    recorder
        .conn
        .execute_batch(
            "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status) VALUES
                ('evenement', 'abc', '', 'failed'), ('evenement', 1.5, '', 'pending'), ('evenement', x'00', x'ff', 'success'),
                ('evenement', -9223372036854775807 - 1, '', 'pending'), ('evenement', 9223372036854775807, '', 'success');
             UPDATE sync_retry SET due_at = 5.5, attempts = -1, refusals = 'many' WHERE local_id = 1;
             UPDATE sync_retry SET due_at = 'soon' WHERE local_id = 2;",
        )
        .unwrap();
    let due_now = |device: &Device| {
        let mut backlog = device.backlog(Table::Event, NOW).unwrap();
        ids(device, &mut backlog)
    };
    assert_eq!(due_now(&device), [1, 2, 3]);
    assert_eq!(device.failures(Table::Event, 1).unwrap(), Failures::default());
    let now = chrono::DateTime::UNIX_EPOCH.naive_utc();
    device.state(Table::Event, now).unwrap();
    // Each lowers the mark as it goes; none takes it out of the integers.
    recorder
        .conn
        .execute_batch(
            "DELETE FROM sync_tracking WHERE typeof(local_id) <> 'integer' OR local_id < 0 OR local_id > 1000",
        )
        .unwrap();
    assert_eq!(due_now(&device), [1, 2, 3]);
    device.look(1_000_000, &mut || {}).unwrap();
    assert_eq!(due_now(&device), [1, 2, 3]);
    assert!((0..=2).contains(&low_water_mark(&recorder, "evenement")));
}

#[test]
fn nothing_of_a_pass_without_new_rows_reads_history() {
    let recorder = Recorder::new();
    recorder.events(50_000);
    let device = recorder.device();
    recorder.all_done("evenement");
    assert!(due(&device, Table::Event).is_empty());
    let few = steps(&device);
    recorder.events(450_000);
    recorder
        .conn
        .execute_batch(
            "INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status)
             SELECT 'evenement', id_evenement, 1, '2025', 'success' FROM evenement WHERE id_evenement > 50000",
        )
        .unwrap();
    assert!(due(&device, Table::Event).is_empty(), "the history is taken over");
    let many = steps(&device);
    assert!(
        many <= few + 50,
        "{few} steps with 50,000 rows of history, {many} with 500,000"
    );
    assert!(many < 2_000, "{many} steps");
}
