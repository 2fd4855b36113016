//! The low-water mark and the counts: what passes rely on is looked at, and what that costs.

use crate::support::{Act, Backend, Device, Journal, Layout, Service, assert_everything_arrived_once};

/// `sync_frontier` and the triggers as the first version left them.
const FIRST_VERSION: &str = "
CREATE TABLE sync_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sync_frontier (
    table_name TEXT PRIMARY KEY,
    frontier   INTEGER NOT NULL,
    edits      INTEGER NOT NULL DEFAULT 0,
    counted_to INTEGER NOT NULL,
    vanished   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE sync_retry (
    table_name TEXT NOT NULL,
    local_id   INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    refusals   INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    PRIMARY KEY (table_name, local_id)
) WITHOUT ROWID;
CREATE VIEW sync_uploaded AS
    SELECT table_name, local_id, remote_id, sync_date FROM sync_tracking WHERE sync_status = 'success';
CREATE TRIGGER sync_tracking_deleted AFTER DELETE ON sync_tracking BEGIN
    UPDATE sync_frontier SET edits = edits + 1, frontier = min(frontier, old.local_id - 1)
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
END;
CREATE TRIGGER sync_tracking_renamed AFTER UPDATE OF table_name, local_id ON sync_tracking
WHEN new.table_name <> old.table_name OR new.local_id <> old.local_id BEGIN
    UPDATE sync_frontier SET edits = edits + 1, frontier = min(frontier, old.local_id - 1)
        WHERE table_name = old.table_name;
    DELETE FROM sync_retry WHERE table_name = old.table_name AND local_id = old.local_id;
END;
CREATE TRIGGER sync_tracking_undone AFTER UPDATE OF sync_status ON sync_tracking
WHEN old.sync_status = 'success' AND new.sync_status <> 'success' BEGIN
    UPDATE sync_frontier SET edits = edits + 1 WHERE table_name = new.table_name;
END;
CREATE TRIGGER sync_tracking_freed AFTER UPDATE OF sync_status ON sync_tracking
WHEN new.sync_status <> 'failed' BEGIN
    DELETE FROM sync_retry WHERE table_name = new.table_name AND local_id = new.local_id;
END;
INSERT INTO sync_frontier VALUES ('evenement', 990, 3, 990, 17), ('media', -9223372036854775808, 0, 0, 0);
INSERT INTO sync_meta VALUES ('database_id', '6ba7b810-9dad-41d1-80b4-00c04fd430c8');
";

/// The program in a shell that then says how many bytes it read.
fn once_and_read(device: &Device, backend: &Backend) -> (crate::support::Run, u64) {
    let file = device.folder().join("read");
    let script = r#""$@"; code=$?; cat /proc/$$/io > "$COUNT"; exit $code"#;
    let run = Service::wrapped(&["sh", "-c", script, "sh"], &[])
        .on(device, &backend.url(), "once")
        .env("COUNT", &file)
        .run();
    let text = std::fs::read_to_string(file).unwrap();
    let read = text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
    (run, read.trim().parse().unwrap())
}

#[test]
fn rows_put_back_into_a_gap_of_ids_are_sent() {
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
        device.events(1_000);
        device.sql(
            "CREATE TABLE saved AS SELECT * FROM evenement WHERE id_evenement BETWEEN 400 AND 420;
             DELETE FROM evenement WHERE id_evenement BETWEEN 400 AND 420;",
        );
        // Twice: the mark is moved when a pass finds everything tracked.
        for _ in 0..2 {
            Service::once(&device, &backend).run().exits(0);
        }
        assert_eq!(backend.stored_count(), 979);
        device.sql("INSERT INTO evenement SELECT * FROM saved; DROP TABLE saved;");
        let run = Service::once(&device, &backend).run().exits_with_words(0);
        assert!(run.stdout.contains("   21 événement(s) à synchroniser\n"), "{run}");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn rows_whose_tracking_was_lost_are_sent_again_with_their_keys() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(1_000);
    device.clip(b"clip");
    for _ in 0..2 {
        Service::once(&device, &backend).run().exits(0);
    }
    // As `.recover` leaves it: rows gone, and no trigger saw them go.
    let db = device.db();
    let triggers: Vec<String> = db
        .prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'sync_tracking'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let names: Vec<String> = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'sync_tracking'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for name in names {
        device.sql(&format!("DROP TRIGGER {name}"));
    }
    device.sql("DELETE FROM sync_tracking WHERE local_id BETWEEN 600 AND 650");
    for trigger in triggers {
        device.sql(&trigger);
    }
    let run = Service::once(&device, &backend).run().exits_with_words(0);
    assert!(run.stdout.contains("   51 événement(s) à synchroniser\n"), "{run}");
    assert_everything_arrived_once(&device, &backend);
    assert!(
        run.stdout.contains("   evenement    - success :  1000\n"),
        "the counts are right again\n{run}"
    );
}

#[test]
fn the_statistics_say_what_the_table_says_whoever_wrote_it() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(20);
    backend.script(|request| {
        if request.order % 5 == 0 {
            Act::status(400, "no")
        } else {
            Act::created()
        }
    });
    Service::once(&device, &backend).run().exits(1);
    // REPLACE removes a row without a trigger.
    device.python_marks("evenement", 2, Some(7), "success", None);
    device.python_marks("evenement", 3, None, "failed", Some("Timeout"));
    device.sql(
        "UPDATE sync_tracking SET sync_status = 'pending' WHERE local_id IN (8, 9);
         DELETE FROM sync_tracking WHERE local_id = 12;
         UPDATE sync_tracking SET table_name = 'media' WHERE local_id = 14;",
    );
    backend.always(Act::status(400, "no"));
    let run = Service::once(&device, &backend).run().exits(1);
    for (table, status) in [("evenement", "success"), ("evenement", "failed"), ("media", "success")] {
        let count: i64 = device.value(&format!(
            "SELECT count(*) FROM sync_tracking WHERE table_name = '{table}' AND sync_status = '{status}'"
        ));
        let line = format!("   {table:<12} - {status:<7} : {count:>4}\n");
        assert!(run.stdout.contains(&line), "{line}{run}");
        let kept: i64 = device.value(&format!(
            "SELECT {status} FROM sync_low_water WHERE table_name = '{table}'"
        ));
        assert_eq!(kept, count, "{table} {status}");
    }
}

#[test]
fn a_run_with_nothing_to_do_reads_no_history() {
    let backend = Backend::start();
    let empty = Device::new();
    let full = Device::new();
    full.many_events(400_000);
    full.python_sent_all_events_but("");
    let mut read = [0, 0];
    for (device, read) in [&empty, &full].into_iter().zip(&mut read) {
        Service::once(device, &backend).run().exits(0);
        Service::once(device, &backend).run().exits(0);
        let (run, bytes) = once_and_read(device, &backend);
        run.exits(0);
        *read = bytes;
    }
    println!("{} bytes read beside 400,000 rows, {} beside none", read[1], read[0]);
    assert!(
        read[1] <= read[0] + 65_536,
        "{} bytes more than on an empty database",
        read[1] - read[0]
    );
    // The recorder's appended rows are no reason to read it either.
    let id = full.event();
    let (run, bytes) = once_and_read(&full, &backend);
    run.exits(0);
    assert!(full.tracked("evenement", id).is_some());
    println!("{bytes} bytes read with one new row");
    assert!(bytes <= read[0] + 262_144, "{bytes} bytes with one new row");
}

#[test]
fn a_database_of_the_first_version_is_carried_on() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(1_000);
    device.python_sent_all_events_but("");
    device.sql(FIRST_VERSION);
    device.sql(
        "UPDATE sync_tracking SET sync_status = 'failed' WHERE local_id IN (5, 6);
         INSERT INTO sync_retry VALUES ('evenement', 5, 'row', 3, 3, 1700000000, 4000000000);
         INSERT INTO evenement (date, id_capteur) VALUES ('2026-01-01T00:00:00', 1);",
    );
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(run.stdout.contains("   3 événement(s) à synchroniser\n"), "{run}");
    assert!(run.stdout.contains("   evenement    - success :  1001\n"), "{run}");
    assert_eq!(backend.stored_count(), 3, "{run}");
    assert_eq!(
        device.value::<i64>("SELECT vanished FROM sync_low_water WHERE table_name = 'evenement'"),
        17
    );
    assert_eq!(
        device.value::<String>("SELECT value FROM sync_meta WHERE key = 'database_id'"),
        "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
    );
    assert_eq!(
        device
            .value::<i64>("SELECT count(*) FROM sqlite_schema WHERE name IN ('sync_frontier','sync_tracking_undone')"),
        0
    );
}

#[test]
fn before_its_first_run_status_tells_what_an_earlier_service_did() {
    let counts = |device: &Device| {
        let run = Service::command(&["status", "--json"])
            .env("LOCAL_DB_PATH", device.path())
            .run()
            .exits(0);
        let shown: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let events = &shown["tables"]["evenement"];
        ["waiting", "failed", "done", "vanished"].map(|key| events[key].as_u64().unwrap())
    };
    let failures = |device: &Device| {
        let run = Service::command(&["failures"])
            .env("LOCAL_DB_PATH", device.path())
            .run();
        run.exits(0).stdout
    };
    for (first_version, vanished) in [(false, 0), (true, 17)] {
        let device = Device::new();
        device.events(1_000);
        device.python_sent_all_events_but("991, 992, 999");
        device.python_marks("evenement", 999, None, "failed", Some("HTTP 400: non"));
        if first_version {
            device.sql(FIRST_VERSION);
        }
        let before = std::fs::read(device.path()).unwrap();
        assert_eq!(counts(&device), [2, 1, 997, vanished], "first version: {first_version}");
        assert!(failures(&device).contains("HTTP 400: non"));
        assert_eq!(
            std::fs::read(device.path()).unwrap(),
            before,
            "reading changed the file"
        );
    }
}
