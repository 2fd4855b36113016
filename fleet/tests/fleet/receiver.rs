//! A small fleet on the built receiver, which is killed in the middle.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{played, program};

/// The receiver's program: beside this one, built if it is not there.
fn receiver() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_sync-fleet")).with_file_name("sync-receiver");
    if !program.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "sync-receiver"])
            .status();
        assert!(built.unwrap().success(), "cargo build -p sync-receiver");
    }
    program
}

pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // `kill -9`; it may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a receiver; returns it and where it listens.
pub fn start(listen: &str, data: &Path) -> (Running, String) {
    start_with(listen, data, &[])
}

fn start_with(listen: &str, data: &Path, settings: &[(&str, &str)]) -> (Running, String) {
    let mut child = Command::new(receiver())
        .env_clear()
        .envs(settings.iter().copied())
        .envs([("RECEIVER_LISTEN", listen), ("RECEIVER_DATA", data.to_str().unwrap())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().to_string();
    (Running(child), address)
}

/// An address of this machine that nobody else takes while the receiver is away.
fn own_address() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    format!("127.{}.{middle}.{}:0", 100 + high % 100, low.clamp(1, 254))
}

#[test]
fn a_receiver_that_is_killed_loses_and_doubles_nothing() {
    let folder = TempDir::new().unwrap();
    let (killed, address) = start(&own_address(), folder.path());
    let work = [
        "--devices",
        "200",
        "--seconds",
        "20",
        "--event-every-s",
        "4",
        "--status-every-s",
        "10",
        "--clip-every-s",
        "40",
        "--cut",
        "0.2",
        "--outage",
        "0.3@3+4",
        "--interval-s",
        "5",
        "--keep-alive-s",
        "3",
    ];
    let mut fleet = program(&format!("http://{address}"), &work).spawn().unwrap();
    // It tells how far it is after ten seconds: the middle.
    let mut told = BufReader::new(fleet.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("sync-fleet: 1") && line.contains(" through, "),
        "{line}"
    );
    drop(killed);
    let (_restarted, same_address) = start(&address, folder.path());
    assert_eq!(same_address, address);
    // Whoever prints must be read.
    let rest = std::thread::spawn(move || told.lines().map_while(Result::ok).collect::<Vec<_>>());
    let (status, text) = played(fleet.wait_with_output().unwrap());
    assert_eq!(status, 0, "{text} {:?}", rest.join().unwrap());
    assert!(
        text.contains("events: 1000; missing 0, doubled 0, under another id 0, never sent 0, not through 0"),
        "{text}"
    );
    assert!(text.contains("each row is there once, each clip is whole"), "{text}");
    assert!(
        text.contains("(2 one after another)"),
        "the restarted one was not found: {text}"
    );
    assert!(text.contains("outage at 3 s of 4 s: "), "{text}");
}

#[test]
fn devices_show_their_tokens_and_a_person_reads() {
    let folder = TempDir::new().unwrap();
    let (data, tokens) = (folder.path().join("data"), folder.path().join("tokens"));
    let (password, wrong) = (folder.path().join("password"), folder.path().join("wrong"));
    std::fs::write(&tokens, "back-door one-one-one-one\nshop-1 two-two-two-two\n").unwrap();
    std::fs::write(&password, "correct horse battery\n").unwrap();
    std::fs::write(&wrong, "incorrect horse battery\n").unwrap();
    let (_running, address) = start_with(
        "127.0.0.1:0",
        &data,
        &[("RECEIVER_TOKENS_FILE", tokens.to_str().unwrap())],
    );
    let added = Command::new(receiver())
        .env_clear()
        .env("RECEIVER_DATA", &data)
        .args(["user", "add", "anna"])
        .stdin(std::fs::File::open(&password).unwrap())
        .status();
    assert!(added.unwrap().success());
    let url = format!("http://{address}");
    let work = [
        "--devices",
        "2",
        "--seconds",
        "0",
        "--backlog-events",
        "3",
        "--backlog-clips",
        "1",
        "--within-s",
        "10",
    ];
    let tokens = ["--tokens-file", tokens.to_str().unwrap()];
    let person = |path: &Path| ["--user", "anna", "--password-file", path.to_str().unwrap()].map(str::to_string);
    let play_as = |person: &[String]| {
        let person: Vec<&str> = person.iter().map(String::as_str).collect();
        super::play(&url, &[&work[..], &tokens, &person].concat())
    };
    let (status, text) = play_as(&person(&password));
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("events: 6; missing 0") && text.contains("clips read back: 2 whole"),
        "{text}"
    );
    // Who may not read has checked nothing.
    let (status, text) = play_as(&person(&wrong));
    assert!(status == 2 && text.contains("/api/session: HTTP 401"), "{text}");
    assert!(
        text.contains("6 events and 2 clips") && !text.contains("each row is there"),
        "{text}"
    );
    let (status, text) = play_as(&[]);
    assert!(status == 2 && text.contains("HTTP 401"), "{text}");
    // A device without its token stores nothing.
    let (status, text) = super::play(
        &url,
        &[
            &work[..],
            &["--user", "anna", "--password-file", password.to_str().unwrap()],
        ]
        .concat(),
    );
    assert!(status == 1 && text.contains("not through 6"), "{text}");
}
