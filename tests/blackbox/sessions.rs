//! Whole sessions, byte for byte: a server that names nothing beyond the contract sees what it always saw.

use crate::support::random::video;
use crate::support::sessions::TappedLine;
use crate::support::{Act, Backend, Device, Expect, Service, eventually};

/// Sessions of the version before there were extensions. `SYNC_TEST_WRITE_SESSIONS=1` writes them anew, for a change of
/// the contract that is meant.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/blackbox/sessions.txt");

/// A device whose rows are always the same, and so their keys: one event, by which a server is known.
fn device() -> Device {
    let device = Device::new();
    let backend = Backend::start();
    // Our tables; nothing is sent.
    Service::once(&device, &backend).run().exits(0);
    device.sql("UPDATE sync_meta SET value = '00000000-0000-4000-8000-000000000007' WHERE key = 'database_id'");
    device.event_at("2025-12-18T17:30:00.000001", 1);
    device
}

/// Events, clips on both sides of 1 MB, and a way to fail for most of them.
fn rows_and_acts(device: &Device) -> Vec<Act> {
    for second in 1..=5 {
        device.event_at(&format!("2025-12-18T17:30:0{second}.5"), second);
    }
    for (second, bytes) in [(1, 3_000), (2, 300_000), (3, 1_500_000), (4, 1_400_000), (5, 1)] {
        device.clip_at(&format!("2025-12-18T18:30:0{second}.5"), 4, 1, &video(second, bytes));
    }
    vec![
        Act::created(),
        Act::status(503, "later"),
        Act::created(),
        Act::reset_unstored(),
        Act::created(),
        Act::status(400, "no"),
        Act::stored_but_says("{}"),
        Act::created(),
        Act::status(502, "later"),
        Act::created(),
        Act::status(413, "too long").expect(Expect::AnswerFirst),
        Act::created(),
        Act::status(500, "no"),
    ]
}

/// The sessions of a pass with every failure, and of one that mends them.
fn with_failures(device: &Device, url: &str, server: &Backend, line: &TappedLine) -> String {
    server.acts(rows_and_acts(device));
    Service::of(device, url, "once").run().exits(1);
    let first = line.transcript();
    Service::of(device, url, "once").run().exits(0);
    assert_eq!(device.value::<i64>("SELECT count(*) FROM sync_uploaded"), 11);
    format!(
        "##### a pass with failures\n{first}##### what was refused, tried again\n{}",
        line.transcript()
    )
}

#[track_caller]
fn assert_same(kept: &str, seen: &str) {
    for (number, (was, is)) in kept.lines().zip(seen.lines()).enumerate() {
        assert_eq!(is, was, "line {}", number + 1);
    }
    assert_eq!(seen.len(), kept.len(), "one of them goes on:\n{seen}");
}

#[test]
fn a_server_that_names_no_extension_sees_byte_for_byte_what_it_always_saw() {
    let (device, server) = (device(), Backend::start());
    let line = TappedLine::to(&server.url());
    Service::of(&device, &line.url, "once").run().exits(0);
    let mut seen = format!("##### the first event\n{}", line.transcript());
    seen += &with_failures(&device, &line.url, &server, &line);
    if std::env::var_os("SYNC_TEST_WRITE_SESSIONS").is_some() {
        std::fs::write(KEPT, &seen).unwrap();
    }
    assert_same(&std::fs::read_to_string(KEPT).unwrap(), &seen);
}

#[test]
fn what_one_server_names_changes_nothing_for_another_that_names_nothing() {
    let (device, first, second) = (device(), Backend::start(), Backend::start());
    let line = TappedLine::to(&second.url());
    first.script(|request| {
        let act = match request.method.as_str() {
            "PUT" => Act::status(204, ""),
            _ => Act::created(),
        };
        act.header("Sync-Extensions", "batch, uploads, status")
    });
    let both = format!("{},{}", first.url(), line.url);
    Service::of(&device, &both, "once").run().exits(0);
    eventually("the first server was told how the device is", || {
        first.received().iter().any(|request| request.method == "PUT")
    });
    first.refuse();
    let seen = with_failures(&device, &both, &second, &line);
    let kept = std::fs::read_to_string(KEPT).unwrap();
    assert_same(&kept[kept.find("##### a pass with failures").unwrap()..], &seen);
}
