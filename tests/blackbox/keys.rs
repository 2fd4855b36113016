//! `Idempotency-Key`: the same for every try of a row, never the same for two rows.

use std::collections::HashSet;

use crate::support::{Act, Backend, Device, Service};

fn keys(backend: &Backend) -> Vec<String> {
    backend
        .received()
        .iter()
        .map(|request| request.key().expect("a key").to_owned())
        .collect()
}

#[test]
fn the_key_is_a_quoted_uuid_of_version_5() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(20);
    device.clip(b"clip");
    Service::once(&device, &backend).run().exits(0);
    for key in keys(&backend) {
        let uuid = key
            .strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .expect("quotes");
        assert_eq!(uuid::Uuid::parse_str(uuid).unwrap().get_version_num(), 5, "{key}");
    }
    assert_eq!(
        keys(&backend).iter().collect::<HashSet<_>>().len(),
        21,
        "two rows shared a key"
    );
}

#[test]
fn a_row_repeats_its_key_however_it_failed_and_whatever_restarts() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    backend.acts([
        Act::status(400, "no"),
        Act::stored_but_says("{}"),
        Act::reset_after_storing(),
        Act::status(500, "oops"),
    ]);
    for _ in 0..3 {
        Service::once(&device, &backend).run();
    }
    device.sql("DELETE FROM sync_tracking");
    Service::once(&device, &backend).run().exits(0);
    let keys = keys(&backend);
    assert!(keys.len() >= 5, "{keys:?}");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(backend.stored_count(), 1);
}

#[test]
fn an_event_and_a_clip_of_the_same_id_and_date_have_different_keys() {
    let (device, backend) = (Device::new(), Backend::start());
    let date = device.next_date();
    assert_eq!(device.event_at(&date, 4), device.clip_at(&date, 4, 1, b""));
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(keys(&backend).iter().collect::<HashSet<_>>().len(), 2);
}

#[test]
fn a_reflashed_device_repeats_no_key() {
    // Same DEVICE_ID, same ids, same dates, another database.
    let backend = Backend::start();
    for _ in 0..2 {
        let device = Device::new();
        device.event_at("2025-12-18T17:30:00", 1);
        Service::once(&device, &backend).run().exits(0);
    }
    assert_eq!(
        backend.stored_count(),
        2,
        "the new device's event was taken for the old one's"
    );
}

#[test]
fn a_cloned_device_repeats_no_key() {
    let (original, backend) = (Device::new(), Backend::start());
    Service::once(&original, &backend).run().exits(0);
    let clone = Device::new();
    std::fs::copy(original.path(), clone.path()).unwrap();
    original.event_at("2025-12-18T17:30:00", 1);
    clone.event_at("2025-12-18T17:30:00", 1);
    Service::once(&original, &backend).run().exits(0);
    Service::once(&clone, &backend)
        .env("DEVICE_ID", "raspberry-2")
        .run()
        .exits(0);
    assert_eq!(backend.stored_count(), 2);
}

#[test]
fn a_database_restored_from_an_older_copy_repeats_no_key() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    Service::once(&device, &backend).run().exits(0);
    let copy = device.folder().join("copy.db");
    std::fs::copy(device.path(), &copy).unwrap();
    let lost = device.event();
    Service::once(&device, &backend).run().exits(0);
    std::fs::rename(&copy, device.path()).unwrap();
    assert_eq!(device.event(), lost, "the id is handed out again");
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 3, "the new event was taken for the lost one");
}

#[test]
fn a_server_that_has_the_row_already_is_believed() {
    let (device, backend) = (Device::new(), Backend::start());
    let event = device.event();
    backend.always(Act::status(409, r#"{"id":77,"message":"déjà là"}"#));
    Service::once(&device, &backend).run().exits(0);
    let row = device.tracked("evenement", event).unwrap();
    assert_eq!((row.status.as_str(), row.remote_id), ("success", Some(77)));
}
