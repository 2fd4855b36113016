use super::*;

const NOW: FailedDue = FailedDue::All;

fn sql(recorder: &Recorder, text: &str) {
    recorder.conn.execute_batch(text).unwrap();
}

fn count(recorder: &Recorder, query: &str) -> i64 {
    recorder.conn.query_row(query, [], |row| row.get(0)).unwrap()
}

fn uploaded(recorder: &Recorder) -> i64 {
    count(
        recorder,
        "SELECT count(*) FROM sync_uploaded WHERE table_name = 'evenement'",
    )
}

fn due(device: &Device, table: Table) -> u64 {
    device.backlog(table, NOW).unwrap().due
}

/// Events with dates of this generation.
fn add_events(recorder: &Recorder, count: i64, generation: &str) {
    if count == 0 {
        return;
    }
    recorder
        .conn
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO evenement (date, id_capteur) SELECT ?2 || printf('T%010d', i), 1 FROM n",
            (count, generation),
        )
        .unwrap();
}

/// Sends what is due, as passes do.
fn send(device: &mut Device, table: Table) -> u64 {
    let mut backlog = device.backlog(table, NOW).unwrap();
    loop {
        let page = device.next_page(&mut backlog).unwrap();
        if page.is_empty() {
            return backlog.due;
        }
        for due in page {
            match table {
                Table::Event => drop(device.event(due.id).unwrap()),
                Table::Media => drop(device.clip(due.id, due.date.as_ref()).unwrap()),
            }
            let record = Record {
                table,
                id: due.id,
                date: "2025-12-18T17:30:00".into(),
                now: 1_000_000,
                outcome: Outcome::Success { remote_id: 1 },
            };
            device.record(&record).unwrap();
        }
    }
}

const EMPTIED: &str = "DELETE FROM evenement; DELETE FROM sqlite_sequence WHERE name = 'evenement';";
const RESET: &str = "DELETE FROM evenement; UPDATE sqlite_sequence SET seq = 0 WHERE name = 'evenement';";
const DROPPED: &str = "DROP TABLE evenement; CREATE TABLE evenement (id_evenement INTEGER PRIMARY KEY AUTOINCREMENT,
    date TEXT NOT NULL, id_capteur INTEGER NOT NULL);";

#[test]
fn ids_that_start_over_are_noticed_however_they_do_and_however_far_they_got() {
    for how in [EMPTIED, RESET, DROPPED] {
        for new in [0, 1, 299, 300, 301, 700] {
            let recorder = Recorder::new();
            add_events(&recorder, 300, "2025-12-18");
            let mut device = recorder.device();
            assert_eq!(send(&mut device, Table::Event), 300);
            assert_eq!(due(&device, Table::Event), 0);
            assert_eq!(uploaded(&recorder), 300);
            sql(&recorder, how);
            add_events(&recorder, new, "2026-01-01");
            if how != RESET || new < 300 {
                assert_eq!(uploaded(&recorder), 0, "not one of the new rows was sent: {how} {new}");
            }
            drop(device);
            let mut device = recorder.device();
            assert_eq!(due(&device, Table::Event), new.unsigned_abs(), "{how} {new}");
            assert_eq!(uploaded(&recorder), 0);
            assert_eq!(
                count(&recorder, "SELECT count(*) FROM sync_archive WHERE generation = 1"),
                300
            );
            assert_eq!(device.counts(Table::Event).unwrap().success, 0);
            assert_eq!(send(&mut device, Table::Event), new.unsigned_abs());
            assert_eq!(due(&device, Table::Event), 0, "{how} {new}");
            assert_eq!(uploaded(&recorder), new);
            assert_eq!(count(&recorder, "SELECT count(*) FROM sync_archive"), 300);
            assert_eq!(
                count(
                    &recorder,
                    "SELECT vanished FROM sync_low_water WHERE table_name = 'evenement'"
                ),
                0
            );
        }
    }
}

#[test]
fn clips_whose_ids_start_over_are_noticed_with_an_index_on_dates_and_without() {
    for index in [true, false] {
        let recorder = Recorder::new();
        if !index {
            sql(&recorder, "DROP INDEX idx_media_date");
        }
        let clips = |date: &str| {
            for _ in 0..20 {
                recorder
                    .conn
                    .execute(
                        "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (x'0011', ?1, 4, 1)",
                        [date],
                    )
                    .unwrap();
            }
        };
        clips("2025-12-18");
        let mut device = recorder.device();
        for _ in 0..2 {
            send(&mut device, Table::Media);
        }
        sql(
            &recorder,
            "DELETE FROM media; DELETE FROM sqlite_sequence WHERE name = 'media';",
        );
        clips("2026-01-01");
        assert_eq!(send(&mut device, Table::Media), 20, "index: {index}");
        assert_eq!(due(&device, Table::Media), 0);
    }
}

#[test]
fn what_retention_deletes_and_people_edit_is_no_new_start() {
    let recorder = Recorder::new();
    add_events(&recorder, 300, "2025-12-18");
    let mut device = recorder.device();
    send(&mut device, Table::Event);
    for edit in [
        "DELETE FROM evenement WHERE id_evenement < 100",
        "UPDATE evenement SET date = '2027' WHERE id_evenement = 300",
        "UPDATE evenement SET date = '2027' WHERE id_evenement > 290",
        "DELETE FROM evenement WHERE id_evenement > 250",
        "VACUUM",
        "DELETE FROM evenement",
    ] {
        sql(&recorder, edit);
        for _ in 0..2 {
            assert_eq!(due(&device, Table::Event), 0, "{edit}");
        }
        drop(device);
        device = recorder.device();
        assert_eq!(due(&device, Table::Event), 0, "{edit}");
        assert_eq!(uploaded(&recorder), 300, "{edit}");
    }
    add_events(&recorder, 5, "2026-01-01");
    assert_eq!(send(&mut device, Table::Event), 5);
}

#[test]
fn ids_that_a_table_without_a_counter_gives_again_are_noticed() {
    let recorder = Recorder::new();
    sql(
        &recorder,
        "DROP TABLE evenement; CREATE TABLE evenement (id_evenement INTEGER PRIMARY KEY, date TEXT NOT NULL, id_capteur INTEGER NOT NULL);",
    );
    add_events(&recorder, 300, "2025-12-18");
    let mut device = recorder.device();
    for _ in 0..2 {
        send(&mut device, Table::Event);
    }
    assert_eq!(uploaded(&recorder), 300);
    // The newest go, and one new row gets an id that was given before.
    sql(&recorder, "DELETE FROM evenement WHERE id_evenement > 298");
    add_events(&recorder, 1, "2026-01-01");
    assert_eq!(send(&mut device, Table::Event), 1);
    sql(&recorder, "DELETE FROM evenement WHERE id_evenement = 299");
    add_events(&recorder, 9, "2026-01-02");
    assert_eq!(send(&mut device, Table::Event), 9);
    sql(&recorder, "DELETE FROM evenement");
    add_events(&recorder, 400, "2026-01-03");
    assert_eq!(send(&mut device, Table::Event), 400);
    assert_eq!(due(&device, Table::Event), 0);
}

#[test]
fn tables_restored_from_an_older_copy_beside_newer_tracking_lose_nothing() {
    let recorder = Recorder::new();
    add_events(&recorder, 1_000, "2025-12-18");
    let mut device = recorder.device();
    for _ in 0..2 {
        send(&mut device, Table::Event);
    }
    sql(
        &recorder,
        "DELETE FROM evenement WHERE id_evenement > 600; UPDATE sqlite_sequence SET seq = 600 WHERE name = 'evenement';",
    );
    add_events(&recorder, 100, "2026-01-01");
    let sent = send(&mut device, Table::Event);
    assert!(
        (100..=400).contains(&sent),
        "the rows that are the same are not all sent again: {sent}"
    );
    for id in 601..=700 {
        let date: String = recorder
            .conn
            .query_row(
                "SELECT sync_status FROM sync_tracking WHERE local_id = ?1",
                [id],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(date, "success");
    }
}

#[test]
fn a_move_that_was_cut_off_goes_on_and_hides_what_is_not_moved_yet() {
    let recorder = Recorder::new();
    add_events(&recorder, 500, "2025-12-18");
    let mut device = recorder.device();
    send(&mut device, Table::Event);
    sql(&recorder, EMPTIED);
    add_events(&recorder, 500, "2026-01-01");
    archive::begin(&device.conn, Table::Event, i64::MIN).unwrap();
    drop(device);
    assert_eq!(uploaded(&recorder), 0);
    let mut device = recorder.device();
    assert_eq!(send(&mut device, Table::Event), 500);
    assert_eq!(uploaded(&recorder), 500);
    assert_eq!(count(&recorder, "SELECT count(*) FROM sync_archive"), 500);
    assert_eq!(
        count(
            &recorder,
            "SELECT generation FROM sync_low_water WHERE table_name = 'evenement'"
        ),
        2
    );
}

#[test]
fn the_recorder_can_rename_its_tables_beside_our_view() {
    let recorder = Recorder::new();
    drop(recorder.device());
    sql(
        &recorder,
        "CREATE TABLE anew (id_evenement INTEGER PRIMARY KEY AUTOINCREMENT, date TEXT NOT NULL, id_capteur INTEGER NOT NULL);
         INSERT INTO anew SELECT * FROM evenement; DROP TABLE evenement; ALTER TABLE anew RENAME TO evenement;",
    );
}

#[test]
fn an_id_that_people_invent_sends_only_the_row_they_took_it_from() {
    let recorder = Recorder::new();
    add_events(&recorder, 300, "2025-12-18");
    let mut device = recorder.device();
    for _ in 0..2 {
        send(&mut device, Table::Event);
    }
    sql(
        &recorder,
        "UPDATE sync_tracking SET local_id = 90000 WHERE local_id = 50",
    );
    assert_eq!(send(&mut device, Table::Event), 1);
    assert_eq!(due(&device, Table::Event), 0);
    assert_eq!(uploaded(&recorder), 300);
}
