//! Pruning when something comes between: kills, a stop, new rows, locks, disks that fill, rows that are put back.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::prune::{clips, long_ago, sent_clips, sent_long_ago};
use crate::support::random::{Random, seed};
use crate::support::{Backend, Device, Journal, Layout, Service, eventually};

/// Short clips, sent long ago by an older service.
fn many_sent_clips(device: &Device, count: u32) {
    device.sql(crate::support::layout::PYTHON_TRACKING);
    device.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO media (video, date, id_capteur, numero_camera)
         SELECT randomblob(9000), strftime('%Y-%m-%dT%H:%M:%S', 1577872800 + i, 'unixepoch'), 4, 1 FROM n;
         INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status)
         SELECT 'media', id_media, id_media, '2020-02-01T00:00:00.000000', 'success' FROM media"
    ));
}

fn pruning(device: &Device, backend: &Backend, mode: &str) -> Service {
    Service::of(device, &backend.url(), mode).env("SYNC_PRUNE_AFTER_DAYS", "30")
}

#[test]
fn a_kill_at_any_moment_takes_clips_from_the_old_end_and_nothing_else() {
    let mut random = Random::new(seed("prune"));
    for (layout, journal) in [(Layout::Current, Journal::Delete), (Layout::Older, Journal::Wal)] {
        let (device, backend) = (Device::with(layout, journal), Backend::start());
        device.sql("DROP TRIGGER IF EXISTS nettoyage_media");
        sent_clips(&device, &backend, 20, 300_000);
        device.event();
        let young = device.clip(b"young");
        Service::once(&device, &backend).run().exits(0);
        sent_long_ago(&device);
        let (all, tracking, requests) = (clips(&device), device.tracking(), backend.received().len());
        let mut kills = 0;
        while clips(&device).len() > 1 {
            kills += 1;
            let service = pruning(&device, &backend, "continuous").start();
            std::thread::sleep(Duration::from_millis(30) + Duration::from_micros(random.between(0, 200_000)));
            service.kill();
            let left = clips(&device);
            assert_eq!(left, all[all.len() - left.len()..], "not from the old end");
            assert_eq!(device.value::<String>("PRAGMA integrity_check"), "ok");
        }
        assert!(kills > 3, "{kills} kills: none came in the middle");
        assert_eq!(clips(&device), [young]);
        assert_eq!(device.tracking(), tracking);
        assert_eq!(device.value::<i64>("SELECT count(*) FROM evenement"), 1);
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(backend.received().len(), requests, "something was sent again");
    }
}

#[test]
fn a_pass_deletes_so_many_and_the_next_goes_on() {
    let (device, backend) = (Device::new(), Backend::start());
    many_sent_clips(&device, 230);
    for left in [30, 0] {
        pruning(&device, &backend, "once").run().exits(0);
        assert_eq!(clips(&device).len(), left);
    }
    assert!(backend.received().is_empty());
}

#[test]
fn in_realtime_an_event_comes_before_the_clips_that_are_left_to_go() {
    let (device, backend) = (Device::new(), Backend::start());
    many_sent_clips(&device, 150);
    let mut service = pruning(&device, &backend, "realtime").start();
    service.prints("🧹 Média 1 supprimé");
    device.event();
    backend.wait_until("the event", |received| received.len() == 1);
    assert!(clips(&device).len() > 50, "it waited for the clean-up");
    // And then the clean-up goes on.
    eventually("the rest goes", || clips(&device).is_empty());
    service.stop().exits(0);
}

#[test]
fn a_locked_database_is_told_and_the_pass_is_well() {
    let (device, backend) = (Device::new(), Backend::start());
    sent_clips(&device, &backend, 2, 1_000);
    sent_long_ago(&device);
    let mut service = pruning(&device, &backend, "continuous")
        .env("SYNC_INTERVAL_MINUTES", "0.05")
        .env("SYNC_PRUNE_AFTER_DAYS", "36500")
        .start();
    service.prints("Médias échoués");
    service.stop().exits(0);
    let db = device.db();
    let held = db.unchecked_transaction().unwrap();
    db.execute("UPDATE capteur SET etat_capteur = 1", []).unwrap();
    // Nothing is due: the pass itself writes nothing.
    let run = pruning(&device, &backend, "once").run().exits_with_words(0);
    assert!(
        run.stdout.contains("⚠️  Élagage : Base de données verrouillée"),
        "{run}"
    );
    assert_eq!(clips(&device).len(), 2);
    held.rollback().unwrap();
    pruning(&device, &backend, "once").run().exits(0);
    assert_eq!(clips(&device), Vec::<i64>::new());
}

#[test]
fn a_row_that_is_put_back_is_what_it_was_before() {
    let (device, backend) = (Device::new(), Backend::start());
    let young = device.clip(b"young");
    let old = sent_clips(&device, &backend, 4, 3_000);
    sent_long_ago(&device);
    pruning(&device, &backend, "once").run().exits(0);
    assert_eq!(clips(&device), [young]);
    assert_eq!(old, [2, 3, 4, 5]);
    // Another row under an id that is tracked, the tracking of one forgotten, and an id that was never given.
    device.sql(&format!(
        "INSERT INTO media VALUES (2, x'00', '{}', 4, 1), (3, x'0102', '{}', 4, 1);
         DELETE FROM sync_tracking WHERE table_name = 'media' AND local_id = 3;
         UPDATE sqlite_sequence SET seq = 9 WHERE name = 'media';
         INSERT INTO media VALUES (9, x'03', '{}', 4, 1)",
        long_ago(20),
        long_ago(21),
        long_ago(22)
    ));
    let run = pruning(&device, &backend, "once").run().exits_with_words(0);
    assert_eq!(backend.stored_count(), 7, "the two that are not tracked went: {run}");
    assert_eq!(clips(&device), [young, 2, 3, 9], "{run}");
    let run = pruning(&device, &backend, "once").run().exits_with_words(0);
    assert!(
        run.stdout
            .contains("Supprimés avant envoi : 0 événement(s), 3 média(s)"),
        "ids 6 to 8: {run}"
    );
}

#[test]
fn a_deletion_writes_next_to_nothing() {
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
        sent_clips(&device, &backend, 1, 20_000_000);
        sent_long_ago(&device);
        let mut service = pruning(&device, &backend, "continuous").start();
        service.prints("🧹 Média 1 supprimé");
        let written = service.written_bytes();
        assert!(written < 500_000, "{written} bytes for a clip of 20 MB, {journal:?}");
        service.stop().exits(0);
    }
}

/// A library is loaded into this machine's own program.
mod native {
    use super::*;
    use crate::support::preloaded;

    #[test]
    fn a_stop_while_a_clip_is_read_from_a_slow_card_is_answered_and_the_clip_stays() {
        let (device, backend) = (Device::new(), Backend::start());
        let library = preloaded(device.folder(), "cold_card.c");
        sent_clips(&device, &backend, 1, 60_000_000);
        sent_long_ago(&device);
        let mut service = pruning(&device, &backend, "continuous")
            .env("LD_PRELOAD", &library)
            .env("COLD_KBPS", "5000")
            .env("COLD_KEEP_PAGES", "0")
            .start();
        service.prints("Médias échoués");
        let read = service.read_bytes();
        eventually("it is being read", || service.read_bytes() > read + 2_000_000);
        let asked = Instant::now();
        service.signal(Signal::TERM);
        service.wait_within(Duration::from_secs(30)).exits(0);
        assert!(asked.elapsed() < Duration::from_millis(2_500), "{:?}", asked.elapsed());
        assert_eq!(clips(&device), [1]);
    }
}

/// These take the right to mount.
mod mounts {
    use super::*;
    use crate::support::mount::free_bytes;
    use crate::support::{Act, Mount};

    #[test]
    fn the_oldest_clips_go_until_there_is_room_and_those_that_are_not_sent_stay() {
        const MB: u64 = 1_000_000;
        let outer = Device::empty_folder(Layout::Current);
        let card = outer.folder().join("card");
        let _mount = Mount::small_disk(&card, 80);
        let (device, backend) = (Device::at(&card), Backend::start());
        backend.always(Act::status(400, "non"));
        let refused = device.big_clip(4_000_000);
        Service::once(&device, &backend).run().exits_with_words(1);
        backend.works();
        let sent: Vec<i64> = (0..6).map(|_| device.big_clip(4_000_000)).collect();
        let without_date = device.clip_at("hier", 4, 1, b"sent by us");
        Service::continuous(&device, &backend).start().prints("Médias échoués");
        let service = |mb: u64| {
            Service::continuous(&device, &backend)
                .env("SYNC_PRUNE_KEEP_FREE_MB", mb.to_string())
                .env("SYNC_INTERVAL_MINUTES", "0.01")
                .start()
        };
        let (free, size) = (free_bytes(&card), std::fs::metadata(device.path()).unwrap().len());
        // Two clips' worth are missing; what the file has free already is little.
        let mut running = service((free + 7 * MB) / MB);
        running.prints_times("🧹", 2).prints_times("Médias échoués", 4);
        running.stop().exits(0);
        let left = [&[refused], &sent[2..], &[without_date]].concat();
        assert_eq!(clips(&device), left);
        assert_eq!(
            std::fs::metadata(device.path()).unwrap().len(),
            size,
            "the file stays as long as it is"
        );
        // New clips take the pages, and nothing has to go for them.
        device.big_clip(4_000_000);
        assert_eq!(std::fs::metadata(device.path()).unwrap().len(), size);
        let mut running = service(100_000);
        running.prints("⚠️  Élagage : ").prints_times("Médias échoués", 3);
        let run = running.stop().exits_with_words(0);
        assert!(
            run.stdout.contains("sur les 100000 de SYNC_PRUNE_KEEP_FREE_MB"),
            "{run}"
        );
        assert_eq!(run.stdout.matches("⚠️  Élagage").count(), 1, "{run}");
        assert_eq!(clips(&device), [refused], "even without a date: we know what we sent");
    }
}
