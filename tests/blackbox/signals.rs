//! SIGTERM and SIGINT: the end within 2 s, whatever it is doing, with the statistics and exit status 0.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Expect, Running, Service, assert_everything_arrived_once, eventually};

/// 2 s are promised; the rest is a loaded machine's.
const WITHIN: Duration = Duration::from_millis(2_500);

#[track_caller]
fn assert_stops(service: Running, signal: Signal, backend: &Backend) {
    let asked = Instant::now();
    service.signal(signal);
    let run = service.wait_within(PATIENCE).exits(0);
    let took = asked.elapsed();
    assert!(took <= WITHIN, "{took:?} after {signal:?}\n{run}");
    let statistics = run
        .stdout
        .split("📊 Statistiques de synchronisation:\n")
        .nth(1)
        .expect("statistics");
    assert_eq!(statistics.trim_end().lines().count(), 4, "{run}");
    backend.works();
}

const SIGNALS: [Signal; 2] = [Signal::TERM, Signal::INT];

#[test]
fn a_signal_while_an_event_waits_for_its_answer() {
    for signal in SIGNALS {
        let (device, backend) = (Device::new(), Backend::start());
        device.events(3);
        let mut requests = 0;
        backend.script(move |_| {
            requests += 1;
            if requests == 2 {
                Act::created().after(Duration::from_secs(8))
            } else {
                Act::created()
            }
        });
        let service = Service::continuous(&device, &backend).start();
        backend.wait_until("the second event", |received| received.len() == 2);
        assert_stops(service, signal, &backend);
        assert_eq!(device.tracked("evenement", 1).unwrap().status, "success");
        assert_eq!(
            device.tracked("evenement", 2),
            None,
            "the row in flight is left for the next run"
        );
        Service::once(&device, &backend).run().exits(0);
        let keys: Vec<_> = backend
            .received()
            .iter()
            .map(|request| request.key().unwrap().to_owned())
            .collect();
        assert_eq!(keys[1], keys[2], "the next run tries the row in flight with its key");
    }
}

#[test]
fn a_signal_in_the_middle_of_a_large_clip() {
    for signal in SIGNALS {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        device.big_clip(8_000_000);
        backend.script(|request| match request.table() {
            "media" => Act::created().slowly(300_000),
            _ => Act::created(),
        });
        let service = Service::continuous(&device, &backend).start();
        backend.wait_until("half a clip", |received| received.len() == 2);
        std::thread::sleep(Duration::from_millis(500));
        assert_stops(service, signal, &backend);
        assert_eq!(backend.stored_count(), 1, "half a clip was stored");
        Service::once(&device, &backend).run().exits(0);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_signal_while_a_server_that_ignores_expectations_is_waited_for() {
    let (device, backend) = (Device::new(), Backend::start());
    device.big_clip(3_000_000);
    backend.always(Act::created().expect(Expect::Ignore).slowly(100_000));
    let service = Service::continuous(&device, &backend).start();
    backend.wait_until("the clip's head", |received| received.len() == 1);
    assert_stops(service, Signal::TERM, &backend);
}

#[test]
fn a_signal_between_two_passes() {
    for (signal, mode) in SIGNALS.into_iter().zip(["continuous", "periodic"]) {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        let mut service = Service::of(&device, &backend.url(), mode).start();
        service.prints("Médias échoués");
        std::thread::sleep(Duration::from_millis(100));
        assert_stops(service, signal, &backend);
        assert_eq!(device.tracking().len(), 1);
    }
}

#[test]
fn a_signal_between_two_tries_of_a_row() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    backend.always(Act::status(503, "bientôt").header("Retry-After", "200"));
    let service = Service::continuous(&device, &backend).start();
    backend.wait_until("the first try", |received| {
        received.len() == 1 && received[0].answered.is_some()
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_stops(service, Signal::TERM, &backend);
    assert_eq!(backend.received().len(), 1, "the server asked for 200 s of peace");
}

#[test]
fn a_signal_while_somebody_else_holds_the_database() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    backend.always(Act::created().after(Duration::from_millis(300)));
    let service = Service::continuous(&device, &backend).start();
    backend.wait_until("the first event", |received| received.len() == 1);
    let db = device.db();
    let held = db.unchecked_transaction().unwrap();
    eventually("the lock is ours", || {
        db.execute("UPDATE capteur SET etat_capteur = 0", []).is_ok()
    });
    backend.wait_until("its answer", |received| received[0].answered.is_some());
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    service.signal(Signal::TERM);
    let run = service.wait_within(PATIENCE).exits_with_words(0);
    assert!(asked.elapsed() <= WITHIN, "{:?}\n{run}", asked.elapsed());
    held.rollback().unwrap();
    backend.works();
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_signal_half_a_second_before_an_answer_doubles_nothing() {
    // A server without keys would take a row that is sent again for another one.
    for clip in [false, true] {
        let (device, backend) = (Device::new(), Backend::without_idempotency());
        if clip {
            device.big_clip(300_000);
        } else {
            device.event();
        }
        backend.always(Act::created().after(Duration::from_millis(500)));
        let service = Service::continuous(&device, &backend).start();
        backend.wait_until("all of the row", |received| {
            received.iter().any(|request| request.complete)
        });
        let asked = Instant::now();
        service.signal(Signal::TERM);
        let run = service.wait_within(PATIENCE).exits(0);
        assert!(
            asked.elapsed() <= Duration::from_secs(2),
            "{:?}\n{run}",
            asked.elapsed()
        );
        let tracked = device.tracking();
        assert_eq!(tracked.len(), 1, "{run}");
        assert_eq!(tracked[0].status, "success", "{run}");
        backend.works();
        Service::once(&device, &backend).run().exits(0);
        assert_eq!(backend.stored_count(), 1, "sent twice");
    }
}

#[test]
fn a_second_signal_changes_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    backend.always(Act::created().after(Duration::from_secs(8)));
    let service = Service::continuous(&device, &backend).start();
    backend.wait_until("the event", |received| received.len() == 1);
    service.signal(Signal::INT);
    assert_stops(service, Signal::TERM, &backend);
}

#[test]
fn a_signal_while_nobody_reads_what_is_printed() {
    let (device, backend) = (Device::new(), Backend::start());
    // More lines than a pipe holds.
    device.many_events(4_000);
    let mut service = Service::continuous(&device, &backend).start_unread();
    let (mut seen, mut since) = (0, Instant::now());
    eventually("the pipe is full and the work stands", || {
        let received = backend.received().len();
        if received != seen {
            (seen, since) = (received, Instant::now());
        }
        seen > 1_000 && since.elapsed() > Duration::from_secs(1)
    });
    assert!(seen < 4_000, "it all fitted, nothing is proven");
    assert_eq!(service.stop_within(WITHIN).code(), Some(0));
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}
