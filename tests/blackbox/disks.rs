//! Disks that are full, read-only or busy, for real.

use std::process::Command;
use std::time::Duration;

use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Layout, Run, Running, Service, assert_everything_arrived_once, eventually};

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

/// More marks than fit into the pages that there are: our tables stand, and none of the events was sent.
const EVENTS: usize = 400;

fn with_many_marks_to_come(device: Device, backend: Backend) -> (Device, Backend) {
    Service::once(&device, &backend).run().exits(0);
    device.events(EVENTS);
    (device, backend)
}

/// What fits is marked; the first result that does not is kept, and nothing else is sent until there is room.
#[track_caller]
fn waits_for_room(device: &Device, backend: &Backend, service: Service, make_room: impl FnOnce(&Running)) {
    let mut service = service
        .on(device, &backend.url(), "continuous")
        .env("RUST_LOG", TRIES)
        .start();
    service.logs("try 1 failed");
    let (sent, tracked) = (backend.received().len(), device.tracking().len());
    assert!(sent < EVENTS, "it all fitted, nothing is proven");
    service.logs("try 2 failed");
    assert_eq!(backend.received().len(), sent, "it went on sending what it cannot mark");
    assert!(sent <= tracked + 1, "{sent} sent, {tracked} marked");
    make_room(&service);
    service.prints(&format!("Événement {EVENTS} →"));
    service.prints("Médias échoués");
    service.stop().exits_with_words(0);
    assert_nothing_was_sent_again(device, backend, EVENTS);
}

#[test]
fn a_result_that_does_not_fit_the_card_is_kept_until_it_does() {
    let (device, backend) = with_many_marks_to_come(Device::new(), Backend::without_idempotency());
    waits_for_room(&device, &backend, limited(size(&device)), lift);
}

#[test]
fn once_on_a_full_card_says_so_and_ends() {
    let (device, backend) = with_many_marks_to_come(Device::new(), Backend::start());
    let run = limited(size(&device)).on(&device, &backend.url(), "once").run();
    assert!(matches!(run.code(), Some(1 | 2)), "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    assert!(run.stderr.contains(device.path().to_str().unwrap()), "{run}");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

/// However often cron starts it: to a server that does not know a row again, none goes twice.
#[track_caller]
fn once_sends_nothing_twice(
    device: &Device,
    backend: &Backend,
    service: impl Fn() -> Service,
    make_room: impl FnOnce(),
) {
    let events = device.value::<i64>("SELECT count(*) FROM evenement") as usize;
    let mut sent = Vec::new();
    for _ in 0..2 {
        let run = service().on(device, &backend.url(), "once").run_within(PATIENCE);
        assert_eq!(run.code(), Some(1), "{run}");
        assert!(run.stderr.contains(device.path().to_str().unwrap()), "{run}");
        sent.push(backend.received().len());
    }
    let (first, tracked) = (sent[0], device.tracking().len());
    assert!(first <= tracked + 1, "{first} sent, {tracked} marked");
    assert!(first < events, "it all fitted, nothing is proven");
    assert_eq!(sent, [first; 2], "a row whose result can't be kept was sent again");
    make_room();
    Service::once(device, backend).run().exits(0);
    assert!(backend.received().len() <= events + 1, "{first} sent before");
}

#[test]
fn once_on_a_full_card_sends_nothing_twice_to_a_server_that_knows_no_row_again() {
    let (device, backend) = with_many_marks_to_come(Device::new(), Backend::without_idempotency());
    let full = size(&device);
    once_sends_nothing_twice(&device, &backend, || limited(full), || ());
}

#[test]
fn once_with_nothing_to_send_writes_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(3);
    // SQLite's file change counter.
    let commits = || std::fs::read(device.path()).unwrap()[24..28].to_vec();
    for _ in 0..2 {
        Service::once(&device, &backend).run().exits(0);
    }
    let before = commits();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(commits(), before);
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

    /// A clip in the middle of which the card can't be read, another one, and an event.
    struct BadSector {
        device: Device,
        backend: Backend,
        library: std::path::PathBuf,
        from: u64,
        bad: i64,
        good: i64,
        event: i64,
    }

    impl BadSector {
        fn new() -> Self {
            let (device, backend) = (Device::new(), Backend::start());
            let library = preloaded(device.folder(), "bad_sector.c");
            let bad = device.big_clip(3_000_000);
            let from = size(&device) - 1_500_000;
            let (good, event) = (device.clip(b"good"), device.event());
            BadSector {
                device,
                backend,
                library,
                from,
                bad,
                good,
                event,
            }
        }

        fn service(&self, mode: &str) -> Service {
            Service::of(&self.device, &self.backend.url(), mode)
                .env("LD_PRELOAD", &self.library)
                .env("BAD_FROM", self.from.to_string())
                .env("BAD_TO", (self.from + 1).to_string())
                .env("BAD_UNLESS", self.device.folder().join("cured"))
                .env("SYNC_INTERVAL_MINUTES", "0.01")
        }

        /// Only the clip on the sector is left.
        #[track_caller]
        fn assert_others_went(&self, run: &Run) {
            for (table, id) in [("media", self.good), ("evenement", self.event)] {
                assert_eq!(self.device.tracked(table, id).unwrap().status, "success", "{run}");
            }
            assert_eq!(self.backend.stored_count(), 2, "no half clip at the server");
        }

        /// The sector can be read again, as cards have them.
        fn cure(&self) {
            std::fs::write(self.device.folder().join("cured"), "").unwrap();
        }
    }

    #[test]
    fn a_clip_on_an_unreadable_sector_waits_and_the_rows_behind_it_go() {
        let card = BadSector::new();
        let run = card.service("once").run().exits_with_words(1);
        let failed = card.device.tracked("media", card.bad).unwrap();
        assert_eq!(failed.status, "failed", "{run}");
        let told = failed.error.unwrap();
        assert!(told.contains("carte SD illisible"), "{told}");
        card.assert_others_went(&run);
        card.cure();
        card.service("once").run().exits(0);
        assert_everything_arrived_once(&card.device, &card.backend);
    }

    #[test]
    fn a_clip_that_cannot_be_read_for_a_while_is_not_refused_for_it() {
        let card = BadSector::new();
        // A bus that stumbles: SQLITE_IOERR_READ, which says nothing about the row.
        let error = rustix::io::Errno::AGAIN.raw_os_error().to_string();
        let service = |mode| card.service(mode).env("BAD_ERRNO", &error);
        let run = service("once").run().exits_with_words(1);
        let booked = card.device.tracked("media", card.bad);
        assert_eq!(booked, None, "booked as the row's refusal: {run}");
        card.assert_others_went(&run);
        let mut running = service("continuous").start();
        running.prints("⚠️");
        card.cure();
        running.prints(&format!("Média {} →", card.bad));
        running.stop().exits_with_words(0);
        assert_everything_arrived_once(&card.device, &card.backend);
    }
}

/// These take the right to mount.
mod mounts {
    use super::*;
    use crate::support::Mount;
    use crate::support::mount::free_bytes;

    #[test]
    fn a_full_card_is_waited_out() {
        let outer = Device::empty_folder(Layout::Current);
        let card = outer.folder().join("card");
        let _mount = Mount::small_disk(&card, 1);
        let (device, backend) = with_many_marks_to_come(Device::at(&card), Backend::without_idempotency());
        let fill = card.join("fill");
        // Room for the journal of one small change, not for so many marks.
        std::fs::write(&fill, vec![1; free_bytes(&card) as usize - 24_576]).unwrap();
        waits_for_room(&device, &backend, Service::bare(), |_| {
            std::fs::remove_file(fill).unwrap()
        });
    }

    #[test]
    fn once_on_a_card_with_little_room_sends_nothing_twice() {
        for free in [49_152, 135_168] {
            let outer = Device::empty_folder(Layout::Current);
            let card = outer.folder().join("card");
            let _mount = Mount::small_disk(&card, 1);
            let (device, backend) = with_many_marks_to_come(Device::at(&card), Backend::without_idempotency());
            device.many_events(2_000);
            let fill = card.join("fill");
            std::fs::write(&fill, vec![1; free_bytes(&card) as usize - free]).unwrap();
            once_sends_nothing_twice(&device, &backend, Service::bare, || {
                std::fs::remove_file(&fill).unwrap()
            });
        }
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
