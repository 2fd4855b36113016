//! `SYNC_MODE=realtime`: a pass as soon as the recorder commits.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::service::PATIENCE;
use crate::support::{Backend, Device, Service, eventually};

#[test]
fn what_the_recorder_commits_is_at_the_server_within_two_seconds() {
    let (device, backend) = (Device::new(), Backend::start());
    let mut service = Service::of(&device, &backend.url(), "realtime").start();
    service.prints("Rapport de Synchronisation");
    for count in 1..=3 {
        device.event();
        let committed = Instant::now();
        backend.wait_until("the event", |received| received.len() == count);
        // A check a second; the rest is a loaded machine's.
        assert!(
            committed.elapsed() < Duration::from_millis(2_500),
            "{:?}",
            committed.elapsed()
        );
    }
    service.prints_times("Rapport de Synchronisation", 4);
    service.signal(Signal::TERM);
    let run = service.wait_within(PATIENCE).exits(0);
    assert_eq!(
        run.stdout.matches("Début de synchronisation").count(),
        4,
        "no pass without work: {run}"
    );
    assert!(run.stdout.contains("🔄 Mode: Synchronisation en temps réel"), "{run}");
}

#[test]
fn with_the_server_away_it_slows_down_and_sends_all_when_it_is_back() {
    let (device, backend) = (Device::new(), Backend::refusing());
    device.events(2);
    let mut service = Service::of(&device, &backend.url(), "realtime").start();
    service.prints("Rapport de Synchronisation");
    // Commits change nothing while the server is away: no pass follows them at once.
    for _ in 0..5 {
        device.event();
    }
    backend.listen_again();
    backend.wait_within(Duration::from_secs(30), "all events", |received| {
        received.iter().filter(|request| request.answered.is_some()).count() >= 7
    });
    service.signal(Signal::TERM);
    let run = service.wait_within(PATIENCE);
    assert!(run.stdout.matches("Début de synchronisation").count() <= 4, "{run}");
    assert_eq!(backend.stored_count(), 7);
}

#[test]
fn ten_thousand_failed_rows_are_not_looked_at_with_every_commit() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(10_000);
    device.python_sent_all_events_but("");
    Service::once(&device, &backend).run().exits(0);
    device.sql(
        "UPDATE sync_tracking SET sync_status = 'failed';
         UPDATE sync_retry SET reason = 'row', attempts = 1, refusals = 1, due_at = unixepoch() + 3600;",
    );
    let mut service = Service::of(&device, &backend.url(), "realtime").start();
    let mut sent = || {
        let id = device.event();
        eventually("the event is sent", || device.tracked("evenement", id).is_some());
        service.prints(&format!("✅ Événement {id} "));
        service.read_bytes()
    };
    let before = sent();
    let events = 3;
    let after = (0..events).map(|_| sent()).last().unwrap();
    let each = (after - before) / events;
    println!("{each} bytes read for an event beside 10,000 failed rows");
    assert!(each < 400_000, "{each} bytes read for an event");
    service.stop().exits(0);
}
