//! Ids that start over: the recorder empties its tables, or makes them anew.

use crate::support::{Backend, Device, Journal, Layout, Recorder, Service, eventually};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const EMPTIED: &str =
    "DELETE FROM evenement; DELETE FROM media; DELETE FROM sqlite_sequence WHERE name IN ('evenement', 'media');";

fn uploaded(device: &Device) -> i64 {
    device.value("SELECT count(*) FROM sync_uploaded")
}

#[test]
fn new_rows_with_old_ids_are_sent_and_said_and_none_is_called_uploaded_before() {
    for layout in Layout::ALL {
        for new in [100, 300, 400] {
            let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
            device.events(300);
            device.clip(b"old clip");
            Service::once(&device, &backend).run().exits(0);
            assert_eq!(uploaded(&device), 301);
            device.sql(EMPTIED);
            device.events(new);
            device.clip(b"new clip");
            assert_eq!(uploaded(&device), 0, "the clean-up may delete none of them");
            let check = Service::command(&["check"]).on(&device, &backend.url(), "once").run();
            assert!(
                check.stdout.contains("Identifiants de evenement recommencés"),
                "{check}"
            );
            let run = Service::once(&device, &backend).run().exits_with_words(0);
            assert!(run.stderr.contains("the ids of evenement started over"), "{run}");
            assert!(
                run.stdout.contains(&format!("   {new} événement(s) à synchroniser\n")),
                "{run}"
            );
            assert_eq!(backend.stored_count(), 301 + new + 1);
            assert_eq!(uploaded(&device), new as i64 + 1);
            assert_eq!(device.value::<i64>("SELECT count(*) FROM sync_archive"), 301);
            let check = Service::command(&["check"]).on(&device, &backend.url(), "once").run();
            assert!(
                check
                    .stdout
                    .contains("Identifiants de evenement déjà recommencés 1 fois"),
                "{check}"
            );
            Service::once(&device, &backend).run().exits(0);
            assert_eq!(backend.stored_count(), 301 + new + 1);
        }
    }
}

#[test]
fn a_kill_in_the_middle_of_setting_the_old_apart_loses_and_doubles_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(40_000);
    device.python_sent_all_events_but("");
    for _ in 0..2 {
        Service::once(&device, &backend).run().exits(0);
    }
    device.sql(EMPTIED);
    device.events(50);
    let archived = || device.value::<i64>("SELECT count(*) FROM sync_archive");
    let tracked = || device.value::<i64>("SELECT count(*) FROM sync_tracking");
    let mut kills = 0;
    for _ in 0..4 {
        let before = archived();
        let service = Service::once(&device, &backend).start();
        eventually("some are moved", || archived() > before + 1_000);
        service.kill();
        kills += i32::from(archived() < 40_000);
        assert_eq!(archived() + tracked(), 40_000);
        assert_eq!(uploaded(&device), 0);
    }
    assert_eq!(kills, 4, "none came in the middle");
    Service::once(&device, &backend).run().exits_with_words(0);
    assert_eq!((archived(), tracked(), uploaded(&device)), (40_000, 50, 50));
    assert_eq!(backend.stored_count(), 50);
    let ids = "SELECT count(DISTINCT local_id) FROM sync_archive WHERE generation = 1 AND sync_status = 'success'";
    assert_eq!(device.value::<i64>(ids), 40_000);
}

#[test]
fn a_stop_ends_the_setting_apart_and_signs_of_life_come_meanwhile() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(40_000);
    device.python_sent_all_events_but("");
    for _ in 0..2 {
        Service::once(&device, &backend).run().exits(0);
    }
    device.sql(EMPTIED);
    device.event();
    let path = device.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let service = Service::continuous(&device, &backend)
        .env("NOTIFY_SOCKET", &path)
        .start();
    let archived = || device.value::<i64>("SELECT count(*) FROM sync_archive");
    eventually("some are moved", || archived() > 1_000);
    while socket.recv(&mut [0; 4_096]).is_ok() {}
    let mut heard = [0; 4_096];
    let mut count = 0;
    eventually("a sign of life", || {
        count = socket.recv(&mut heard).unwrap_or(0);
        count > 0
    });
    assert_eq!(String::from_utf8_lossy(&heard[..count]).trim(), "WATCHDOG=1");
    service.stop().exits_with_words(0);
    let moved = archived();
    assert!(moved < 40_000, "the stop waited for all of it");
    assert_eq!(backend.stored_count(), 0);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!((archived(), backend.stored_count()), (40_000, 1));
}

#[test]
fn the_recorder_does_not_wait_for_the_old_to_be_set_apart() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(10_000);
    device.python_sent_all_events_but("");
    for _ in 0..2 {
        Service::once(&device, &backend).run().exits(0);
    }
    device.sql(EMPTIED);
    device.event();
    let recorder = Recorder::start(&device, Journal::Delete, Duration::from_millis(50));
    Service::once(&device, &backend).run().exits_with_words(0);
    let day = recorder.stop();
    assert_eq!(device.value::<i64>("SELECT count(*) FROM sync_archive"), 10_000);
    assert!(
        day.failed.is_empty() && day.slowest < Duration::from_millis(250),
        "{day:?}"
    );
}
