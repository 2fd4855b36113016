//! `SYNC_MODE=realtime`: a pass as soon as the recorder commits.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::service::PATIENCE;
use crate::support::{Backend, Device, Service};

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
