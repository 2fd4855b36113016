//! Values of any size in any column, and columns behind videos of any size: little memory, little reading, short locks.

use std::io::Read;
use std::time::Duration;

use crate::support::service::most_kb;
use crate::support::{Backend, Device, Service, assert_everything_arrived_once};

const NO_INDEXES: &str = "DROP INDEX idx_media_date; DROP INDEX idx_media_capteur; DROP INDEX idx_media_camera;
    DROP INDEX idx_evenement_date; DROP INDEX idx_evenement_capteur;";

/// SQL for a text of so many bytes.
fn text(bytes: usize) -> String {
    format!("replace(hex(zeroblob({})), '0', '2')", bytes / 2)
}

#[test]
fn memory_stays_small_whatever_is_in_the_rows() {
    let (device, backend) = (Device::new(), Backend::start());
    device.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO evenement (date, id_capteur) SELECT printf('%06d', i) || {}, 1 FROM n;
         INSERT INTO evenement (date, id_capteur) VALUES ({}, 1);
         UPDATE capteur SET nom_capteur = {} WHERE id_capteur IN (3, 5);
         INSERT INTO evenement (date, id_capteur) VALUES ('2025-12-18T17:30:00', 3), ('2025-12-18T17:30:01', 1);
         INSERT INTO media (video, date, id_capteur, numero_camera) VALUES ({}, '2025-12-18T17:30:02', 4, 1),
            (x'00', {}, 4, 1), (zeroblob(1000000), {}, 4, 1), (x'00', '2025-12-18T17:30:03', 5, 1), (x'01', '2025-12-18T17:30:04', 4, 1);",
        text(50_000),
        text(100_000_000),
        text(100_000_000),
        text(200_000_000),
        text(100_000_000),
        text(60_000)
    ));
    let metrics = device.folder().join("metrics.prom");
    let run = Service::once(&device, &backend)
        .env("SYNC_METRICS_FILE", &metrics)
        .env("SYNC_COMPRESSION", "none")
        .run_within(Duration::from_secs(300))
        .exits_with_words(1);
    println!("peak {} KB", run.peak_kb);
    assert!(run.peak_kb <= most_kb(32), "{} KB", run.peak_kb);
    for (table, id, column) in [
        ("evenement", 3_001, "date"),
        ("evenement", 3_002, "nom_capteur"),
        ("media", 2, "date"),
        ("media", 4, "nom_capteur"),
    ] {
        let row = device.tracked(table, id).unwrap();
        let told = row.error.unwrap_or_default();
        assert_eq!(row.status, "failed", "{table} {id}");
        assert!(
            told.contains(&format!("`{column}`")) && told.contains("100000000 octets"),
            "{table} {id}: {told}"
        );
    }
    assert_eq!(
        device.value::<i64>("SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'"),
        3_001 + 3,
        "{run}"
    );
    assert_eq!(backend.stored_count(), 3_001 + 3);
    for command in ["status", "failures"] {
        let run = Service::command(&[command])
            .env("LOCAL_DB_PATH", device.path())
            .run()
            .exits(0);
        assert!(run.peak_kb <= most_kb(32), "{command}: {} KB", run.peak_kb);
    }
    // Mended, they go.
    device.sql("UPDATE evenement SET date = '2025-12-18T17:30:05' WHERE id_evenement = 3001;
        UPDATE media SET date = '2025-12-18T17:30:05' WHERE id_media = 2; UPDATE capteur SET nom_capteur = 'x' WHERE id_capteur IN (3, 5)");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn who_reads_failures_page_by_page_keeps_nobody_waiting() {
    let (device, backend) = (Device::new(), Backend::start());
    Service::once(&device, &backend).run().exits(0);
    device.many_events(12_000);
    device.sql(
        "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status, error_message)
         SELECT 'evenement', id_evenement, strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + (id_evenement * 7919) % 12000, 'unixepoch'),
            'failed', 'HTTP 400: no' FROM evenement",
    );
    let failures = Service::command(&["failures"]).env("LOCAL_DB_PATH", device.path());
    let mut failures = failures.into_command().spawn().unwrap();
    let mut out = failures.stdout.take().unwrap();
    let mut shown = vec![0; 1_000];
    out.read_exact(&mut shown).unwrap();
    // Its pipe is full, and the person thinks.
    let db = device.db();
    db.busy_timeout(Duration::from_millis(250)).unwrap();
    for _ in 0..20 {
        db.execute("INSERT INTO evenement (date, id_capteur) VALUES ('2026-01-01', 1)", ())
            .unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    out.read_to_end(&mut shown).unwrap();
    assert!(failures.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    let days: Vec<(&str, &str)> = shown
        .lines()
        .skip(1)
        .map(|line| {
            let mut words = line.split_whitespace().skip(2);
            (words.next().unwrap(), words.next().unwrap())
        })
        .collect();
    assert_eq!(days.len(), 12_000);
    assert!(days.windows(2).all(|pair| pair[0] >= pair[1]), "newest try first");
}

/// Reads are counted in this machine's own program.
mod native {
    use super::*;
    use crate::support::{Run, preloaded};

    /// What may be read under one lock: 50 ms of a card that reads 10 MB/s.
    const LOCKED_BYTES: u64 = 500_000;

    /// Runs `service`, and makes sure that it read little under each of its locks.
    #[track_caller]
    fn locking_briefly(device: &Device, service: Service) -> Run {
        let library = preloaded(device.folder(), "lock_bytes.c");
        let file = device.folder().join("lock_bytes");
        let run = service
            .env("LD_PRELOAD", library)
            .env("LOCK_BYTES", &file)
            .run_within(Duration::from_secs(180));
        let most: u64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        assert!(most > 0, "it read nothing, or was not watched");
        assert!(most <= LOCKED_BYTES, "{most} bytes read under one lock: {run}");
        run
    }

    /// Bytes that a command read, from files and pipes, its children's among them.
    fn bytes_read(device: &Device, command: &str) -> (u64, String) {
        let script = r#""$@"; code=$?; grep rchar /proc/$$/io >&2; exit $code"#;
        let run = Service::wrapped(&["/bin/sh", "-c", script, "sh"], &[command])
            .env("LOCAL_DB_PATH", device.path())
            .run()
            .exits_with_words(0);
        let read = run.stderr.rsplit("rchar: ").next().unwrap().trim().parse().unwrap();
        (read, run.stdout)
    }

    #[test]
    fn status_reads_little_and_locks_nothing_for_long_beside_clips_of_any_size() {
        for indexed in [true, false] {
            let device = Device::new();
            if !indexed {
                device.sql(NO_INDEXES);
            }
            device.big_clip(200_000_000);
            let backend = Backend::start();
            // Before our tables are there, and after a pass in vain.
            for tracked in [false, true] {
                if tracked {
                    backend.refuse();
                    Service::once(&device, &backend).run().exits_with_words(1);
                }
                let status = Service::command(&["status"]).env("LOCAL_DB_PATH", device.path());
                locking_briefly(&device, status).exits(0);
                let (read, shown) = bytes_read(&device, "status");
                assert!(read <= 1_000_000, "indexed {indexed}, tracked {tracked}: {read} bytes");
                assert!(shown.contains("plus ancienne ligne en attente : 1"), "{shown}");
                assert_eq!(
                    shown.contains("depuis"),
                    indexed,
                    "the age as far as it is known: {shown}"
                );
            }
        }
    }

    #[test]
    fn a_pass_with_metrics_locks_nothing_for_long_beside_clips_of_any_size() {
        for indexed in [true, false] {
            let (device, backend) = (Device::new(), Backend::start());
            if !indexed {
                device.sql(NO_INDEXES);
            }
            device.event();
            device.big_clip(20_000_000);
            let metrics = device.folder().join("metrics.prom");
            backend.refuse();
            let pass = || Service::once(&device, &backend).env("SYNC_METRICS_FILE", &metrics);
            locking_briefly(&device, pass()).exits_with_words(1);
            let told = std::fs::read_to_string(&metrics).unwrap();
            let age = told
                .lines()
                .find(|line| line.starts_with("sync_service_oldest_waiting_age_seconds{table=\"media\"}"))
                .unwrap();
            assert!(!age.ends_with(" 0"), "the alert needs the age: {age}");
            backend.listen_again();
            locking_briefly(&device, pass()).exits(0);
            assert_everything_arrived_once(&device, &backend);
        }
    }
}
