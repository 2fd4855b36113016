//! Power cuts, on a file system that keeps only what was synced (`scripts/powerfs.py`).
//!
//! `SYNC_TEST_CUTS` sets how many there are (10). Where the kernel offers no FUSE these tests fail and say so;
//! `SYNC_TEST_WITHOUT_FUSE=1` leaves them out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::prune::{clips, sent_clips, sent_long_ago};
use crate::support::{Act, Backend, Device, Gate, Journal, Service, eventually};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/powerfs.py");

/// Whether these tests were left out by somebody who said so.
fn left_out() -> bool {
    if std::env::var_os("SYNC_TEST_WITHOUT_FUSE").is_some() {
        eprintln!("NOT TESTED: power cuts (SYNC_TEST_WITHOUT_FUSE is set)");
        return true;
    }
    assert!(
        Path::new("/dev/fuse").exists() && rustix::process::geteuid().is_root(),
        "power cuts are tested as root with /dev/fuse (modprobe fuse; docker run --privileged); \
         SYNC_TEST_WITHOUT_FUSE=1 leaves them out"
    );
    false
}

/// A mounted file system whose power can be cut.
struct Power {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    mount: PathBuf,
}

impl Power {
    /// Shows what is in `store` at `mount`.
    fn on(mount: &Path, store: &Path, model: &str) -> Self {
        std::fs::create_dir_all(mount).unwrap();
        let mut process = Command::new("python3")
            .args([
                SCRIPT,
                mount.to_str().unwrap(),
                store.to_str().unwrap(),
                "--model",
                model,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut power = Power {
            commands: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            mount: mount.to_owned(),
            process,
        };
        power.answer("mounted");
        power
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The next line that has this key.
    fn answer(&mut self, key: &str) -> serde_json::Value {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the file system ended");
            let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
            if !answer[key].is_null() {
                return answer;
            }
        }
    }

    /// Changes and syncs so far.
    fn ops(&mut self) -> u64 {
        self.tell("ops");
        self.answer("ops")["ops"].as_u64().unwrap()
    }

    /// Cuts the power right after so many more changes and syncs, before whoever made the last one hears of it.
    fn arm(&mut self, ops: u64, seed: u64, pid: u32) {
        self.tell(&format!("arm {ops} {seed} {pid}"));
        self.answer("armed");
    }

    /// Waits for the armed cut.
    fn is_cut(&mut self) {
        self.answer("cut");
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.mount)
            .stderr(Stdio::null())
            .status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cuts() -> u64 {
    std::env::var("SYNC_TEST_CUTS").map_or(10, |text| text.parse().expect("a number"))
}

/// How often each key was stored by a server that does not know keys.
fn stored(backend: &Backend) -> BTreeMap<String, usize> {
    let mut stored = BTreeMap::new();
    for request in backend.received().iter().filter(|request| request.complete) {
        *stored
            .entry(request.header("idempotency-key").unwrap().to_owned())
            .or_default() += 1;
    }
    stored
}

/// A recorder's database on a card of its own.
fn card(journal: Journal) -> (tempfile::TempDir, Device) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let device = Device::at(&store);
    if journal == Journal::Wal {
        device.sql("PRAGMA journal_mode = wal");
    }
    (folder, device)
}

/// The uploader works on the card until its power goes, after so many changes.
fn work_until_cut(card: &Path, service: Service, (ops, seed, model): (u64, u64, &str)) {
    let mount = card.join("card");
    let mut power = Power::on(&mount, &card.join("store"), model);
    let running = service
        .env("LOCAL_DB_PATH", mount.join("surveillance.db"))
        .env("RUST_LOG", "off")
        .start();
    power.arm(ops, seed, running.pid());
    power.is_cut();
    running.kill();
}

/// A backlog is sent until the power goes after so many changes; then what survived is carried on. Returns how many rows
/// the server got that the card did not remember.
fn cut_after(ops: u64, seed: u64, model: &str, journal: Journal) -> usize {
    const EVENTS: usize = 12;
    let (folder, device) = card(journal);
    let backend = Backend::without_idempotency();
    Service::once(&device, &backend).run().exits(0);
    device.events(EVENTS);
    work_until_cut(
        folder.path(),
        Service::continuous(&device, &backend),
        (ops, seed, model),
    );
    // What survived is whole, and at most one row behind what was sent.
    assert_eq!(device.value::<String>("PRAGMA integrity_check"), "ok");
    let sent = stored(&backend).len();
    let marked = device.tracking().iter().filter(|row| row.status == "success").count();
    Service::once(&device, &backend).run().exits(0);
    let stored = stored(&backend);
    assert_eq!(
        stored.len(),
        EVENTS,
        "a row was lost, or went out under a second key: {stored:?}"
    );
    let doubled = stored.values().filter(|count| **count > 1).count();
    assert!(
        doubled <= 1,
        "{doubled} rows went twice, {marked} of {sent} were marked"
    );
    sent - marked
}

#[test]
fn the_file_system_of_these_tests_forgets_what_was_not_synced() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, mount) = (folder.path().join("store"), folder.path().join("card"));
    std::fs::create_dir(&store).unwrap();
    let mut power = Power::on(&mount, &store, "strict");
    std::fs::write(mount.join("forgotten"), "never synced").unwrap();
    let kept = std::fs::File::create(mount.join("kept")).unwrap();
    (&kept).write_all(b"synced").unwrap();
    kept.sync_all().unwrap();
    std::fs::remove_file(mount.join("forgotten")).unwrap();
    std::fs::write(mount.join("half"), "its name is synced, its bytes are not").unwrap();
    std::fs::File::open(&mount).unwrap().sync_all().unwrap();
    std::fs::write(mount.join("forgotten"), "never synced").unwrap();
    assert!(power.ops() > 6);
    power.tell("cut 1");
    power.answer("cut");
    drop(power);
    let mut names: Vec<String> = std::fs::read_dir(&store)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["half", "kept"]);
    assert_eq!(std::fs::read(store.join("kept")).unwrap(), b"synced");
    assert_eq!(std::fs::read(store.join("half")).unwrap(), b"");
}

#[test]
fn a_power_cut_between_any_two_steps_undoes_no_success() {
    if left_out() {
        return;
    }
    let mut behind = 0;
    for cut in 0..cuts() {
        // One after the other, so that every step of a commit is met.
        behind = behind.max(cut_after(40 + cut % 40, cut, "strict", Journal::Delete));
    }
    assert!(behind <= 1, "{behind} rows");
    for cut in 0..cuts() {
        let journal = if cut % 2 == 0 { Journal::Delete } else { Journal::Wal };
        cut_after(20 + 7 * cut % 60, cut, "ext4", journal);
    }
}

#[test]
fn a_power_cut_while_the_first_request_is_on_its_way_leaves_every_row_its_key() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, mount) = (folder.path().join("store"), folder.path().join("card"));
    std::fs::create_dir(&store).unwrap();
    let device = Device::at(&store);
    device.events(3);
    let backend = Backend::without_idempotency();
    let gate = Gate::default();
    backend.acts([Act::created().held_after(100, &gate)]);
    let mut power = Power::on(&mount, &store, "strict");
    let running = Service::bare()
        .env("LOCAL_DB_PATH", mount.join("surveillance.db"))
        .env("BACKEND_URL", backend.url())
        .env("SYNC_MODE", "continuous")
        .start();
    backend.wait_until("the first request is out", |received| {
        received.iter().any(|request| request.wire_len >= 100)
    });
    power.tell(&format!("cut 1 {}", running.pid()));
    power.answer("cut");
    gate.open();
    running.kill();
    drop(power);
    eventually("the first request is stored", || backend.stored_count() == 1);
    Service::once(&device, &backend).run().exits(0);
    let stored = stored(&backend);
    assert_eq!(stored.len(), 3, "the row went out under a second key: {stored:?}");
}

/// Clips go from the card until the power does, after so many changes; what survived is whole, and behind it nothing but the oldest
/// clips is missing.
fn cut_while_clips_go(ops: u64, seed: u64, model: &str, journal: Journal) -> usize {
    const CLIPS: usize = 8;
    let (folder, device) = card(journal);
    let backend = Backend::without_idempotency();
    let all = sent_clips(&device, &backend, CLIPS, 50_000);
    sent_long_ago(&device);
    device.event();
    Service::once(&device, &backend).run().exits(0);
    let (tracking, requests) = (device.tracking(), backend.received().len());
    let service = Service::continuous(&device, &backend).env("SYNC_PRUNE_AFTER_DAYS", "30");
    work_until_cut(folder.path(), service, (ops, seed, model));
    assert_eq!(device.value::<String>("PRAGMA integrity_check"), "ok");
    let left = clips(&device);
    assert_eq!(left, all[all.len() - left.len()..], "not from the old end");
    assert_eq!(device.tracking(), tracking);
    Service::once(&device, &backend)
        .env("SYNC_PRUNE_AFTER_DAYS", "30")
        .run()
        .exits(0);
    assert_eq!(clips(&device), Vec::<i64>::new());
    assert_eq!(device.tracking(), tracking);
    assert_eq!(backend.received().len(), requests, "something was sent again");
    left.len()
}

#[test]
fn a_power_cut_while_clips_go_leaves_a_whole_database_and_takes_no_other_row() {
    if left_out() {
        return;
    }
    let mut left = std::collections::BTreeSet::new();
    for cut in 0..cuts() {
        left.insert(cut_while_clips_go(10 + 7 * cut % 60, cut, "strict", Journal::Delete));
        let journal = if cut % 2 == 0 { Journal::Delete } else { Journal::Wal };
        cut_while_clips_go(8 + 5 * cut % 30, cut, "ext4", journal);
    }
    assert!(left.len() > 1, "no cut came in the middle: {left:?}");
}
