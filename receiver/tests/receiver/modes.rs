//! Who may read what is kept.

use std::collections::BTreeMap;
use std::fs::{Permissions, metadata, read_dir, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};

use crate::support::{Receiver, clip, event, noise, post, program, wait_until};

/// Modes by path, of a folder and all below it.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::from([(folder.display().to_string(), mode(folder))]);
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path));
        } else {
            found.insert(path.display().to_string(), mode(&path));
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn assert_private(folder: &Path) {
    for (path, mode) in modes(folder) {
        let expected = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
}

/// What it said, ended by a signal.
fn said(mut receiver: Receiver) -> (TempDir, String) {
    receiver.signal(Signal::TERM);
    receiver.wait(Duration::from_secs(2));
    let errors = receiver.errors();
    (receiver.kill(), errors)
}

#[test]
fn what_is_kept_is_for_its_own_user_alone() {
    let parent = TempDir::new().unwrap();
    set_mode(parent.path(), 0o755);
    let data = parent.path().join("data");
    let mut command = Command::new("sh");
    let program = program().get_program().to_str().unwrap().to_string();
    // Whatever the umask allows; the folder is not there yet.
    command
        .env_clear()
        .arg("-c")
        .arg(format!("umask 0; exec {program} --data {}", data.display()));
    let receiver = Receiver::run(parent, command);
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 201);
    let request = post("/api/media", "", clip(&noise(100_000, 1)));
    let mut half = receiver.client();
    half.send(&request[..request.len() / 2]);
    wait_until("a clip is on its way", || {
        read_dir(data.join("incoming")).unwrap().count() == 1 && data.join("owner").exists()
    });
    let found = modes(&data);
    // Three folders, the database with its two files, whose it is, a clip and half a one.
    assert_eq!(found.len(), 9, "{found:?}");
    assert_private(&data);
    assert_eq!(mode(receiver.path()), 0o755);
}

#[test]
fn what_an_older_version_left_open_is_closed_and_told_once() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 201);
    let folder = receiver.kill();
    // Killed before it had written whose the folder is.
    write(folder.path().join("owner.new"), "").unwrap();
    for path in modes(folder.path()).into_keys() {
        let path = Path::new(&path);
        set_mode(path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let (folder, errors) = said(Receiver::on(folder, &[]));
    assert_private(folder.path());
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains("others") && errors.contains("older versions"),
        "{errors}"
    );
    let (_, errors) = said(Receiver::on(folder, &[]));
    assert_eq!(errors, "");
}

#[test]
fn a_folder_that_holds_other_things_too_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    write(folder.path().join("website.html"), "hello").unwrap();
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 201);
    assert_eq!(mode(receiver.path()), 0o755);
    assert_private(&receiver.path().join("clips"));
    assert_private(&receiver.path().join("incoming"));
    assert_eq!(mode(&receiver.path().join("receiver.db")), 0o600);
}

#[test]
fn an_empty_folder_that_others_may_read_is_closed_at_once_and_no_later_start_blames_an_older_version() {
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.ask(post("/api/media", "", clip(&noise(5_000, 1)))).id(), 1);
    assert_private(receiver.path());
    // However it ended.
    let (folder, first) = said(Receiver::on(receiver.kill(), &[]));
    let (_folder, second) = said(Receiver::on(folder, &[]));
    assert_eq!((first.as_str(), second.as_str()), ("", ""));
}

#[test]
fn a_tokens_file_that_others_can_read_is_warned_about() {
    let file = NamedTempFile::new().unwrap();
    write(file.path(), "raspberry-1 hushhush").unwrap();
    let path = file.path().to_str().unwrap();
    for (mode, warned) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        set_mode(file.path(), mode);
        let (_, errors) = said(Receiver::with(&[("RECEIVER_TOKENS_FILE", path)]));
        assert_eq!(errors.lines().count(), usize::from(warned), "{mode:o}: {errors}");
        assert_eq!(
            errors.contains(&format!("RECEIVER_TOKENS_FILE={path}: everybody")),
            warned,
            "{errors}"
        );
        assert!(!errors.contains("hushhush"));
    }
}
