//! Both programs together: what the device holds is what the receiver holds.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::random::video;
use crate::support::receiver::Receiver;
use crate::support::service::most_kb;
use crate::support::{Device, Journal, Layout, Service, eventually, expected};

/// Every row of the device is at the receiver exactly once, under the id that `sync_tracking` says.
#[track_caller]
pub fn assert_receiver_holds_everything(device: &Device, receiver: &Receiver) {
    let mut holds = receiver.holds();
    let tracking = device.tracking().into_iter();
    let remote: HashMap<(String, i64), i64> = tracking
        .map(|row| ((row.table, row.local_id), row.remote_id.unwrap()))
        .collect();
    for row in expected::rows(device, "raspberry-1") {
        let remote_id = remote[&(row.table.to_owned(), row.id)];
        let held = holds.remove(&(row.table, remote_id)).expect("it is at the receiver");
        assert_eq!((held.outline, held.video), (row.outline, row.video));
    }
    assert!(holds.is_empty(), "the receiver holds more than the device: {holds:?}");
}

fn with_rows(layout: Layout) -> Device {
    let device = Device::with(layout, Journal::Delete);
    device.events(30);
    for len in [0, 1, 1_000, 700_000, 3_000_000] {
        device.clip(&video(len as u64, len));
    }
    device
}

#[test]
fn a_run_brings_everything_to_the_receiver_and_a_second_run_nothing() {
    for layout in Layout::ALL {
        let (device, receiver) = (with_rows(layout), Receiver::start());
        Service::of(&device, &receiver.url, "once").run().exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        let second = Service::of(&device, &receiver.url, "once").run().exits(0);
        assert!(
            second.stdout.contains("✅ Tous les médias sont déjà synchronisés"),
            "{second}"
        );
        assert_receiver_holds_everything(&device, &receiver);
        assert_eq!(receiver.files().1, 0, "something was left behind");
        receiver.stop();
    }
}

#[test]
fn rows_sent_again_are_not_stored_again() {
    let (device, receiver) = (with_rows(Layout::Current), Receiver::start());
    for coding in ["none", "gzip", "zstd", "auto"] {
        Service::of(&device, &receiver.url, "once")
            .env("SYNC_COMPRESSION", coding)
            .run()
            .exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        device.sql("DELETE FROM sync_tracking");
    }
    assert_eq!(receiver.files(), (5, 0));
    receiver.stop();
}

#[test]
fn every_coding_arrives_byte_for_byte() {
    for coding in ["none", "gzip", "zstd"] {
        let (device, receiver) = (with_rows(Layout::Current), Receiver::start());
        Service::of(&device, &receiver.url, "once")
            .env("SYNC_COMPRESSION", coding)
            .run()
            .exits(0);
        assert_receiver_holds_everything(&device, &receiver);
        receiver.stop();
    }
}

#[test]
fn odd_rows_are_stored_as_they_are() {
    let (device, receiver) = (Device::new(), Receiver::start());
    device.sql(
        "DROP TABLE evenement; CREATE TABLE evenement (id_evenement INTEGER PRIMARY KEY AUTOINCREMENT, date, id_capteur)",
    );
    device.sql("INSERT INTO evenement (date, id_capteur) VALUES (NULL, 1), (17.5, 99), (5, NULL), ('', 'x')");
    device.clip_at(&device.next_date(), 99, 2, b"clip");
    Service::of(&device, &receiver.url, "once").run().exits(0);
    assert_receiver_holds_everything(&device, &receiver);
    receiver.stop();
}

#[test]
fn an_upload_broken_off_leaves_nothing_at_the_receiver() {
    let (device, receiver) = (Device::new(), Receiver::start());
    // Our tables; and what was known of a server before it took uploads that go on after a break.
    Service::of(&device, &receiver.url, "once").run().exits(0);
    let known = format!("extensions {}", receiver.url);
    let kept = device
        .db()
        .execute("INSERT INTO sync_meta (key, value) VALUES (?, '')", [known]);
    assert_eq!(kept, Ok(1));
    device.big_clip(60_000_000);
    // At 4 MB/s it is far from its end when the power goes.
    let service = Service::of(&device, &receiver.url, "once")
        .env("SYNC_MAX_RATE_KBPS", "4000")
        .start();
    eventually("the clip is on its way", || receiver.files().1 == 1);
    std::thread::sleep(Duration::from_millis(300));
    service.kill();
    eventually("the half clip is gone", || receiver.files() == (0, 0));
    assert!(receiver.holds().is_empty());
    Service::of(&device, &receiver.url, "once").run().exits(0);
    assert_receiver_holds_everything(&device, &receiver);
    receiver.stop();
}

#[test]
fn the_receivers_memory_does_not_grow_with_the_clip() {
    let (device, receiver) = (Device::new(), Receiver::start());
    device.big_clip(100_000_000);
    Service::of(&device, &receiver.url, "once").run().exits(0);
    let peak = receiver.peak_kb();
    println!("peak {peak} KB");
    assert!(peak <= most_kb(32), "{peak} KB");
    assert_receiver_holds_everything(&device, &receiver);
    receiver.stop();
}
