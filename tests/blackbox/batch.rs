//! Events in batches: only to a server that names them, one request for many, each row its own result.

use std::time::Duration;

use crate::support::backend::Received;
use crate::support::random::{Random, longer, seed};
use crate::support::{
    Act, Backend, Device, Journal, Layout, Recorder, Service, assert_everything_arrived_once, eventually,
};

const BATCHES: &str = "/api/evenements/batch";
const SINGLE: &str = "/api/evenements";

/// Everything is stored, and the answer names what the server has.
fn names(extensions: &str) -> Act {
    Act::created().header("Sync-Extensions", extensions)
}

fn device_with(events: usize) -> Device {
    let device = Device::new();
    device.events(events);
    device
}

fn paths(backend: &Backend) -> Vec<String> {
    backend.received().into_iter().map(|request| request.path).collect()
}

/// How many rows each request carried.
fn sizes(backend: &Backend) -> Vec<usize> {
    let size = |request: &Received| {
        if request.is_batch() { request.batch().len() } else { 1 }
    };
    backend.received().iter().map(size).collect()
}

#[test]
fn a_backlog_goes_in_batches_once_the_server_has_named_them() {
    let (device, backend) = (device_with(2_000), Backend::start());
    backend.always(names("uploads, batch;v=1, time-travel"));
    let run = Service::once(&device, &backend).run().exits(0);
    let sizes = sizes(&backend);
    assert_eq!(sizes[0], 1, "nothing was known yet: {sizes:?}");
    // On a slow machine more and smaller ones, since none may keep the recorder waiting.
    assert!(sizes.len() <= 100 && sizes.iter().all(|size| *size <= 500), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), 2_000);
    assert_everything_arrived_once(&device, &backend);
    // In order, and told row by row.
    let ids: Vec<i64> = device.tracking().iter().map(|row| row.remote_id.unwrap()).collect();
    assert!(ids.is_sorted(), "they came in another order");
    assert_eq!(run.stdout.matches("✅ Événement ").count(), 2_000);
    assert!(run.stdout.contains("║  Événements synchronisés : 2000"), "{run}");
    // Each under the key that it would have had alone.
    let batch = backend.received().into_iter().find(Received::is_batch).unwrap();
    assert_eq!(batch.header("idempotency-key"), None);
    assert!(
        batch.batch().iter().all(|(key, _)| key.len() == 36),
        "{}",
        batch.outline
    );
}

#[test]
fn a_server_that_names_nothing_is_sent_no_batch() {
    for named in [
        None,
        Some(""),
        Some("uploads, time-travel"),
        Some("Batch"),
        Some("batch,,"),
    ] {
        let (device, backend) = (device_with(20), Backend::start());
        backend.always(named.map_or_else(Act::created, names));
        Service::once(&device, &backend).run().exits(0);
        assert!(paths(&backend).iter().all(|path| path == SINGLE), "{named:?}");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn what_was_learned_outlives_the_process_until_the_server_no_longer_says_it() {
    let (device, backend) = (device_with(2), Backend::start());
    backend.always(names("batch"));
    Service::once(&device, &backend).run().exits(0);
    device.events(10);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(sizes(&backend), [1, 1, 10], "the second process knew it");
    // Another server in its place, which knows of nothing.
    backend.script(|request| match request.path.as_str() {
        BATCHES => Act::status(404, "<h1>Not Found</h1>"),
        _ => Act::created(),
    });
    device.events(5);
    let run = Service::once(&device, &backend).run().exits(0);
    assert_eq!(sizes(&backend)[3..], [5, 1, 1, 1, 1, 1]);
    assert!(run.stdout.contains("║  Événements échoués      :   0"), "{run}");
    assert_everything_arrived_once(&device, &backend);
    device.events(5);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(sizes(&backend)[9..], [1, 1, 1, 1, 1], "it was forgotten");
}

#[test]
fn a_server_that_names_batches_and_refuses_them_gets_rows_one_by_one_in_the_same_pass() {
    for status in [404, 405, 501] {
        let (device, backend) = (device_with(30), Backend::start());
        backend.script(move |request| match request.path.as_str() {
            BATCHES => Act::status(status, "no").header("Sync-Extensions", "batch"),
            _ => names("batch"),
        });
        Service::once(&device, &backend).run().exits(0);
        let batches = paths(&backend).iter().filter(|path| *path == BATCHES).count();
        assert_eq!(batches, 1, "{status}: asked once");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn one_rows_refusal_is_its_own() {
    let (device, backend) = (device_with(5), Backend::start());
    backend.script(|request| {
        if !request.is_batch() {
            return names("batch");
        }
        let results = [
            r#"{"status":201,"id":11}"#,
            r#"{"status":400,"error":"date: \u001b[31m no"}"#,
            r#"{"status":409,"id":12}"#,
            r#"{"status":409,"id":12}"#,
        ];
        Act::status(200, &format!(r#"{{"results":[{}]}}"#, results.join(","))).header("Sync-Extensions", "batch")
    });
    let run = Service::once(&device, &backend).run().exits(1);
    let statuses: Vec<_> = device
        .tracking()
        .into_iter()
        .map(|row| (row.local_id, row.status, row.remote_id, row.error))
        .collect();
    let success = |id, remote_id| (id, "success".to_owned(), Some(remote_id), None);
    assert_eq!(statuses[1..2], [success(2, 11)]);
    let mut others = statuses[2..].to_vec();
    others.sort();
    let refused = (3, "failed".to_owned(), None, Some("HTTP 400: date: [31m no".to_owned()));
    assert_eq!(others, [refused, success(4, 12), success(5, 12)]);
    assert!(run.stdout.contains("║  Événements échoués      :   1"), "{run}");
}

#[test]
fn an_answer_that_does_not_speak_of_each_row_leaves_each_to_speak_for_itself() {
    for answer in [
        "",
        "<html>",
        r#"{"results":[]}"#,
        r#"{"results":[{"status":201,"id":1}]}"#,
        r#"{"id":1}"#,
    ] {
        let (device, backend) = (device_with(10), Backend::start());
        backend.script(move |request| match request.path.as_str() {
            BATCHES => Act::status(200, answer).header("Sync-Extensions", "batch"),
            _ => names("batch"),
        });
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(sizes(&backend)[..3], [1, 9, 1], "{answer}");
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_row_that_brings_the_server_down_is_found_and_the_others_arrive() {
    let (device, backend) = (device_with(40), Backend::start());
    let poison = device.value::<String>("SELECT date FROM evenement WHERE id_evenement = 20");
    backend.script(move |_| names("batch").dying_over(&poison));
    for _ in 0..3 {
        Service::once(&device, &backend).run().exits(1);
    }
    let failed: Vec<i64> = device
        .tracking()
        .into_iter()
        .filter(|row| row.status == "failed")
        .map(|row| row.local_id)
        .collect();
    assert_eq!(failed, [20]);
    assert_eq!(device.value::<i64>("SELECT count(*) FROM sync_uploaded"), 39);
}

#[test]
fn a_batch_is_packed_where_the_server_takes_that() {
    let (device, backend) = (device_with(300), Backend::start());
    backend.always(names("batch").header("Accept-Encoding", "zstd"));
    Service::once(&device, &backend).run().exits(0);
    let batch = backend.received().into_iter().find(Received::is_batch).unwrap();
    assert_eq!(batch.header("content-encoding"), Some("zstd"));
    assert!(batch.wire_len * 4 < batch.outline.len() as u64, "{}", batch.wire_len);
    assert_everything_arrived_once(&device, &backend);
}

/// Servers and lines that fail at any byte of a batch, or after it was stored.
#[test]
fn resets_in_the_middle_of_batches_lose_and_double_nothing() {
    let mut random = Random::new(seed("batch"));
    let (device, backend) = (device_with(3_000), Backend::start());
    backend.script(move |request| match random.between(0, 5) {
        0 if request.is_batch() => Act::reset_while_reading(random.between(0, 20_000)),
        1 if request.is_batch() => Act::reset_after_storing(),
        2 if request.is_batch() => names("batch").storing().cut(random.between(0, 300) as usize),
        _ => names("batch"),
    });
    let service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    eventually("all rows are at the server", || {
        backend.stored_count() == 3_000
            && device.value::<i64>("SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'") == 3_000
    });
    service.stop().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn two_hundred_power_cuts_among_batches_lose_and_double_nothing() {
    let seed = seed("batch cuts");
    let mut random = Random::new(seed);
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
        backend.always(names("batch"));
        let recorder = Recorder::start(&device, journal, Duration::from_millis(2));
        for _ in 0..100 * longer() {
            device.events(40);
            let before = backend.received().len();
            let service = Service::continuous(&device, &backend)
                .env("SYNC_INTERVAL_MINUTES", "0.01")
                .start();
            backend.wait_until("a batch", |received| received.len() > before);
            std::thread::sleep(Duration::from_micros(random.between(0, 4_000)));
            service.kill();
        }
        let day = recorder.stop();
        assert!(day.failed.is_empty(), "{day:?}");
        Service::once(&device, &backend).run().exits(0);
        assert_everything_arrived_once(&device, &backend);
    }
}
