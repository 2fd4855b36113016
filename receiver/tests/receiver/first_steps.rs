//! What somebody does first, and gets wrong: the wrong folder, the wrong user, half a command.

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::geteuid;
use tempfile::TempDir;

#[cfg(feature = "fleet")]
use crate::support::wait_until;
use crate::support::{Receiver, program};

/// `nobody`, wherever there is root to become it.
const NOBODY: u32 = 65534;

fn said(output: &Output) -> (i32, String) {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// Stopped in one line, that has all of these.
fn assert_refused(output: &Output, parts: &[&str]) {
    let (code, text) = said(output);
    assert_eq!((code, text.lines().count()), (2, 1), "{text}");
    assert!(output.stdout.is_empty(), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The program as a user without rights: a copy, since the build's folder may be closed to others.
fn as_nobody(place: &Path) -> Command {
    if !geteuid().is_root() {
        return program();
    }
    set_permissions(place, Permissions::from_mode(0o755)).unwrap();
    let copied = place.join("program");
    // By another process: what this one writes, a child of another test may hold open, and can't be run then.
    let mut install = Command::new("install");
    let made = install.args(["-m", "755", program().get_program().to_str().unwrap()]);
    assert!(made.arg(&copied).status().unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(copied).env_clear().current_dir("/");
    command
}

#[test]
fn a_folder_that_cannot_be_made_costs_nobody_the_one_above_it() {
    let place = TempDir::new().unwrap();
    let user = if geteuid().is_root() {
        NOBODY
    } else {
        geteuid().as_raw()
    };
    for (folder, way_out) in [
        (
            "/no-such-folder",
            format!("sudo install -d -m 700 -o {user} /no-such-folder"),
        ),
        ("/usr/no/such", format!("sudo install -d -m 700 -o {user} /usr/no/such")),
        ("/usr", format!("sudo install -d -m 700 -o {user} /usr/sync-receiver")),
    ] {
        for arguments in [&[][..], &["token", "add", "raspberry-1"]] {
            let mut command = as_nobody(place.path());
            command.args(arguments).env("RECEIVER_DATA", folder);
            let output = command.env("RECEIVER_LISTEN", "127.0.0.1:0").output().unwrap();
            assert_refused(&output, &["belongs to user 0", &way_out]);
            assert!(!said(&output).1.contains("chown"), "{output:?}");
        }
    }
}

#[test]
fn commands_make_no_folder_that_nobody_named() {
    let place = TempDir::new().unwrap();
    let wrong = place.path().join("wrong");
    for arguments in [
        &["user", "add", "anna", "--no-password"][..],
        &["user", "list"],
        &["user", "passwd", "anna"],
        &["user", "remove", "anna"],
        &["token", "add", "raspberry-1"],
        &["token", "list"],
        &["token", "revoke", "1"],
    ] {
        let unnamed = program().args(arguments).current_dir(place.path()).output().unwrap();
        let folder = format!(
            "there is no receiver.db in {}",
            place.path().join("receiver-data").display()
        );
        assert_refused(
            &unnamed,
            &[&folder, "RECEIVER_DATA", "--data", "/var/lib/sync-receiver"],
        );
        if arguments[1] != "add" {
            let mut command = program();
            let output = command.args(arguments).env("RECEIVER_DATA", &wrong).output().unwrap();
            assert_refused(&output, &[&format!("there is no receiver.db in {}", wrong.display())]);
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "{arguments:?}");
    }
}

#[test]
fn what_is_added_says_in_which_database_it_is_and_that_one_is_new() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("named");
    let database = folder.join("receiver.db");
    let add = |device| {
        let mut command = program();
        command.args(["token", "add", device, "--data"]).arg(&folder);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // The token alone, for whoever keeps it in a variable.
        assert_eq!(String::from_utf8(output.stdout).unwrap().split_whitespace().count(), 1);
        String::from_utf8(output.stderr).unwrap()
    };
    let (first, second) = (add("raspberry-1"), add("raspberry-2"));
    let made = format!("made {}", database.display());
    assert!(first.contains(&made) && !second.contains("made"), "{first} {second}");
    for (device, notes) in [("raspberry-1", first), ("raspberry-2", second)] {
        let there = format!("a token of {device} is in {}", database.display());
        assert!(notes.contains(&there), "{notes}");
    }
}

#[test]
fn somebody_elses_database_names_whose_it_is() {
    if !geteuid().is_root() {
        // The other one is root, whose files we can't make.
        return;
    }
    let receiver = Receiver::start();
    let place = TempDir::new().unwrap();
    let folder = receiver.path().display().to_string();
    for mode in [0o700, 0o755] {
        set_permissions(receiver.path(), Permissions::from_mode(mode)).unwrap();
        let mut command = as_nobody(place.path());
        command.args(["user", "list", "--data", &folder]);
        let way_out = format!("sudo -u root sync-receiver --data {folder}");
        assert_refused(&command.output().unwrap(), &["belongs to root", &way_out]);
    }
}

#[test]
fn a_database_that_root_makes_is_whose_the_folder_is() {
    if !geteuid().is_root() {
        return;
    }
    let (folder, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = program();
    command
        .args(["user", "add", "anna", "--no-password", "--data"])
        .arg(folder.path());
    assert!(command.output().unwrap().status.success());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap().path();
        let metadata = metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{}", file.display());
    }
    let mut command = as_nobody(place.path());
    let output = command
        .args(["user", "list", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(said(&output), (0, "anna  viewer  all devices\n".to_string()));
}

#[test]
fn half_a_command_says_what_is_missing_and_where_to_read_more() {
    for (arguments, parts) in [
        (&["user"][..], &["missing", "see `sync-receiver user --help`"][..]),
        (
            &["user", "add"],
            &["provided: <NAME>", "see `sync-receiver user add --help`"],
        ),
        (
            &["token", "add"],
            &["provided: <DEVICE>", "see `sync-receiver token add --help`"],
        ),
        (&["token", "revoke", "x"], &["'x'", "<NUMBER>"]),
        (&["usr"], &["'usr'", "see `sync-receiver --help`"]),
        #[cfg(feature = "fleet")]
        (&["move"], &["--to-database", "see `sync-receiver move --help`"]),
    ] {
        let output = program().args(arguments).output().unwrap();
        assert_refused(&output, parts);
        assert!(said(&output).1.starts_with("sync-receiver: "));
    }
}

#[test]
fn the_help_of_every_command_has_examples_that_it_takes_and_its_own_options_first() {
    for command in [
        "health",
        "user",
        "user add",
        "user list",
        "user remove",
        "user passwd",
        "token",
        "token add",
        "token list",
        "token revoke",
        #[cfg(feature = "fleet")]
        "move",
    ] {
        let help = |arguments: &mut dyn Iterator<Item = &str>| {
            let output = program().args(arguments).arg("--help").output().unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let text = help(&mut command.split(' '));
        let (text, examples) = text.split_once("Example").unwrap();
        let examples: Vec<&str> = examples
            .lines()
            .filter_map(|line| line.strip_prefix("  sync-receiver "))
            .collect();
        assert!(examples.iter().any(|example| example.starts_with(command)), "{text}");
        for example in examples {
            help(&mut example.split(' '));
        }
        let places = text.find("Where everything is kept:").unwrap();
        let own = ["--admin", "--devices", "--no-password", "--to-clips", "--help"];
        assert!(
            own.iter().filter_map(|own| text.find(own)).all(|own| own < places),
            "{text}"
        );
        assert_eq!(text.contains("--listen"), command == "health", "{text}");
        assert!(!text.contains("--clips-url"), "{text}");
    }
}

/// What a receiver on this bucket says on standard error until it has said something, or was answered and ended.
#[cfg(feature = "fleet")]
fn said_of_a_bucket(settings: &[(&str, &str)], status: &str, body: &str) -> Vec<String> {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::Stdio;
    use std::time::Duration;

    let bucket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let mut child = program()
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .env("RECEIVER_DATA", folder.path())
        .env("RECEIVER_CLIPS_URL", "s3://received")
        .env("AWS_ENDPOINT_URL", format!("http://{}", bucket.local_addr().unwrap()))
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("listening"), "it waits for its bucket: {line}");
    let mut asking = None;
    bucket.set_nonblocking(true).unwrap();
    wait_until("it asks its bucket", || {
        asking = bucket.accept().ok();
        asking.is_some()
    });
    let mut asking = BufReader::new(asking.unwrap().0);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        asking.read_line(&mut request).unwrap();
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    asking.get_mut().write_all(answer.as_bytes()).unwrap();
    // It closes when it has read it.
    asking.read_to_string(&mut request).unwrap();
    let (told, lines) = std::sync::mpsc::channel();
    let errors = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        errors
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| told.send(line))
    });
    let mut said = Vec::new();
    if !status.starts_with("200") {
        said.push(lines.recv_timeout(Duration::from_secs(20)).expect("a warning"));
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    said.extend(lines);
    said
}

#[cfg(feature = "fleet")]
#[test]
fn a_bucket_that_refuses_the_keys_is_told_at_the_start_in_one_line_and_one_that_answers_is_not() {
    let keys = [("AWS_ACCESS_KEY_ID", "fleet"), ("AWS_SECRET_ACCESS_KEY", "hushhush")];
    // Asked without a signature, where a machine of a cloud would be asked for keys otherwise.
    let no_keys = [("AWS_SKIP_SIGNATURE", "true")];
    let refusal = "<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>";
    for (settings, hint) in [(&keys[..], false), (&no_keys, true)] {
        let refused = said_of_a_bucket(settings, "403 Forbidden", refusal);
        let [refused] = &refused[..] else {
            panic!("{refused:?}");
        };
        for part in ["WARN", "s3://received: ", "AWS_ACCESS_KEY_ID", "RECEIVER_CLIPS_URL"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert_eq!(refused.contains("AWS_ACCESS_KEY_ID is not set"), hint, "{refused}");
        assert!(!refused.contains("hushhush"), "{refused}");
    }
    let empty = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>";
    assert_eq!(said_of_a_bucket(&keys, "200 OK", empty), [""; 0]);
}
