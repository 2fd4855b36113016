//! Short clips beside each other, to a server that takes several rows: two on their way, results in one commit.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::both::assert_receiver_holds_everything;
use crate::support::random::{Random, longer, seed, video};
use crate::support::receiver::Receiver;
use crate::support::{
    Act, Backend, Device, Gate, Journal, Layout, Recorder, Service, assert_everything_arrived_once, eventually,
};

const CLIPS: usize = 12;

/// A device with an event, by whose answer a server is known, and clips that are all short.
fn device_with(clips: usize) -> Device {
    let device = Device::new();
    device.event();
    add(&device, clips);
    device
}

fn add(device: &Device, clips: usize) {
    for nth in 0..clips as u64 {
        device.clip(&video(nth, 20_000 + nth as usize * 1_000));
    }
}

/// Everything is stored by a server that takes several rows: clips in the contract's form.
fn several() -> Act {
    Act::created().header("Sync-Extensions", "batch")
}

/// A server that holds every clip until the gate is open.
fn holding(gate: &Gate) -> Backend {
    let (backend, gate) = (Backend::start(), gate.clone());
    backend.script(move |request| match request.table() {
        "media" => several().held_after(100, &gate),
        _ => several(),
    });
    backend
}

/// Waits until so many clips are there, and sees that no other comes.
fn holds_no_more_than(backend: &Backend, clips: usize) {
    eventually("clips are there", || backend.received_for("media").len() >= clips);
    // What does not come can't be waited for.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(backend.received_for("media").len(), clips);
}

/// Clips that are booked as being at the server.
fn sent(device: &Device) -> usize {
    let sent = |row: &crate::support::device::Tracked| row.table == "media" && row.status == "success";
    device.tracking().iter().filter(|row| sent(row)).count()
}

#[test]
fn two_short_clips_are_on_their_way_at_once_and_told_in_the_rows_order() {
    let (device, gate) = (device_with(CLIPS), Gate::default());
    let backend = holding(&gate);
    let service = Service::once(&device, &backend).start();
    holds_no_more_than(&backend, 2);
    gate.open();
    let run = service.wait_within(Duration::from_secs(60)).exits(0);
    assert_everything_arrived_once(&device, &backend);
    assert_eq!(backend.received_for("media").len(), CLIPS, "each was sent once");
    let told = run.stdout.lines().filter(|line| line.starts_with("✅ Média "));
    let told: Vec<i64> = told
        .map(|line| line.split(' ').nth(2).unwrap().parse().unwrap())
        .collect();
    assert_eq!(told.iter().collect::<HashSet<_>>().len(), CLIPS, "{run}");
    assert!(run.stdout.contains("║  Médias synchronisés     :  12 "), "{run}");
}

#[test]
fn results_share_commits() {
    let (device, backend) = (device_with(60), Backend::start());
    backend.always(several());
    Service::once(&device, &backend).run().exits(0);
    let commits: i64 = device.value("SELECT count(DISTINCT sync_date) FROM sync_tracking WHERE table_name = 'media'");
    assert!(commits <= 40, "{commits} commits of 60 clips");
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn of_each_clip_what_was_sent_is_kept_however_many_share_a_commit() {
    let (device, backend) = (device_with(100), Backend::start());
    backend.always(several());
    Service::once(&device, &backend).run().exits(0);
    let kept =
        "SELECT count(*) FROM media JOIN sync_sent_clip USING (date) JOIN sync_tracking t USING (local_id, sync_date)
        WHERE local_id = id_media AND bytes = length(video) AND t.table_name = 'media'";
    assert_eq!(device.value::<i64>(kept), 100);
}

#[test]
fn a_long_clip_is_not_read_to_learn_that_it_goes_alone() {
    const LONG: u64 = 16_000_000;
    let (device, backend) = (Device::new(), Backend::start());
    // What is behind the video is found by reading through it.
    device.sql("DROP INDEX idx_media_date; DROP INDEX idx_media_capteur; DROP INDEX idx_media_camera");
    device.event();
    device.big_clip(LONG as usize);
    backend.always(several());
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Médias échoués");
    let read = service.read_bytes();
    service.stop().exits(0);
    // For its date when the page is put in order, for what is sent with it, and to send it.
    assert!(read <= LONG * 7 / 2, "{read} bytes");
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_result_does_not_wait_for_another_clip() {
    let (device, gate, backend) = (device_with(2), Gate::default(), Backend::start());
    let held = gate.clone();
    let mut clips = 0;
    backend.script(move |request| {
        clips += i32::from(request.table() == "media");
        if clips == 1 && request.table() == "media" {
            several().held_after(100, &held)
        } else {
            several()
        }
    });
    let service = Service::once(&device, &backend).start();
    eventually("the other clip is booked", || sent(&device) == 1);
    gate.open();
    service.wait_within(Duration::from_secs(60)).exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn where_one_at_a_time_is_meant_there_is_one() {
    for (named, rate, bytes) in [
        ("", "off", 20_000),
        ("time-travel", "off", 20_000),
        ("batch", "100000", 20_000),
        ("batch", "off", 1_100_000),
    ] {
        let (device, gate, backend) = (device_with(0), Gate::default(), Backend::start());
        for nth in 0..3 {
            device.clip(&video(nth, bytes));
        }
        let held = gate.clone();
        backend.script(move |request| match request.table() {
            "media" => Act::created().header("Sync-Extensions", named).held_after(100, &held),
            _ => Act::created().header("Sync-Extensions", named),
        });
        let service = Service::once(&device, &backend).env("SYNC_MAX_RATE_KBPS", rate).start();
        holds_no_more_than(&backend, 1);
        gate.open();
        service.wait_within(Duration::from_secs(60)).exits(0);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn one_clips_refusal_is_its_own_and_said_once() {
    let (device, backend) = (device_with(CLIPS), Backend::start());
    let mut first = true;
    backend.script(move |request| match request.table() {
        "media" if std::mem::take(&mut first) => Act::status(422, "no").header("Sync-Extensions", "batch"),
        _ => several(),
    });
    let run = Service::once(&device, &backend).run().exits(1);
    assert_eq!(sent(&device), CLIPS - 1);
    assert_eq!(backend.received_for("media").len(), CLIPS, "nothing was sent twice");
    let refused = device.tracking().into_iter().find(|row| row.status == "failed");
    assert_eq!(refused.unwrap().error.as_deref(), Some("HTTP 422: no"));
    assert!(run.stdout.contains("║  Médias échoués          :   1"), "{run}");
}

#[test]
fn a_clip_that_brings_the_server_down_is_found_and_the_others_arrive() {
    let (device, backend) = (device_with(CLIPS), Backend::start());
    let poison = device.value::<String>("SELECT date FROM media WHERE id_media = 6");
    backend.script(move |_| several().dying_over(&poison));
    for _ in 0..3 {
        Service::once(&device, &backend).run().exits(1);
    }
    assert_eq!(sent(&device), CLIPS - 1);
    assert_eq!(device.tracked("media", 6).unwrap().status, "failed");
}

#[test]
fn an_unwell_server_ends_the_pass_and_what_was_not_tried_waits() {
    let (device, backend) = (device_with(CLIPS), Backend::start());
    backend.script(|request| match request.table() {
        "media" => Act::status(503, "later").header("Sync-Extensions", "batch"),
        _ => several(),
    });
    let run = Service::once(&device, &backend).run().exits(1);
    let failed = device
        .tracking()
        .into_iter()
        .filter(|row| row.status == "failed")
        .count();
    assert_eq!(failed, 1, "{run}");
    // The first three times, and the one beside it once.
    assert_eq!(backend.received_for("media").len(), 4);
    backend.always(several());
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn an_event_that_comes_goes_before_the_clips_that_wait() {
    let (device, gate) = (device_with(CLIPS), Gate::default());
    let backend = holding(&gate);
    let service = Service::once(&device, &backend).start();
    holds_no_more_than(&backend, 2);
    device.event();
    gate.open();
    service.wait_within(Duration::from_secs(60)).exits(0);
    let tables: Vec<&str> = backend.received().iter().map(|request| request.table()).collect();
    let place = tables.iter().rposition(|table| *table == "evenement").unwrap();
    assert!(place <= 4, "{tables:?}");
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_stop_waits_for_neither_of_two_clips() {
    let (device, gate) = (device_with(CLIPS), Gate::default());
    let backend = holding(&gate);
    let service = Service::continuous(&device, &backend).start();
    holds_no_more_than(&backend, 2);
    let asked = Instant::now();
    service.stop().exits(0);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    gate.open();
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

/// Resets at any byte, lost answers and refusals for a while, in the contract's form.
#[test]
fn resets_among_clips_beside_each_other_lose_and_double_nothing() {
    let mut random = Random::new(seed("together"));
    let (device, backend) = (device_with(40), Backend::start());
    backend.script(move |_| match random.between(0, 10) {
        0 => Act::reset_while_reading(random.between(0, 100_000)),
        1 => Act::reset_after_storing(),
        2 => several().cut(random.between(0, 300) as usize),
        3 => Act::status(503, "later").header("Sync-Extensions", "batch"),
        _ => several(),
    });
    let service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    eventually("all clips are at the server", || sent(&device) == 40);
    service.stop().exits_with_words(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn power_cuts_among_clips_beside_each_other_lose_and_double_nothing() {
    let mut random = Random::new(seed("together cuts"));
    for journal in [Journal::Delete, Journal::Wal] {
        let (device, receiver) = (Device::with(Layout::Current, journal), Receiver::start());
        device.event();
        Service::of(&device, &receiver.url, "once").run().exits(0);
        let recorder = Recorder::start(&device, journal, Duration::from_millis(5));
        for _ in 0..10 * longer() {
            add(&device, 8);
            let before = sent(&device);
            let service = Service::of(&device, &receiver.url, "continuous").start();
            eventually("clips arrive", || sent(&device) > before);
            std::thread::sleep(Duration::from_micros(random.between(0, 10_000)));
            service.kill();
        }
        let day = recorder.stop();
        assert!(day.failed.is_empty(), "{day:?}");
        Service::of(&device, &receiver.url, "once").run().exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        receiver.stop();
    }
}
