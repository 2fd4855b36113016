//! Disks that are full, read-only or busy, for real.

use std::process::Command;
use std::time::Duration;

use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Layout, Running, Service, assert_everything_arrived_once, eventually};

/// For `RUST_LOG`: each try that failed is said.
const TRIES: &str = "sync_service=debug";

fn size(device: &Device) -> u64 {
    std::fs::metadata(device.path()).unwrap().len()
}

/// Under a limit on the size of files, which a write beyond meets as an error.
fn limited(bytes: u64) -> Service {
    let script = "trap '' XFSZ; exec prlimit --fsize=$0 -- \"$@\"";
    let bytes = format!("{bytes}:unlimited");
    Service::wrapped(&["/bin/sh", "-c", script, &bytes], &[])
}

fn lift(service: &Running) {
    let pid = format!("--pid={}", service.pid());
    assert!(
        Command::new("prlimit")
            .args([&pid, "--fsize=unlimited"])
            .status()
            .unwrap()
            .success()
    );
}

/// Every row went to the server exactly once, although its mark had to wait.
#[track_caller]
fn assert_nothing_was_sent_again(device: &Device, backend: &Backend, rows: usize) {
    assert_everything_arrived_once(device, backend);
    assert_eq!(
        backend.received().len(),
        rows,
        "a row whose mark was not written yet was sent again"
    );
}

#[test]
fn a_result_that_does_not_fit_the_card_is_kept_until_it_does() {
    let (device, backend) = (Device::new(), Backend::without_idempotency());
    Service::once(&device, &backend).run().exits(0);
    device.events(400);
    let mut service = limited(size(&device))
        .on(&device, &backend.url(), "continuous")
        .env("RUST_LOG", TRIES)
        .start();
    // The marks of 400 events need more pages than there are; what fits is marked.
    service.logs("try 1 failed");
    let (sent, tracked) = (backend.received().len(), device.tracking().len());
    assert!(sent < 400, "it all fitted, nothing is proven");
    service.logs("try 2 failed");
    assert_eq!(backend.received().len(), sent, "it went on sending what it cannot mark");
    assert!(sent <= tracked + 1, "{sent} sent, {tracked} marked");
    lift(&service);
    service.prints("Événement 400 →");
    service.prints("Médias échoués");
    service.stop().exits_with_words(0);
    assert_nothing_was_sent_again(&device, &backend, 400);
}

#[test]
fn once_on_a_full_card_says_so_and_ends() {
    let (device, backend) = (Device::new(), Backend::start());
    Service::once(&device, &backend).run().exits(0);
    device.events(400);
    let run = limited(size(&device)).on(&device, &backend.url(), "once").run();
    assert!(matches!(run.code(), Some(1 | 2)), "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    assert!(run.stderr.contains(device.path().to_str().unwrap()), "{run}");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_database_that_somebody_holds_for_long_is_waited_for() {
    let (device, backend) = (Device::new(), Backend::without_idempotency());
    device.events(5);
    backend.always(Act::created().after(Duration::from_millis(200)));
    let mut service = Service::continuous(&device, &backend).env("RUST_LOG", TRIES).start();
    backend.wait_until("the first event", |received| received.len() == 1);
    let db = device.db();
    let held = db.unchecked_transaction().unwrap();
    eventually("the lock is ours", || {
        db.execute("UPDATE capteur SET etat_capteur = 1", []).is_ok()
    });
    // SQLite's own patience has ended by then.
    service.logs("try 1 failed");
    let sent = backend.received().len();
    assert!(sent <= 2, "{sent} sent with nothing marked");
    held.rollback().unwrap();
    service.prints("Événement 5 →");
    service.prints("Médias échoués");
    service.stop().exits_with_words(0);
    assert_nothing_was_sent_again(&device, &backend, 5);
}

#[test]
fn a_database_put_back_under_a_running_service_is_found_again() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints("Événement 1 →");
    let other = Device::new();
    other.events(2);
    std::fs::copy(other.path(), device.folder().join("new.db")).unwrap();
    std::fs::rename(device.folder().join("new.db"), device.path()).unwrap();
    backend.wait_until("the new database's events", |received| received.len() == 3);
    service.prints("Événement 2 →");
    service.stop().exits_with_words(0);
    assert_everything_arrived_once_of_both(&device, &backend);
}

/// The database was exchanged: what it holds now is at the server, beside what the first one had sent.
fn assert_everything_arrived_once_of_both(device: &Device, backend: &Backend) {
    assert_eq!(
        backend.stored_count(),
        3,
        "the new database's rows were taken for the old one's"
    );
    assert!(device.tracking().iter().all(|row| row.status == "success"));
    assert_eq!(device.tracking().len(), 2);
}

#[test]
fn a_database_taken_away_under_a_running_service_is_waited_for() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .env("RUST_LOG", TRIES)
        .start();
    service.prints("Événement 1 →");
    let aside = device.folder().join("aside.db");
    std::fs::rename(device.path(), &aside).unwrap();
    service.logs("try 2 failed");
    assert!(!device.path().exists(), "an empty one was made in its place");
    std::fs::rename(&aside, device.path()).unwrap();
    device.event();
    service.prints("Événement 2 →");
    service.stop().exits_with_words(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_database_ruined_under_a_running_service_ends_it_with_the_next_step() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(50);
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints("Événement 50 →");
    let ruined = device.folder().join("ruined.db");
    std::fs::write(&ruined, crate::support::random::video(1, 100_000)).unwrap();
    std::fs::rename(&ruined, device.path()).unwrap();
    let run = service.wait_within(PATIENCE).exits_with_words(2);
    let last = run.stderr.trim_end().lines().last().unwrap();
    assert!(last.contains(device.path().to_str().unwrap()), "{run}");
}

/// A library is loaded into this machine's own program.
mod native {
    use super::*;
    use crate::support::preloaded;

    #[test]
    fn a_clip_on_an_unreadable_sector_waits_and_the_rows_behind_it_go() {
        let (device, backend) = (Device::new(), Backend::start());
        let library = preloaded(device.folder(), "bad_sector.c");
        let bad = device.big_clip(3_000_000);
        let from = size(&device) - 1_500_000;
        let (good, event) = (device.clip(b"good"), device.event());
        let cured = device.folder().join("cured");
        let service = || {
            Service::once(&device, &backend)
                .env("LD_PRELOAD", &library)
                .env("BAD_FROM", from.to_string())
                .env("BAD_TO", (from + 1).to_string())
                .env("BAD_UNLESS", &cured)
        };
        let run = service().run().exits_with_words(1);
        let failed = device.tracked("media", bad).unwrap();
        assert_eq!(failed.status, "failed", "{run}");
        let told = failed.error.unwrap();
        assert!(told.contains("carte SD illisible"), "{told}");
        assert_eq!(device.tracked("media", good).unwrap().status, "success", "{run}");
        assert_eq!(device.tracked("evenement", event).unwrap().status, "success", "{run}");
        assert_eq!(backend.stored_count(), 2, "no half clip at the server");
        // A sector that can be read again, as cards have them.
        std::fs::write(&cured, "").unwrap();
        service().run().exits(0);
        assert_everything_arrived_once(&device, &backend);
    }

    #[test]
    fn a_clip_that_cannot_be_read_for_a_while_is_not_refused_for_it() {
        let (device, backend) = (Device::new(), Backend::start());
        let library = preloaded(device.folder(), "bad_sector.c");
        let bad = device.big_clip(3_000_000);
        let from = size(&device) - 1_500_000;
        let (good, event) = (device.clip(b"good"), device.event());
        let cured = device.folder().join("cured");
        let service = |mode| {
            Service::of(&device, &backend.url(), mode)
                .env("LD_PRELOAD", &library)
                .env("BAD_FROM", from.to_string())
                .env("BAD_TO", (from + 1).to_string())
                // A bus that stumbles: SQLITE_IOERR_READ, which says nothing about the row.
                .env("BAD_ERRNO", rustix::io::Errno::AGAIN.raw_os_error().to_string())
                .env("BAD_UNLESS", &cured)
                .env("SYNC_INTERVAL_MINUTES", "0.01")
        };
        let run = service("once").run().exits_with_words(1);
        assert_eq!(device.tracked("media", bad), None, "booked as the row's refusal: {run}");
        assert_eq!(device.tracked("media", good).unwrap().status, "success", "{run}");
        assert_eq!(device.tracked("evenement", event).unwrap().status, "success", "{run}");
        let mut running = service("continuous").start();
        running.prints("⚠️");
        std::fs::write(&cured, "").unwrap();
        running.prints(&format!("Média {bad} →"));
        running.stop().exits_with_words(0);
        assert_everything_arrived_once(&device, &backend);
    }
}

/// These take the right to mount.
mod mounts {
    use std::path::Path;

    use super::*;

    /// A mount that goes with the test.
    struct Mount<'a>(&'a Path);

    impl<'a> Mount<'a> {
        fn new(at: &'a Path, arguments: &[&str]) -> Self {
            std::fs::create_dir_all(at).unwrap();
            let mounted = rustix::process::geteuid().is_root()
                && Command::new("mount")
                    .args(arguments)
                    .arg(at)
                    .status()
                    .is_ok_and(|status| status.success());
            assert!(
                mounted,
                "mounting takes root and the right to mount; leave it out with --skip mounts::"
            );
            Mount(at)
        }

        fn again(&self, options: &str) {
            assert!(
                Command::new("mount")
                    .args(["-o", options])
                    .arg(self.0)
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }

    impl Drop for Mount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }

    #[test]
    fn a_full_card_is_waited_out() {
        let outer = Device::empty_folder(Layout::Current);
        let card = outer.folder().join("card");
        let _mount = Mount::new(&card, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        let (device, backend) = (Device::at(&card), Backend::without_idempotency());
        Service::once(&device, &backend).run().exits(0);
        device.events(400);
        let fill = card.join("fill");
        let room = rustix::fs::statvfs(&card).map(|fs| fs.f_bavail * fs.f_frsize).unwrap();
        // Room for the journal of one small change, not for 400 marks.
        std::fs::write(&fill, vec![1; room as usize - 24_576]).unwrap();
        let mut service = Service::continuous(&device, &backend).env("RUST_LOG", TRIES).start();
        service.logs("try 1 failed");
        let sent = backend.received().len();
        assert!(sent < 400, "it all fitted, nothing is proven");
        service.logs("try 2 failed");
        assert_eq!(backend.received().len(), sent, "it went on sending what it cannot mark");
        std::fs::remove_file(fill).unwrap();
        service.prints("Événement 400 →");
        service.prints("Médias échoués");
        service.stop().exits_with_words(0);
        assert_nothing_was_sent_again(&device, &backend, 400);
    }

    #[test]
    fn a_read_only_card_is_named_at_the_start() {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        let folder = device.folder().to_str().unwrap().to_owned();
        let mount = Mount::new(device.folder(), &["--bind", &folder]);
        mount.again("remount,bind,ro");
        let run = Service::once(&device, &backend).run_within(PATIENCE);
        assert_eq!(run.code(), Some(2), "{run}");
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{run}");
        assert!(run.stderr.contains(&folder), "{run}");
        assert!(backend.received().is_empty(), "sent, but it could never be marked");
        drop(mount);
        Service::once(&device, &backend).run().exits(0);
    }
}
