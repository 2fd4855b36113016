//! One service per database, whatever lies, is read or is deleted beside it.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::support::{Backend, Device, Service};

fn lock_file(device: &Device) -> PathBuf {
    device.folder().join("surveillance.db.sync-service")
}

/// What tells which tables there are.
fn schema(device: &Device) -> i64 {
    device.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sync_%'")
}

#[test]
fn what_a_link_in_the_locks_place_leads_to_is_not_touched() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let victim = device.folder().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, lock_file(&device)).unwrap();
    let run = Service::once(&device, &backend).run();
    assert_eq!(run.code(), Some(2), "{run}");
    assert!(run.stderr.contains("surveillance.db.sync-service"), "{run}");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(backend.received().is_empty());
    assert_eq!(schema(&device), 0, "it wrote without the lock");
    std::fs::remove_file(lock_file(&device)).unwrap();
    Service::once(&device, &backend).run().exits(0);
}

#[test]
fn a_pipe_in_the_locks_place_is_refused_and_not_waited_for() {
    let (device, backend) = (Device::new(), Backend::start());
    let made = std::process::Command::new("mkfifo")
        .arg(lock_file(&device))
        .status()
        .unwrap();
    assert!(made.success());
    let run = Service::once(&device, &backend).run_within(Duration::from_secs(10));
    assert_eq!(run.code(), Some(2), "{run}");
    let status = Service::command(&["status"])
        .env("LOCAL_DB_PATH", device.path())
        .run_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn nothing_is_written_to_a_database_that_another_service_has() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let file = File::create(lock_file(&device)).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    let run = Service::once(&device, &backend).run();
    assert_eq!(run.code(), Some(2), "{run}");
    assert_eq!(schema(&device), 0, "our tables were made by who has no right to");
}

#[test]
fn who_only_looks_keeps_no_service_from_starting() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let file = File::create(lock_file(&device)).unwrap();
    flock(&file, FlockOperation::NonBlockingLockShared).unwrap();
    let looking = std::thread::spawn(move || {
        // As long as `status` of a slow device.
        std::thread::sleep(Duration::from_millis(150));
        drop(file);
    });
    Service::once(&device, &backend).run().exits(0);
    looking.join().unwrap();
    assert_eq!(backend.stored_count(), 1);
}

#[test]
fn no_second_service_starts_when_the_files_of_the_first_are_deleted() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let mut first = Service::continuous(&device, &backend).start();
    first.prints("Médias échoués");
    for entry in std::fs::read_dir(device.folder()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    device.create_database();
    device.event();
    for mode in ["once", "continuous"] {
        let second = Service::of(&device, &backend.url(), mode).run_within(Duration::from_secs(10));
        assert_eq!(second.code(), Some(2), "{second}");
        assert!(second.stderr.contains("Une autre instance"), "{second}");
    }
    assert_eq!(backend.stored_count(), 1, "the second one sent");
    first.stop().exits_with_words(0);
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 2);
}

#[test]
fn a_lock_file_that_was_deleted_is_made_again() {
    let (device, backend) = (Device::new(), Backend::start());
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints("Médias échoués");
    std::fs::remove_file(lock_file(&device)).unwrap();
    service.prints_times("Médias échoués", 4);
    let status = Service::command(&["status"]).env("LOCAL_DB_PATH", device.path()).run();
    assert!(status.stdout.contains(&service.pid().to_string()), "{status}");
    service.stop().exits(0);
}
