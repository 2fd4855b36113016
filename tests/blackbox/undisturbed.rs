//! The recorder never waits for us: beside every command and every setting, with the usual indexes and with none.

use std::time::Duration;

use crate::support::{Act, Backend, Device, Expect, Journal, Recorder, Service};

const FAILED: usize = 10_000;
const CLIP_BYTES: usize = 200_000_000;

/// A database with a past: as many refused events, due in an hour, and a long clip that waits since long ago.
fn device(backend: &Backend, indexes: bool) -> Device {
    let device = Device::new();
    // Our tables.
    Service::once(&device, backend).run().exits(0);
    device.many_events(FAILED as u32);
    device.sql(
        "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status, error_message)
         SELECT 'evenement', id_evenement, date, 'failed', 'HTTP 400: non' FROM evenement;
         UPDATE sync_retry SET reason = 'row', attempts = 1, refusals = 1, since = unixepoch(), due_at = unixepoch() + 3600",
    );
    device.big_clip(CLIP_BYTES);
    device.sql("UPDATE media SET date = '2020-01-01T00:00:00.000000'");
    if !indexes {
        device.sql(
            "DROP INDEX idx_evenement_date; DROP INDEX idx_evenement_capteur;
             DROP INDEX idx_media_date; DROP INDEX idx_media_capteur; DROP INDEX idx_media_camera",
        );
    }
    device
}

/// A machine that takes the processor away from whoever holds a lock does so now and then; what the program does, it
/// does each time.
const TRIES: usize = 3;

/// Runs `work` beside the recorder, which must not have waited for it.
fn beside(recorder: &Recorder, what: &str, work: impl Fn()) {
    for nth in 1..=TRIES {
        recorder.look();
        work();
        recorder.goes_on(3);
        let day = recorder.look();
        if nth == TRIES || !day.failed.is_empty() || day.is_undisturbed() {
            return day.assert_undisturbed(what);
        }
        println!("once more: {what}, {day:?}");
    }
}

fn nobody_waits_beside_the_commands(indexes: bool) {
    let backend = Backend::start();
    let device = device(&backend, indexes);
    let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(50));
    let command = |words: &[&str]| Service::command(words).on(&device, &backend.url(), "once");
    for words in [
        &["check"][..],
        &["status"],
        &["status", "--json"],
        &["status", "--health"],
    ] {
        beside(&recorder, words.last().unwrap(), || {
            command(words).run();
        });
    }
    beside(&recorder, "failures that nobody reads to their end", || {
        let listing = command(&["failures"]).start_unread();
        recorder.goes_on(30);
        drop(listing);
    });
    beside(&recorder, "retry", || {
        command(&["retry"]).run().exits(0);
    });
    beside(&recorder, "reset", || {
        device.sql(
            "INSERT OR IGNORE INTO sync_tracking (table_name, local_id, sync_date, sync_status)
             SELECT 'evenement', id_evenement, date, 'success' FROM evenement",
        );
        recorder.goes_on(1);
        recorder.look();
        command(&["reset", "--yes"]).run().exits(0);
    });
    recorder.stop();
}

fn nobody_waits_beside_the_service(indexes: bool) {
    let backend = Backend::start();
    let device = device(&backend, indexes);
    let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(50));
    let service = |mode| {
        Service::of(&device, &backend.url(), mode)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .env("SYNC_METRICS_FILE", device.folder().join("sync.prom"))
            .env("SYNC_ALERT_COMMAND", "true")
            .env("SYNC_ALERT_AFTER_MINUTES", "1")
            .env("SYNC_MAX_RATE_KBPS", "100000")
    };
    // Events arrive, the clip does not: it is looked at in each pass.
    backend.script(|request| match request.table() {
        "media" => Act::status(413, "non").expect(Expect::AnswerFirst),
        _ => Act::created(),
    });
    for mode in ["realtime", "continuous", "periodic"] {
        beside(&recorder, mode, || {
            let mut running = service(mode).start();
            running.prints_times("Médias échoués", 4);
            running.stop().exits_with_words(0);
        });
    }
    backend.works();
    beside(&recorder, "a long clip", || {
        device.sql("DELETE FROM sync_tracking WHERE table_name = 'media'");
        let before = backend.received().len();
        let running = service("realtime").start();
        // A debug build on a busy machine takes its time for 200 MB.
        backend.wait_within(Duration::from_secs(300), "the clip", |received| {
            received[before..]
                .iter()
                .any(|request| request.table() == "media" && request.answered == Some(201))
        });
        running.stop().exits_with_words(0);
    });
    beside(&recorder, "once, with every failed row", || {
        service("once").run_within(Duration::from_secs(300)).exits(0);
    });
    recorder.stop();
}

#[test]
fn no_command_keeps_the_recorder_waiting() {
    nobody_waits_beside_the_commands(true);
}

#[test]
fn no_command_keeps_the_recorder_waiting_without_indexes() {
    nobody_waits_beside_the_commands(false);
}

#[test]
fn no_mode_and_no_setting_keeps_the_recorder_waiting() {
    nobody_waits_beside_the_service(true);
}

#[test]
fn no_mode_and_no_setting_keeps_the_recorder_waiting_without_indexes() {
    nobody_waits_beside_the_service(false);
}

#[test]
fn taking_over_many_failed_rows_keeps_the_recorder_waiting_for_none() {
    let backend = Backend::start();
    // They wait for the server, not for the look at the start.
    backend.always(Act::status(503, "plus tard"));
    for nth in 1..=TRIES {
        let device = Device::new();
        device.many_events(FAILED as u32);
        device.python_failed_all_events();
        let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(20));
        recorder.goes_on(1);
        recorder.look();
        let before = backend.received().len();
        let running = Service::of(&device, &backend.url(), "continuous").start();
        backend.wait_within(Duration::from_secs(120), "the first row", |received| {
            received.len() > before
        });
        let day = recorder.look();
        let planned: i64 = device.value("SELECT count(*) FROM sync_retry");
        assert_eq!(planned, FAILED as i64);
        running.stop();
        recorder.stop();
        if nth == TRIES || day.is_undisturbed() {
            return day.assert_undisturbed("a takeover");
        }
        println!("once more: {day:?}");
    }
}
