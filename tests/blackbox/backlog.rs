//! Cost follows new work: not the backlog, not the history.

use std::time::Duration;

use crate::support::service::most_kb;
use crate::support::{Act, Backend, Device, Service, assert_everything_arrived_once};

#[test]
fn ten_thousand_events_go_in_one_run() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(10_000);
    let run = Service::once(&device, &backend)
        .run_within(Duration::from_secs(300))
        .exits(0);
    println!("10,000 events in {:?}, peak {} KB", run.took, run.peak_kb);
    assert!(run.stdout.contains("   10000 événement(s) à synchroniser\n"));
    assert!(run.stdout.contains("   evenement    - success :"));
    assert_eq!(backend.received().len(), 10_000, "a row was tried twice");
    assert!(
        backend.received().iter().all(|request| request.connection == 0),
        "connections were thrown away"
    );
    assert_everything_arrived_once(&device, &backend);
    assert!(run.peak_kb <= most_kb(16), "{} KB", run.peak_kb);
}

#[test]
fn a_hundred_thousand_rows_waiting_for_a_server_that_is_down_cost_seconds_and_no_memory() {
    let (device, backend) = (Device::new(), Backend::refusing());
    device.many_events(100_000);
    let run = Service::once(&device, &backend).run().exits(1);
    println!("100,000 events in {:?}, peak {} KB", run.took, run.peak_kb);
    assert!(run.took < Duration::from_secs(15), "{:?}", run.took);
    assert!(run.peak_kb <= most_kb(16), "{} KB", run.peak_kb);
    assert_eq!(device.tracking().len(), 1, "only the row that was tried is marked");
    assert!(run.stdout.contains("99999"), "the rows left waiting are said\n{run}");
}

#[test]
fn ten_thousand_waiting_rows_cost_one_rows_tries() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(10_000);
    device.clip(b"clip");
    backend.always(Act::status(503, "plus tard"));
    let run = Service::once(&device, &backend).run().exits(1);
    let received = backend.received();
    assert_eq!(received.len(), 3, "a row is tried three times, and it is the only one");
    assert!(received.iter().all(|request| request.key() == received[0].key()));
    assert_eq!(device.tracking().len(), 1);
    assert!(run.stdout.contains("9999"), "the rows left waiting are said\n{run}");
}

#[test]
fn a_pass_with_nothing_new_does_not_read_the_history() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(200_000);
    device.python_sent_all_events_but("");
    let report = "Rapport de Synchronisation";
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints_times(report, 2);
    let before = service.read_bytes();
    service.prints_times(report, 6);
    let passes = service.stdout().matches(report).count() as u64 - 2;
    let each = (service.read_bytes() - before) / passes.min(5);
    let run = service.stop().exits(0);
    println!(
        "{each} bytes read a pass, {} bytes of database",
        std::fs::metadata(device.path()).unwrap().len()
    );
    assert!(each < 400_000, "{each} bytes read in a pass with nothing to do");
    assert!(backend.received().is_empty(), "{run}");
    assert!(run.peak_kb <= most_kb(16), "{} KB", run.peak_kb);
}

#[test]
fn one_new_row_on_a_long_history_is_found() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(50_000);
    device.python_sent_all_events_but("777");
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 1);
    let new = device.event();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 2);
    assert_eq!(device.tracked("evenement", new).unwrap().status, "success");
}
