//! A start that cannot succeed: status 2 and one line that says what is wrong and what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::support::service::Run;
use crate::support::{Backend, Device, Journal, Layout, Service};

/// Ended with status 2 and one line that names the file.
#[track_caller]
fn assert_refused(run: &Run, path: &Path) {
    assert_eq!(run.code(), Some(2), "{run}");
    let told = run.stderr.trim_end();
    assert_eq!(told.lines().count(), 1, "{run}");
    assert!(told.contains(path.to_str().unwrap()), "{run}");
    assert!(!told.contains("panicked"), "{run}");
}

fn folder_with(name: &str, content: &[u8]) -> Device {
    let device = Device::empty_folder(Layout::Current);
    std::fs::write(device.folder().join(name), content).unwrap();
    device
}

#[test]
fn a_database_that_is_not_there_is_named() {
    let (device, backend) = (Device::empty_folder(Layout::Current), Backend::start());
    assert_refused(&Service::once(&device, &backend).run(), &device.path());
    assert!(!device.path().exists(), "it was made");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let (device, backend) = (Device::empty_folder(Layout::Current), Backend::start());
    let path = device.folder().join("missing/surveillance.db");
    let run = Service::once(&device, &backend)
        .env("LOCAL_DB_PATH", path.to_str().unwrap())
        .run();
    assert_refused(&run, &path);
}

#[test]
fn what_is_not_a_database_is_named_in_every_mode() {
    let backend = Backend::start();
    let random = crate::support::random::video(1, 10_000);
    for content in [
        b"hello, this is a text\n".repeat(100).as_slice(),
        &random,
        b"SQLite format 3\0",
    ] {
        for mode in ["once", "continuous"] {
            let device = folder_with("surveillance.db", content);
            let run = Service::of(&device, &backend.url(), mode).run();
            assert_refused(&run, &device.path());
            assert_eq!(std::fs::read(device.path()).unwrap(), content, "it was written to");
        }
    }
}

#[test]
fn a_folder_in_the_databases_place_is_named() {
    let (device, backend) = (Device::empty_folder(Layout::Current), Backend::start());
    std::fs::create_dir(device.path()).unwrap();
    for mode in ["once", "continuous"] {
        assert_refused(&Service::of(&device, &backend.url(), mode).run(), &device.path());
    }
}

#[test]
fn missing_tables_and_columns_are_named() {
    let backend = Backend::start();
    for (statement, named) in [
        ("DROP TABLE evenement", "evenement"),
        ("DROP TABLE media", "media"),
        ("DROP TABLE capteur", "capteur"),
        ("ALTER TABLE media RENAME COLUMN video TO film", "video"),
        ("ALTER TABLE evenement RENAME COLUMN id_capteur TO autre", "id_capteur"),
        (
            "DROP INDEX idx_evenement_date; ALTER TABLE evenement DROP COLUMN date",
            "date",
        ),
        ("ALTER TABLE capteur RENAME COLUMN nom_capteur TO nom", "nom_capteur"),
    ] {
        let device = Device::new();
        device.sql(statement);
        let run = Service::once(&device, &backend).run();
        assert_refused(&run, &device.path());
        assert!(run.stderr.contains(named), "{statement}: {run}");
    }
}

#[test]
fn rows_without_an_id_are_named_where_the_table_gives_none() {
    let backend = Backend::start();
    for (table, id) in [("evenement", "id_evenement"), ("media", "id_media")] {
        let device = Device::new();
        device.event();
        device.sql(&format!(
            "CREATE TABLE copy AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE copy RENAME TO {table}"
        ));
        // Whoever gives each row its id gets it sent.
        assert_eq!(Service::once(&device, &backend).run().code(), Some(0));
        device.sql(&format!(
            "INSERT INTO {table} (date, id_capteur) VALUES ('2025-12-18T17:30:00', 1)"
        ));
        let run = Service::once(&device, &backend).run();
        assert_refused(&run, &device.path());
        assert!(run.stderr.contains(&format!("{id} INTEGER PRIMARY KEY")), "{run}");
    }
    assert_eq!(backend.received().len(), 2);
}

#[test]
fn a_sync_tracking_of_another_shape_is_named() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    device.sql("CREATE TABLE sync_tracking (id INTEGER PRIMARY KEY, name TEXT)");
    let run = Service::once(&device, &backend).run();
    assert_refused(&run, &device.path());
    assert!(run.stderr.contains("sync_tracking"), "{run}");
    assert!(backend.received().is_empty());
}

#[test]
fn a_corrupt_database_is_named_and_nothing_is_sent_twice_for_it() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2_000);
    let size = std::fs::metadata(device.path()).unwrap().len();
    let mut content = std::fs::read(device.path()).unwrap();
    // The first page is the schema; the rest is overwritten.
    content[4096..].fill(0xA5);
    assert_eq!(content.len() as u64, size);
    std::fs::write(device.path(), content).unwrap();
    let run = Service::once(&device, &backend).run();
    assert_eq!(run.code(), Some(2), "{run}");
    assert!(run.stderr.contains(device.path().to_str().unwrap()), "{run}");
    assert!(backend.received().is_empty());
}

#[test]
fn a_database_that_is_not_there_yet_is_waited_for() {
    for mode in ["continuous", "periodic"] {
        let (device, backend) = (Device::empty_folder(Layout::Current), Backend::start());
        let mut service = Service::of(&device, &backend.url(), mode)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        service.prints(device.path().to_str().unwrap());
        std::thread::sleep(Duration::from_millis(300));
        assert!(service.is_alive());
        assert!(!device.path().exists(), "the recorder makes it, not we");
        device.create_database();
        device.event();
        backend.wait_until("the event", |received| received.len() == 1);
        service.prints("Événement 1 → Serveur");
        service.stop().exits_with_words(0);
    }
}

#[test]
fn waiting_for_the_database_is_said_once_and_can_be_stopped() {
    let (device, backend) = (Device::empty_folder(Layout::Current), Backend::start());
    let mut service = Service::continuous(&device, &backend)
        .env("RUST_LOG", "sync_service=debug")
        .start();
    service.prints("Intervalle").logs("try 3 failed");
    let run = service.stop().exits_with_words(0);
    let path = device.path();
    let said = run.stdout.lines().skip_while(|line| !line.contains("Intervalle"));
    let said = said
        .chain(run.stderr.lines())
        .filter(|line| line.contains(path.to_str().unwrap()))
        .count();
    assert_eq!(said, 1, "{run}");
}

#[test]
fn a_second_instance_says_which_process_holds_the_database() {
    let (device, backend) = (Device::new(), Backend::start());
    let mut first = Service::continuous(&device, &backend).start();
    first.prints("Médias échoués");
    let link = device.folder().join("link.db");
    std::os::unix::fs::symlink(device.path(), &link).unwrap();
    device.event();
    for path in [device.path(), link] {
        for mode in ["once", "continuous"] {
            let second = Service::of(&device, &backend.url(), mode)
                .env("LOCAL_DB_PATH", &path)
                .run();
            assert_eq!(second.code(), Some(2), "{second}");
            assert_eq!(second.stderr.trim_end().lines().count(), 1, "{second}");
            assert!(second.stderr.contains(&first.pid().to_string()), "{second}");
        }
    }
    assert!(backend.received().is_empty());
    first.stop().exits(0);
    Service::once(&device, &backend).run().exits(0);
}

#[test]
fn a_killed_service_leaves_no_lock_behind() {
    let (device, backend) = (Device::new(), Backend::start());
    for _ in 0..5 {
        let mut service = Service::continuous(&device, &backend).start();
        service.prints("Médias échoués");
        service.kill();
    }
    device.event();
    Service::once(&device, &backend).run().exits(0);
}

/// Rights are no matter of architecture, and an emulator's libraries may lie where others can't read them.
mod native {
    use super::*;
    use crate::support::service::{assert_native, binary};

    /// As a user without rights.
    fn as_nobody(device: &Device, backend: &Backend) -> Service {
        assert_native();
        if !rustix::process::geteuid().is_root() {
            // We are without rights ourselves.
            return Service::once(device, backend);
        }
        // The build's folder may be closed to others: a copy lies open in the device's folder.
        let program = device.folder().join("program");
        std::fs::copy(binary(), &program).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        open_to_all(device.folder(), 0o755);
        let drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let tried = std::process::Command::new(drop[0])
            .args(&drop[1..])
            .arg("true")
            .status();
        assert!(
            tried.is_ok_and(|status| status.success()),
            "setpriv is missing: apt-get install util-linux"
        );
        let words = [&drop[..], &[program.to_str().unwrap()]].concat();
        Service::program(&words).on(device, &backend.url(), "once")
    }

    fn open_to_all(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_database_without_the_right_to_read_is_named() {
        let (device, backend) = (Device::new(), Backend::start());
        open_to_all(&device.path(), 0o000);
        assert_refused(&as_nobody(&device, &backend).run(), &device.path());
    }

    #[test]
    fn a_read_only_database_is_named_and_nothing_is_sent() {
        for journal in [Journal::Delete, Journal::Wal] {
            let (device, backend) = (Device::with(Layout::Current, journal), Backend::start());
            device.event();
            open_to_all(&device.path(), 0o444);
            let service = as_nobody(&device, &backend);
            open_to_all(device.folder(), 0o555);
            let run = service.run();
            open_to_all(device.folder(), 0o755);
            assert_eq!(run.code(), Some(2), "{run}");
            assert_eq!(run.stderr.trim_end().lines().count(), 1, "{run}");
            assert!(run.stderr.contains(device.folder().to_str().unwrap()), "{run}");
            assert!(backend.received().is_empty(), "sent, but it could never be marked");
        }
    }
}
