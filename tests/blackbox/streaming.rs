//! Clips of any size: constant memory, a recorder that never waits, no half clip at the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support::device::{clip_row, connect};
use crate::support::service::most_kb;
use crate::support::{Act, Backend, Device, Gate, Journal, Layout, Recorder, Service, assert_everything_arrived_once};

const JOURNALS: [Journal; 2] = [Journal::Delete, Journal::Wal];
const MB: u64 = 1_000_000;

/// The size of a large clip in bytes: `SYNC_TEST_CLIP_MB` (256 by default; 1000 is SQLite's limit).
fn large() -> usize {
    let megabytes = std::env::var("SYNC_TEST_CLIP_MB").map_or(256, |text| text.parse().expect("a number"));
    megabytes * 1_000_000
}

fn slow_for_clips(backend: &Backend, bytes_per_second: u64) {
    backend.script(move |request| match request.table() {
        "media" => Act::created().slowly(bytes_per_second),
        _ => Act::created(),
    });
}

#[test]
fn the_recorder_never_waits_while_a_clip_goes_to_a_slow_server() {
    std::thread::scope(|scope| {
        for journal in JOURNALS {
            scope.spawn(move || {
                let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
                device.big_clip(20_000_000);
                slow_for_clips(&backend, 4 * MB);
                let recorder = Recorder::start(&device, journal, Duration::from_millis(100));
                Service::once(&device, &backend)
                    .env("SYNC_COMPRESSION", "none")
                    .run()
                    .exits(0);
                let day = recorder.stop();
                assert!(day.inserts > 30, "the clip went too fast to prove anything: {day:?}");
                day.assert_undisturbed("an upload");
                backend.works();
                Service::once(&device, &backend).run().exits(0);
                assert_everything_arrived_once(&device, &backend);
            });
        }
    });
}

#[test]
fn the_recorder_never_waits_while_a_clip_goes_to_a_server_that_stops_reading() {
    let (device, backend) = (Device::new(), Backend::start());
    device.big_clip(20_000_000);
    backend.acts([Act::created().reading_after(Duration::from_secs(5))]);
    let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(100));
    Service::once(&device, &backend).run().exits(0);
    let day = recorder.stop();
    assert!(day.inserts > 20, "{day:?}");
    day.assert_undisturbed("an upload");
}

#[test]
fn a_pause_of_the_server_in_the_middle_is_not_a_failure() {
    let (device, backend) = (Device::new(), Backend::start());
    let clip = device.big_clip(20_000_000);
    backend.acts([Act::created().reading_after(Duration::from_secs(5))]);
    Service::once(&device, &backend).run().exits(0);
    let received = backend.received();
    assert_eq!(received.len(), 1, "it was given up");
    assert_eq!(received[0].video, Some(device.fingerprint(clip)));
}

#[test]
fn a_line_so_slow_that_a_clip_takes_longer_than_an_event_may_is_met() {
    let (device, backend) = (Device::new(), Backend::start());
    device.big_clip(1_300_000);
    backend.always(Act::created().slowly(150_000));
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(
        run.took > Duration::from_secs(11),
        "too fast to prove anything: {:?}",
        run.took
    );
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn the_wal_file_stays_small_while_a_clip_goes_to_a_slow_server() {
    let (device, backend) = (Device::with(Layout::Current, Journal::Wal), Backend::start());
    let clip = device.big_clip(16_000_000);
    slow_for_clips(&backend, 3 * MB);
    let (stop, largest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (ended, seen, path) = (stop.clone(), largest.clone(), device.path());
    // Another process keeps the database open, so that closing the writer does not empty the log.
    let _open = device.db();
    let wal = device.folder().join("surveillance.db-wal");
    let before = std::fs::metadata(&wal).map_or(0, |file| file.len());
    let writer = std::thread::spawn(move || {
        let (mut written, video) = (0, vec![7; 400_000]);
        while !ended.load(Ordering::Relaxed) {
            let db = connect(&path).unwrap();
            let date = format!("2026-11-21T00:00:00.{written:06}");
            clip_row(&db, Layout::Current, &date, 5, 2, video.clone().into()).unwrap();
            written += video.len() as u64;
            seen.fetch_max(std::fs::metadata(&wal).unwrap().len(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
        }
        written
    });
    let service = Service::continuous(&device, &backend)
        .env("SYNC_COMPRESSION", "none")
        .start();
    backend.wait_until("the large clip", |received| {
        received.first().is_some_and(|request| request.complete)
    });
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    service.stop().exits(0);
    assert_eq!(backend.received()[0].video, Some(device.fingerprint(clip)));
    assert!(written > 24 * MB, "too little was written to prove anything: {written}");
    let largest = largest.load(Ordering::Relaxed);
    assert!(
        largest < before.max(4 * MB) + 12 * MB,
        "{largest} bytes of log for {written} written, {before} before"
    );
}

#[test]
fn memory_does_not_grow_with_the_clip() {
    let (device, backend) = (Device::new(), Backend::start());
    let clip = device.big_clip(large());
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Médias échoués");
    let peak = service.peak_kb_now();
    service.stop().exits(0);
    println!("peak {peak} KB for {} MB", large() / 1_000_000);
    assert!(peak <= most_kb(24), "{peak} KB");
    assert_eq!(backend.received()[0].video, Some(device.fingerprint(clip)));
}

#[test]
fn ordinary_clips_take_ordinary_memory() {
    let (device, backend) = (Device::new(), Backend::start());
    for _ in 0..3 {
        device.big_clip(10_000_000);
    }
    backend.always(Act::created().header("Accept-Encoding", "zstd, gzip"));
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Médias échoués");
    let peak = service.peak_kb_now();
    service.stop().exits(0);
    println!("peak {peak} KB");
    assert!(peak <= most_kb(16), "{peak} KB");
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn an_upload_reads_the_clip_hardly_more_than_once() {
    for (len, rate) in [(64 * MB, None), (16 * MB, Some(6 * MB))] {
        let (device, backend) = (Device::new(), Backend::start());
        device.big_clip(len as usize);
        if let Some(rate) = rate {
            slow_for_clips(&backend, rate);
        }
        let mut service = Service::continuous(&device, &backend).start();
        service.prints("Intervalle");
        service.prints("Médias échoués");
        let read = service.read_bytes();
        service.stop().exits(0);
        println!("read {read} bytes for {len}, at {rate:?}");
        assert!(read >= len, "a clip of {len} bytes cannot be sent from {read}");
        assert!(
            read <= len / 2 * 3,
            "{read} bytes read for a clip of {len}, at {rate:?}"
        );
    }
}

#[test]
fn a_clip_that_changes_while_it_is_uploaded_is_never_mixed() {
    let same_length = "UPDATE media SET video = randomblob(length(video)) WHERE id_media = 1";
    let shorter = "UPDATE media SET video = randomblob(5000) WHERE id_media = 1";
    let longer = "UPDATE media SET video = randomblob(9000000) WHERE id_media = 1";
    let replaced = "BEGIN; DELETE FROM media WHERE id_media = 1;
        INSERT INTO media VALUES (1, randomblob(6000000), '2026-01-01T00:00:00', 5, 2); COMMIT";
    // In place, in a part that is sent already and in one that is not: the row's beginning stays as it was.
    let in_place = "UPDATE media SET video = CAST(substr(video, 1, 200000) || randomblob(1000)
        || substr(video, 201001, 13000000 - 201000) || randomblob(1000) || substr(video, 13001001) AS BLOB)";
    std::thread::scope(|scope| {
        for change in [same_length, shorter, longer, replaced, in_place] {
            for (journal, coding) in JOURNALS.into_iter().zip(["none", "zstd"]) {
                scope.spawn(move || {
                    let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
                    // More than all the buffers on the way: it can't be gone before it changes.
                    device.big_clip(14_000_000);
                    let gate = Gate::default();
                    backend.acts([Act::created().held_after(1_000_000, &gate)]);
                    let service = Service::once(&device, &backend).env("SYNC_COMPRESSION", coding).start();
                    backend.wait_until("a part", |received| {
                        received.iter().any(|one| one.wire_len == 1_000_000)
                    });
                    device.sql(change);
                    gate.open();
                    let run = service
                        .wait_within(crate::support::service::PATIENCE)
                        .exits_with_words(0);
                    assert!(!run.stdout.contains("❌"), "{change} {journal:?}: {run}");
                    assert!(
                        !backend.received()[0].complete,
                        "{change} {journal:?}: a clip that was no more went whole"
                    );
                    assert_everything_arrived_once(&device, &backend);
                });
            }
        }
    });
}

#[test]
fn a_clip_that_vanishes_while_it_is_uploaded_leaves_nothing_at_the_server() {
    for journal in JOURNALS {
        let (device, backend) = (Device::with(Layout::Older, journal), Backend::start());
        device.big_clip(14_000_000);
        let small = device.clip(b"small");
        let gate = Gate::default();
        backend.acts([Act::created().held_after(1_000_000, &gate)]);
        let service = Service::once(&device, &backend).start();
        backend.wait_until("a part", |received| {
            received.iter().any(|one| one.wire_len == 1_000_000)
        });
        device.sql("DELETE FROM media WHERE id_media = 1");
        gate.open();
        let run = service
            .wait_within(crate::support::service::PATIENCE)
            .exits_with_words(0);
        assert!(!run.stdout.contains("❌"), "{journal:?}: {run}");
        assert_eq!(backend.stored_count(), 1);
        assert_everything_arrived_once(&device, &backend);
        assert_eq!(device.tracked("media", small).unwrap().status, "success");
    }
}

#[test]
fn events_that_come_while_a_clip_is_sent_go_before_the_next_clip() {
    let (device, backend) = (Device::new(), Backend::start());
    device.clip(b"one");
    device.clip(b"two");
    let (path, layout) = (device.path(), device.layout);
    let mut first = true;
    backend.script(move |_| {
        if std::mem::take(&mut first) {
            crate::support::device::insert_event(&path, layout, "2026-01-01T00:00:00", 1).unwrap();
        }
        Act::created()
    });
    Service::once(&device, &backend).run().exits(0);
    let tables: Vec<&str> = backend.received().iter().map(|request| request.table()).collect();
    assert_eq!(tables, ["media", "evenement", "media"]);
}
