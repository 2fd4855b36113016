//! Pruning: off unless asked for; then the oldest clips that are certainly at the server go from the device, and nothing else.

use crate::support::{Act, Backend, Device, Journal, Layout, Run, Service};

/// Long ago, and later every time.
pub fn long_ago(nth: usize) -> String {
    format!("2020-01-{:02}T10:00:00.000000", 1 + nth)
}

/// Clips that were recorded long ago and are at the server.
pub fn sent_clips(device: &Device, backend: &Backend, count: usize, bytes: usize) -> Vec<i64> {
    let ids = (0..count)
        .map(|nth| {
            let id = device.clip_at(&long_ago(nth), 4, 1, b"");
            device.sql(&format!(
                "UPDATE media SET video = randomblob({bytes}) WHERE id_media = {id}"
            ));
            id
        })
        .collect();
    Service::once(device, backend).run().exits(0);
    ids
}

/// The clips were sent long ago too.
pub fn sent_long_ago(device: &Device) {
    device.sql(
        "UPDATE sync_tracking SET sync_date = '2020-02-01T00:00:00.000000';
         UPDATE sync_sent_clip SET sync_date = '2020-02-01T00:00:00.000000'",
    );
}

pub fn clips(device: &Device) -> Vec<i64> {
    let db = device.db();
    let mut query = db.prepare("SELECT id_media FROM media ORDER BY id_media").unwrap();
    let ids = query.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

fn prune(device: &Device, words: &[&str]) -> Run {
    let words: Vec<&str> = [&["prune"][..], words].concat();
    Service::command(&words).env("LOCAL_DB_PATH", device.path()).run()
}

fn by_age(device: &Device, backend: &Backend) -> Service {
    Service::once(device, backend).env("SYNC_PRUNE_AFTER_DAYS", "30")
}

#[test]
fn nothing_is_deleted_unless_asked_for() {
    let (device, backend) = (Device::new(), Backend::start());
    let ids = sent_clips(&device, &backend, 3, 1_000);
    sent_long_ago(&device);
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(!run.stdout.contains("🧹"), "{run}");
    let refused = prune(&device, &[]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("SYNC_PRUNE_AFTER_DAYS"), "{refused}");
    assert_eq!(clips(&device), ids);
}

#[test]
fn by_age_goes_what_was_recorded_and_sent_long_ago_and_nothing_else() {
    for layout in Layout::ALL {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        device.sql("DROP TRIGGER IF EXISTS nettoyage_media");
        let events = [device.event(), device.event()];
        let goes = [
            device.clip_at(&long_ago(1), 4, 1, b"small"),
            device.clip_at(&long_ago(2), 4, 1, &[7; 300_000]),
        ];
        let sent_lately = device.clip_at(&long_ago(3), 4, 1, b"sent lately");
        let without_date = device.clip_at("hier", 4, 1, b"without a date");
        let recorded_lately = device.clip(b"recorded lately");
        let by_hand = device.clip_at(&long_ago(4), 4, 1, b"marked by hand");
        Service::once(&device, &backend).run().exits(0);
        sent_long_ago(&device);
        device.sql(&format!(
            "UPDATE sync_tracking SET remote_id = NULL WHERE table_name = 'media' AND local_id = {by_hand};
             UPDATE sync_tracking SET sync_date = strftime('%Y-%m-%dT%H:%M:%S', 'now') WHERE table_name = 'media' AND local_id = {sent_lately}"
        ));
        // Refused, and not yet tried: they stay whatever their age.
        let refused = device.clip_at(&long_ago(5), 4, 1, b"refused");
        backend.always(Act::status(400, "non"));
        by_age(&device, &backend).run().exits_with_words(1);
        backend.works();
        let waiting = device.clip_at(&long_ago(6), 4, 1, b"waiting");
        let stays = [sent_lately, without_date, recorded_lately, by_hand, refused, waiting];
        assert_eq!(clips(&device), stays, "{layout:?}");
        let before = device.tracking();
        assert!(
            goes.iter()
                .all(|id| device.tracked("media", *id).unwrap().status == "success")
        );
        assert_eq!(
            device.value::<i64>("SELECT count(*) FROM evenement"),
            events.len() as i64
        );
        assert_eq!(device.value::<String>("PRAGMA integrity_check"), "ok");
        // The books: what went is neither lost nor waited for nor sent again.
        let requests = backend.received().len();
        let run = by_age(&device, &backend).run().exits(0);
        assert!(!run.stdout.contains("Supprimés avant envoi"), "{run}");
        assert_eq!(backend.received().len(), requests + 2, "{run}");
        let after = device.tracking();
        for row in before.iter().filter(|row| row.status == "success") {
            assert!(after.contains(row), "{row:?} is not what it was");
        }
        assert!(run.stdout.contains("media        - success :    8"), "{run}");
        assert_eq!(clips(&device), stays);
        assert_eq!(
            device.value::<i64>("SELECT count(*) FROM sync_uploaded WHERE table_name = 'media'"),
            8
        );
    }
}

#[test]
fn a_row_that_is_not_the_one_that_was_sent_stays() {
    let (device, backend) = (Device::new(), Backend::start());
    let ids = sent_clips(&device, &backend, 5, 5_000);
    sent_long_ago(&device);
    device.sql(&format!(
        "UPDATE media SET video = randomblob(6000) WHERE id_media = {};
         UPDATE media SET date = '2020-01-20T00:00:00.000000' WHERE id_media = {};
         INSERT OR REPLACE INTO media VALUES ({}, x'00ff', '2020-01-03T10:00:00.000000', 4, 1);
         DELETE FROM sync_tracking WHERE table_name = 'media' AND local_id = {}",
        ids[0], ids[1], ids[2], ids[3]
    ));
    let pruned = prune(&device, &["--after-days", "30"]).exits(0);
    assert_eq!(clips(&device), ids[..4], "{pruned}");
}

#[test]
fn of_clips_that_an_older_service_sent_those_go_that_are_older_than_their_success() {
    let (device, backend) = (Device::new(), Backend::start());
    let ids: Vec<i64> = (0..3)
        .map(|nth| device.clip_at(&long_ago(nth), 4, 1, b"clip"))
        .collect();
    device.sql(crate::support::layout::PYTHON_TRACKING);
    for id in &ids {
        device.python_marks("media", *id, Some(100 + id), "success", None);
    }
    device.sql(&format!(
        "UPDATE sync_tracking SET sync_date = '2020-01-15T00:00:00.000000';
         UPDATE media SET date = '2020-01-16T00:00:00' WHERE id_media = {}",
        ids[1]
    ));
    by_age(&device, &backend).run().exits(0);
    assert_eq!(clips(&device), [ids[1]], "another row may have its id");
    assert!(backend.received().is_empty());
}

#[test]
fn rows_whose_ids_were_given_before_stay() {
    let (device, backend) = (Device::new(), Backend::start());
    sent_clips(&device, &backend, 5, 2_000);
    sent_long_ago(&device);
    // Also of clips of which no more is known than an older service left.
    device.sql("DELETE FROM sync_sent_clip; DELETE FROM media; DELETE FROM sqlite_sequence WHERE name = 'media'");
    let new: Vec<i64> = (0..5)
        .map(|nth| device.clip_at(&long_ago(nth + 9), 4, 1, &[0; 3_000]))
        .collect();
    let listed = prune(&device, &["--after-days", "30", "--dry-run"]).exits(0);
    assert!(listed.stdout.starts_with("🧹 0 média(s)"), "{listed}");
    let pruned = prune(&device, &["--after-days", "30"]).exits(0);
    assert_eq!(clips(&device), new, "{pruned}");
    by_age(&device, &backend).run().exits_with_words(0);
    assert_eq!(backend.stored_count(), 10);
    assert_eq!(clips(&device), new, "sent a moment ago");
}

#[test]
fn without_counted_ids_the_newest_row_stays_so_that_no_id_is_given_twice() {
    let (device, backend) = (Device::new(), Backend::start());
    device.sql(
        "DROP TABLE media;
         CREATE TABLE media (id_media INTEGER PRIMARY KEY, video BLOB NOT NULL, date TEXT NOT NULL, id_capteur INTEGER NOT NULL,
            numero_camera INTEGER NOT NULL)",
    );
    let ids = sent_clips(&device, &backend, 3, 2_000);
    sent_long_ago(&device);
    let pruned = prune(&device, &["--after-days", "30"]).exits(0);
    assert_eq!(clips(&device), ids[2..], "{pruned}");
    let next = device.clip(b"next");
    assert_eq!(next, ids[2] + 1);
    let run = Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 4, "{run}");
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    let ids = sent_clips(&device, &backend, 3, 1_500_000);
    device.clip(b"new");
    let before = std::fs::read(device.path()).unwrap();
    sent_long_ago(&device);
    let aged = std::fs::read(device.path()).unwrap();
    assert_ne!(before, aged);
    let run = Service::command(&["prune", "--dry-run"])
        .env("LOCAL_DB_PATH", device.path())
        .env("SYNC_PRUNE_AFTER_DAYS", "30")
        .run()
        .exits(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{run}");
    for (line, (nth, id)) in lines[1..].iter().zip(ids.iter().enumerate()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let day = format!("2020-01-{:02}", 1 + nth);
        assert_eq!(
            words,
            [
                &id.to_string(),
                day.as_str(),
                "10:00:00",
                "2020-02-01",
                "00:00:00",
                "1.5",
                "Mo"
            ],
            "{run}"
        );
    }
    assert_eq!(
        lines[4],
        "🧹 3 média(s) seraient supprimés de l'appareil, 4.5 Mo; rien n'a été changé"
    );
    assert_eq!(std::fs::read(device.path()).unwrap(), aged, "the file changed");
    let run = prune(&device, &["--after-days", "30"]).exits(0);
    assert!(
        run.stdout.ends_with("✅ 3 média(s) supprimés de l'appareil, 4.5 Mo\n"),
        "{run}"
    );
    assert_eq!(clips(&device), [4]);
    // Nothing was ever sent from there, and no table of ours is made for a look.
    let unknown = Device::new();
    unknown.clip(b"clip");
    prune(&unknown, &["--after-days", "1"]).exits(0);
    assert_eq!(
        unknown.value::<i64>("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sync_%'"),
        0
    );
}

#[test]
fn a_trigger_a_reference_or_moving_pages_forbid_it_and_are_said() {
    for (obstacle, named) in [
        (
            "CREATE TABLE journal (id); CREATE TRIGGER suivi AFTER DELETE ON media BEGIN INSERT INTO journal VALUES (old.id_media); END",
            "(suivi)",
        ),
        (
            "CREATE TABLE favoris (id INTEGER PRIMARY KEY, id_media INTEGER REFERENCES media(id_media) ON DELETE CASCADE)",
            "favoris",
        ),
        ("PRAGMA auto_vacuum = FULL; VACUUM", "auto_vacuum"),
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        let ids = sent_clips(&device, &backend, 2, 1_000);
        sent_long_ago(&device);
        device.sql(obstacle);
        let run = prune(&device, &["--after-days", "30"]);
        assert_eq!(run.code(), Some(2), "{run}");
        assert!(run.stderr.contains(named), "{run}");
        let mut service = Service::continuous(&device, &backend)
            .env("SYNC_PRUNE_AFTER_DAYS", "30")
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        service.prints_times("Médias échoués", 3);
        let run = service.stop().exits_with_words(0);
        assert_eq!(run.stdout.matches("⚠️  Élagage : ").count(), 1, "said once: {run}");
        assert!(run.stdout.contains(named), "{run}");
        let check = Service::command(&["check"])
            .on(&device, &backend.url(), "once")
            .env("SYNC_PRUNE_AFTER_DAYS", "30")
            .run();
        assert!(check.stdout.contains(named), "{check}");
        assert_eq!(clips(&device), ids);
    }
}

#[test]
fn what_was_deleted_is_told_by_report_json_metrics_and_status() {
    let (device, backend) = (Device::new(), Backend::start());
    let status = |words: &[&str]| {
        let words = [&["status"][..], words].concat();
        let run = Service::command(&words).env("LOCAL_DB_PATH", device.path()).run();
        run.exits(0).stdout
    };
    sent_clips(&device, &backend, 2, 1_048_576);
    sent_long_ago(&device);
    let remote = device.tracked("media", 1).unwrap().remote_id.unwrap();
    assert!(!status(&[]).contains("Supprimés après envoi"));
    let metrics = device.folder().join("sync.prom");
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_PRUNE_AFTER_DAYS", "30")
        .env("SYNC_PRUNE_KEEP_FREE_MB", "1")
        .env("SYNC_METRICS_FILE", &metrics)
        .start();
    service.prints(&format!(
        "🧹 Média 1 supprimé de l'appareil (Serveur ID: {remote}, 1024.00 KB)\n"
    ));
    service.prints("🧹 Média 2 supprimé");
    crate::support::eventually("the metrics", || {
        let text = std::fs::read_to_string(&metrics).unwrap_or_default();
        text.contains("sync_service_pruned_clips_total 2\n")
            && text.contains("sync_service_pruned_bytes_total 2097152\n")
    });
    assert!(status(&[]).contains("🧹 Élagage : médias envoyés, après 30 jour(s), 1 Mo gardés libres\n"));
    let shown = status(&["--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["prune"]["after_days"], 30);
    assert_eq!(shown["prune"]["keep_free_mb"], 1);
    assert_eq!(shown["prune"]["clips"], 2);
    assert_eq!(shown["prune"]["bytes"], 2_097_152);
    assert!(shown["prune"]["last"].as_i64().unwrap() > 1_700_000_000);
    service.stop().exits(0);
    assert!(status(&[]).contains("🗑️  Supprimés après envoi : 2 média(s), 2.1 Mo, le dernier le 2"));
    sent_clips(&device, &backend, 1, 10);
    sent_long_ago(&device);
    let run = by_age(&device, &backend).env("SYNC_OUTPUT", "json").run().exits(0);
    let pruned: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["type"] == "pruned")
        .collect();
    assert_eq!(pruned.len(), 1, "{run}");
    assert_eq!((&pruned[0]["id"], &pruned[0]["bytes"]), (&3.into(), &10.into()));
}

/// A library is loaded into this machine's own program.
mod native {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::support::service::most_kb;
    use crate::support::{Recorder, preloaded};

    const LONG: usize = 200_000_000;

    /// Runs that may find the machine busy.
    const RUNS: u32 = 20;

    /// One pass that prunes by age, on a card of 100 MB a second whose bytes stay at hand as far as `keep_pages` go. Before
    /// everything else on this machine where that is allowed (root): what is timed is the card.
    fn on_a_cold_card(device: &Device, backend: &Backend, library: &Path, keep_pages: u32) -> Service {
        Service::wrapped(&["nice", "-n", "-15"], &[])
            .on(device, &backend.url(), "once")
            .env("SYNC_PRUNE_AFTER_DAYS", "30")
            .env("LD_PRELOAD", library)
            .env("COLD_KBPS", "100000")
            .env("COLD_KEEP_PAGES", keep_pages.to_string())
    }

    #[test]
    fn the_recorder_does_not_wait_while_a_long_clip_goes_from_a_cold_card() {
        for journal in [Journal::Delete, Journal::Wal] {
            let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
            let library = preloaded(device.folder(), "cold_card.c");
            sent_clips(&device, &backend, 1, LONG);
            sent_long_ago(&device);
            let recorder = Recorder::start(&device, journal, Duration::from_millis(20));
            recorder.goes_on(20);
            recorder.look();
            // On a machine that is busy otherwise the clip stays, rather than that anybody waits.
            let mut runs = 0;
            while clips(&device) == [1] {
                runs += 1;
                assert!(runs <= RUNS, "it never went, {journal:?}");
                let run = on_a_cold_card(&device, &backend, &library, 0).run();
                assert!(run.took > Duration::from_millis(1_500), "the card was not cold: {run}");
                assert!(run.peak_kb <= most_kb(24), "{} KB", run.peak_kb);
            }
            let day = recorder.stop();
            day.assert_undisturbed(&format!("a clip of 200 MB that goes, {journal:?}"));
            assert!(day.inserts > 50, "{day:?}");
            assert_eq!(device.value::<String>("PRAGMA quick_check"), "ok");
        }
    }

    #[test]
    fn a_clip_that_the_memory_cannot_hold_stays_and_the_others_go() {
        for journal in [Journal::Delete, Journal::Wal] {
            let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
            let library = preloaded(device.folder(), "cold_card.c");
            sent_clips(&device, &backend, 1, LONG);
            sent_clips(&device, &backend, 1, 3_000_000);
            sent_long_ago(&device);
            let recorder = Recorder::start(&device, journal, Duration::from_millis(20));
            recorder.goes_on(20);
            recorder.look();
            // Room for 40 MB.
            let run = on_a_cold_card(&device, &backend, &library, 10_000).run();
            let day = recorder.stop();
            assert_eq!(clips(&device), [1], "{run}");
            assert!(
                run.stdout
                    .contains("⚠️  Élagage : 1 média(s) de 200.0 Mo et plus restent"),
                "{run}"
            );
            day.assert_undisturbed(&format!("a clip of 200 MB that stays, {journal:?}"));
        }
    }
}
