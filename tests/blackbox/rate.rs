//! `SYNC_MAX_RATE_KBPS`: the line stays usable.

use std::time::Instant;

use chrono::{TimeDelta, Utc};

use crate::support::{Backend, Device, Service};

#[test]
fn a_single_clip_keeps_the_rate_within_five_percent() {
    let (device, backend) = (Device::new(), Backend::start());
    // 3 MB are 4 MB of base64: 8 s at 500 kB/s.
    assert_rate(4_000.0, 500.0, |rate| {
        device.big_clip(3_000_000);
        let once = Service::once(&device, &backend).env("SYNC_COMPRESSION", "none");
        once.env("SYNC_MAX_RATE_KBPS", rate).run().exits(0);
    });
}

/// A pass that sends so many kB is never faster than `rate`, and slower by little more than what the same pass takes that has
/// no limit.
pub fn assert_rate(kb: f64, rate: f64, pass: impl Fn(&str)) {
    let took_s = |limit: &str| {
        let begun = Instant::now();
        pass(limit);
        begun.elapsed().as_secs_f64()
    };
    let (free_s, limited_s) = (took_s("off"), took_s(&rate.to_string()));
    let (least_s, most_s) = (kb / rate / 1.05, free_s + kb / rate * 1.2);
    assert!(
        (least_s..=most_s).contains(&limited_s),
        "{limited_s} s with the limit, {free_s} s without"
    );
}

/// A timetable in which `now` holds from an hour ago for two hours (UTC), and `other` else.
pub fn now_and_else(now: &str, other: &str) -> String {
    let at = |minutes| (Utc::now() + TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    format!("{},{now} {},{other}", at(-60), at(60))
}

#[test]
fn clips_wait_where_the_timetable_says_0_and_events_go() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    device.big_clip(10_000);
    let once = |rate: String| Service::once(&device, &backend).env("SYNC_MAX_RATE_KBPS", rate);
    let run = once(now_and_else("0", "off")).run().exits(1);
    assert!(
        run.stdout.contains("⏳ En attente : 0 événement(s), 1 média(s)"),
        "{run}"
    );
    assert!(run.stdout.contains("⏸️  Les vidéos attendent jusqu'au 20"), "{run}");
    assert!(run.stdout.contains("Médias échoués          :   0"), "{run}");
    assert_eq!(backend.received_for("evenement").len(), 2);
    assert_eq!(backend.received_for("media").len(), 0);
    assert_eq!(device.tracked("media", 1), None, "waiting, not failed");
    // The same line by the clock of another zone, where it is another time of day.
    let elsewhere = once(now_and_else("0", "off")).env("TZ", "<+09>-9").run().exits(0);
    assert!(!elsewhere.stdout.contains("attendent"), "{elsewhere}");
    assert_eq!(backend.received_for("media").len(), 1);
}

#[test]
fn the_timetable_sets_the_rate_of_now() {
    let (device, backend) = (Device::new(), Backend::start());
    // 300 kB are 400 kB of base64: 2 s at 200 kB/s.
    device.big_clip(300_000);
    let run = Service::once(&device, &backend)
        .env("SYNC_MAX_RATE_KBPS", now_and_else("200", "off"))
        .env("SYNC_COMPRESSION", "none")
        .run()
        .exits(0);
    assert!(run.took.as_secs_f64() >= 1.9, "{run}");
}

#[test]
fn status_says_what_holds_and_until_when() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let status = |words: &[&str]| {
        let run = Service::command(words)
            .env("LOCAL_DB_PATH", device.path())
            .run()
            .exits(0);
        run.stdout
    };
    for (now, other, text, kbps, clips_wait) in [
        (
            "0",
            "off",
            "🚦 Débit : les vidéos attendent jusqu'au 20",
            serde_json::json!(null),
            true,
        ),
        (
            "70",
            "0",
            "🚦 Débit : 70 ko/s jusqu'au 20",
            serde_json::json!(70),
            false,
        ),
        (
            "off",
            "50",
            "🚦 Débit : sans limite jusqu'au 20",
            serde_json::json!(null),
            false,
        ),
        ("50", "50", "🚦 Débit : 50 ko/s\n", serde_json::json!(50), false),
    ] {
        let mut service = Service::continuous(&device, &backend)
            .env("SYNC_MAX_RATE_KBPS", now_and_else(now, other))
            .start();
        service.prints("Médias échoués");
        assert!(status(&["status"]).contains(text), "{}", status(&["status"]));
        let json: serde_json::Value = serde_json::from_str(&status(&["status", "--json"])).unwrap();
        assert_eq!(json["rate"]["kbps"], kbps, "{json}");
        assert_eq!(json["rate"]["clips_wait"], clips_wait, "{json}");
        assert_eq!(json["rate"]["until"].is_string(), now != other, "{json}");
        service.stop().exits(0);
    }
    let service = Service::continuous(&device, &backend).start();
    backend.wait_until("the event", |received| !received.is_empty());
    assert!(!status(&["status"]).contains("Débit"));
    service.stop().exits(0);
}
