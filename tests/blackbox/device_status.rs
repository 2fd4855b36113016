//! How the device is, told to a server that wants to know, beside the work and never in its way.

use std::time::Duration;

use serde_json::Value;

use crate::support::backend::Received;
use crate::support::tls::{Authority, Site};
use crate::support::{Act, Backend, Device, Service, eventually};

const STATUS: &str = "/api/devices/raspberry-1/status";

/// Rows are stored, every answer names the extension, and statuses are met with `status`.
fn wants(backend: &Backend, status: Act) {
    backend.script(move |request| {
        let act = if request.method == "PUT" {
            status.clone()
        } else {
            Act::created()
        };
        act.header("Sync-Extensions", "status")
    });
}

fn statuses(backend: &Backend) -> Vec<Received> {
    let is_status = |request: &Received| request.method == "PUT";
    backend.received().into_iter().filter(is_status).collect()
}

fn body(request: &Received) -> Value {
    assert!(request.body.len() <= 4_096, "{}", request.text());
    serde_json::from_str(request.text()).unwrap()
}

#[test]
fn a_server_that_wants_to_know_is_told_at_the_start_and_at_the_end() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    wants(&backend, Act::status(204, ""));
    Service::once(&device, &backend)
        .env("BACKEND_TOKEN", "s3cret")
        .run()
        .exits(0);
    let first = statuses(&backend);
    assert_eq!(first.len(), 1, "nothing was known at its start: {first:?}");
    assert_eq!(first[0].path, STATUS);
    assert_eq!(first[0].header("authorization"), Some("Bearer s3cret"));
    let told = body(&first[0]);
    assert_eq!(told["version"], 1);
    assert_eq!(told["service"], Value::Null, "it ends");
    assert_eq!(told["tables"]["evenement"]["done"], 2);
    assert_eq!(told["tables"]["media"]["waiting"], 0);
    assert_eq!(told["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["backend"], backend.url());
    assert!(told["disk"]["free_bytes"].as_u64().unwrap() <= told["disk"]["total_bytes"].as_u64().unwrap());
    assert_eq!(told["utc_offset_s"], 0);
    let clock_s = told["clock_unix_ms"].as_i64().unwrap() / 1_000;
    assert!((chrono::Utc::now().timestamp() - clock_s).abs() < 60, "{told}");

    device.event();
    Service::once(&device, &backend)
        .env("TZ", "<+0530>-5:30")
        .run()
        .exits(0);
    let later = statuses(&backend);
    assert_eq!(later.len(), 3, "{later:?}");
    let start = body(&later[1]);
    assert_eq!(start["utc_offset_s"], 19_800, "by its own zone");
    let clocks = [told, start.clone(), body(&later[2])].map(|told| told["clock_unix_ms"].as_i64().unwrap());
    assert!(
        clocks.iter().any(|ms| ms % 1_000 != 0),
        "to the millisecond: {clocks:?}"
    );
    assert_eq!(start["service"]["mode"], "once");
    assert_eq!(start["tables"]["evenement"]["waiting"], 1);
    assert_eq!(body(&later[2])["tables"]["evenement"]["done"], 3);
}

#[test]
fn passes_that_follow_each_other_are_told_once_a_minute() {
    let (device, backend) = (Device::new(), Backend::start());
    wants(&backend, Act::status(204, ""));
    device.event();
    let service = Service::of(&device, &backend.url(), "realtime").start();
    backend.wait_until("a status", |received| received.iter().any(|one| one.method == "PUT"));
    for count in 2..6 {
        device.event();
        eventually("the event is there", || backend.stored_count() == count);
    }
    assert_eq!(statuses(&backend).len(), 1);
    service.stop().exits(0);
    let all = statuses(&backend);
    assert_eq!(all.len(), 2, "{all:?}");
    let first = body(&all[0]);
    assert_eq!(first["service"]["mode"], "realtime");
    assert_eq!(first["service"]["interval_s"], 300.0);
    assert!(first["service"]["last_pass"].as_i64() <= first["service"]["next_pass"].as_i64());
    assert_eq!(body(&all[1])["tables"]["evenement"]["done"], 5);
}

#[test]
fn certificates_are_read_at_the_start_and_not_for_each_status() {
    let device = Device::new();
    device.event();
    let authority = Authority::new(device.folder());
    let site = Site::with_headers("Sync-Extensions: status\r\n", authority.certificate("127.0.0.1"), None);
    let service = Service::of(&device, &site.url(), "realtime").env("BACKEND_CA_FILE", authority.file());
    let service = service.start();
    eventually("an event and a status", || site.requests() == 2);
    std::fs::remove_file(authority.file()).unwrap();
    service.stop().exits(0);
    assert_eq!(site.requests(), 3, "the last status");
}

#[test]
fn a_server_that_hangs_over_a_status_holds_up_neither_a_row_nor_a_stop() {
    let (device, backend) = (Device::new(), Backend::start());
    wants(&backend, Act::status(204, "").after(Duration::from_secs(30)));
    device.event();
    let service = Service::of(&device, &backend.url(), "realtime").start();
    backend.wait_until("a status", |received| received.iter().any(|one| one.method == "PUT"));
    device.event();
    eventually("the event is there", || backend.stored_count() == 2);
    let asked = std::time::Instant::now();
    service.stop().exits(0);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn a_server_that_does_not_name_it_is_told_nothing() {
    for named in ["", "batch", "uploads"] {
        let (device, backend) = (Device::new(), Backend::start());
        backend.always(Act::created().header("Sync-Extensions", named));
        device.events(2);
        for _ in 0..2 {
            Service::once(&device, &backend).run().exits(0);
        }
        assert_eq!(statuses(&backend).len(), 0, "{named:?}");
    }
}

#[test]
fn a_status_that_is_refused_is_no_trouble() {
    for refused in [404, 500] {
        let (device, backend) = (Device::new(), Backend::start());
        wants(&backend, Act::status(refused, "no"));
        device.events(2);
        Service::once(&device, &backend).run().exits(0);
        assert_eq!((statuses(&backend).len(), backend.stored_count()), (1, 2));
    }
}
