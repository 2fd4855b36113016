//! When passes happen: once, on a grid, or an interval after each other.

use std::time::{Duration, Instant};

use crate::support::{Act, Backend, Device, Service};

const REPORT: &str = "Rapport de Synchronisation";

fn seconds_between(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64()
}

#[test]
fn once_makes_one_pass_and_ends() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let run = Service::once(&device, &backend).run().exits(0);
    assert_eq!(run.stdout.matches(REPORT).count(), 1);
}

#[test]
fn once_says_by_its_exit_status_that_rows_are_left() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    backend.acts([Act::status(400, "no")]);
    Service::once(&device, &backend).run().exits(1);
    assert_eq!(backend.stored_count(), 1);
    // Failed rows are due again on every run by hand.
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 2);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 3);
}

#[test]
fn continuous_sends_at_once_and_then_what_came_in_each_interval() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    backend.wait_until("the first event", |received| received.len() == 1);
    device.event();
    device.clip(b"clip");
    backend.wait_until("what came later", |received| received.len() == 3);
    let passes = service.stdout().matches(REPORT).count();
    service.prints_times(REPORT, passes + 2);
    let run = service.stop().exits(0);
    assert_eq!(backend.received().len(), 3, "an idle pass sent something");
    assert!(run.stdout.contains("   evenement    - success :    2\n"), "{run}");
}

#[test]
fn continuous_waits_a_whole_interval_after_a_pass_ends() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let slow = Duration::from_millis(1_500);
    backend.acts([Act::created().after(slow)]);
    // 2.4 s, ± 10 %.
    let service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.04")
        .start();
    backend.wait_until("the first", |received| received.len() == 1);
    device.event();
    backend.wait_until("the second", |received| received.len() == 2);
    let received = backend.received();
    let apart = seconds_between(received[0].at.unwrap(), received[1].at.unwrap());
    assert!(apart > 1.5 + 2.4 * 0.9 - 0.05, "{apart} s");
    service.stop().exits(0);
}

#[test]
fn periodic_keeps_to_its_grid_however_long_a_pass_takes() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let feeder = device.path();
    let layout = device.layout;
    let mut date = 0;
    backend.script(move |_| {
        // A new row for every pass, and every pass takes 1.2 s of its 3.
        date += 1;
        crate::support::device::insert_event(&feeder, layout, &format!("2026-01-01T00:00:{date:02}"), 1).unwrap();
        Act::created().after(Duration::from_millis(1_200))
    });
    let service = Service::of(&device, &backend.url(), "periodic")
        .env("SYNC_INTERVAL_MINUTES", "0.05")
        .start();
    backend.wait_until("three passes", |received| received.len() == 3);
    let times: Vec<Instant> = backend.received().iter().map(|request| request.at.unwrap()).collect();
    for (k, time) in times.iter().enumerate() {
        let off = seconds_between(times[0], *time) - 3.0 * k as f64;
        // On the grid within a loaded machine's second; waiting after the pass would be 1.2 s off, then 2.4.
        assert!(off.abs() < 1.1, "pass {k} was {off} s off its grid");
    }
    service.stop().exits(0);
}

#[test]
fn a_service_that_is_started_again_goes_on_where_it_stopped() {
    let (device, backend) = (Device::new(), Backend::start());
    for _ in 0..3 {
        device.events(5);
        let mut service = Service::continuous(&device, &backend).start();
        service.prints(REPORT);
        service.stop().exits(0);
    }
    assert_eq!(backend.received().len(), 15);
}
