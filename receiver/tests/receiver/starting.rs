//! Settings, the start, the end.

use std::io::Write;
use std::net::TcpListener;
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};

use crate::support::{Receiver, clip, event, noise, post, program, wait_until};

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = TempDir::new().unwrap();
    program()
        .current_dir(folder.path())
        .args(arguments)
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_setting_that_is_not_usable_stops_the_start_in_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let mut tokens = NamedTempFile::new().unwrap();
    writeln!(tokens, "raspberry-1 one\nhushhush").unwrap();
    let tokens = tokens.path().to_str().unwrap();
    for (variable, value, also) in [
        ("RECEIVER_LISTEN", "8000", "address:port"),
        ("RECEIVER_LISTEN", "127.0.0.1:70000", "address:port"),
        ("RECEIVER_LISTEN", "no-such-name.invalid:8000", ""),
        ("RECEIVER_LISTEN", &taken, "in use"),
        ("RECEIVER_DATA", "/dev/null", ""),
        ("RECEIVER_DATA", "/proc/receiver", ""),
        ("RECEIVER_TOKENS_FILE", "/nowhere/tokens", "No such file"),
        ("RECEIVER_TOKENS_FILE", tokens, "line 2"),
        ("RECEIVER_TOKENS_FILE", "/dev/null", "no token"),
        ("RECEIVER_MAX_CLIP_MB", "0", "from 1 to"),
        ("RECEIVER_MAX_CLIP_MB", "1 GB", "from 1 to"),
        ("RECEIVER_STALL_SECONDS", "-1", "from 1 to"),
        ("RECEIVER_MIN_RATE", "fast", "from 0 to"),
        ("RECEIVER_MAX_CONNECTIONS", "1000000", "from 1 to"),
        ("RECEIVER_MAX_REQUESTS", "401", "from 1 to"),
        ("RECEIVER_MAX_PER_PEER", "0", "from 1 to"),
        ("RECEIVER_METRICS_ADDRESSES", "10.0.0.0/33", "10.0.0.0/8"),
        ("RECEIVER_PUBLIC_URL", "sync.example.org", "https://"),
        ("RECEIVER_KEEP_DAYS", "0", "from 1 to"),
        ("RECEIVER_KEEP_GB", "-1", "gigabytes"),
        ("RECEIVER_KEEP_GB", "NaN", "gigabytes"),
        ("RECEIVER_KEEP_EVENTS_DAYS", "ten", "from 1 to"),
        ("RECEIVER_KEEP_RECEIPTS_DAYS", "99999999", "from 1 to"),
        ("RECEIVER_CLIPS_URL", "https://host/bucket", "s3://bucket/prefix"),
    ] {
        let output = run(&[], &[("RECEIVER_LISTEN", "127.0.0.1:0"), (variable, value)]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}={value}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            error.contains(&format!("{variable}={value}: ")) && error.contains(also),
            "{error}"
        );
        assert!(!error.contains("hushhush"), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_address_for_alerts_that_is_not_usable_is_not_shown() {
    for wrong in ["ftp://somebody:hushhush@host", "hushhush", "http://"] {
        let output = run(
            &[],
            &[("RECEIVER_LISTEN", "127.0.0.1:0"), ("RECEIVER_ALERT_URL", wrong)],
        );
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
        assert!(
            error.contains("RECEIVER_ALERT_URL") && !error.contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn only_alerts_over_tls_need_certificates_and_without_them_nothing_is_announced() {
    let settings = |url| {
        [
            ("RECEIVER_ALERT_URL", url),
            ("SSL_CERT_FILE", "/dev/null"),
            ("SSL_CERT_DIR", "/nowhere"),
        ]
    };
    let output = run(
        &[],
        &[
            &settings("https://hook.example/hush")[..],
            &[("RECEIVER_LISTEN", "127.0.0.1:0")],
        ]
        .concat(),
    );
    let error = String::from_utf8(output.stderr).unwrap();
    let line = error.lines().find(|line| line.starts_with("sync-receiver: ")).unwrap();
    assert!(
        line.contains("RECEIVER_ALERT_URL=https://hook.example: ") && line.contains("install ca-certificates"),
        "{error}"
    );
    assert_eq!(line.matches("SSL_CERT_FILE").count(), 1, "{line}");
    assert!(!error.contains("hush"), "{error}");
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    let receiver = Receiver::with(&settings("http://127.0.0.1:1/"));
    assert_eq!(receiver.ask("GET /health HTTP/1.1\r\nHost: r\r\n\r\n").status, 200);
}

#[test]
fn a_wrong_argument_stops_the_start_in_one_line() {
    for arguments in [&["--nonsense"][..], &["nonsense"], &["--listen"], &["health", "a", "b"]] {
        let output = run(arguments, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.starts_with("sync-receiver: "), "{error}");
    }
}

#[test]
fn help_names_every_setting_and_version_the_version() {
    let output = run(&["--help"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    // It speaks to who runs it, not to who reads the code.
    for code in ["`[", "::", "Config", "Arguments"] {
        assert!(!help.contains(code), "{code}: {help}");
    }
    assert!(output.status.success() && output.stderr.is_empty());
    let readme = include_str!("../../README.md");
    for (flag, variable) in [
        ("--listen", "RECEIVER_LISTEN"),
        ("--data", "RECEIVER_DATA"),
        ("--tokens-file", "RECEIVER_TOKENS_FILE"),
        ("--max-clip-mb", "RECEIVER_MAX_CLIP_MB"),
        ("--stall-seconds", "RECEIVER_STALL_SECONDS"),
        ("--min-rate", "RECEIVER_MIN_RATE"),
        ("--max-connections", "RECEIVER_MAX_CONNECTIONS"),
        ("--max-requests", "RECEIVER_MAX_REQUESTS"),
        ("--max-per-peer", "RECEIVER_MAX_PER_PEER"),
        ("--clips-url", "RECEIVER_CLIPS_URL"),
        ("--database-url", "RECEIVER_DATABASE_URL"),
        ("--metrics-addresses", "RECEIVER_METRICS_ADDRESSES"),
        ("--alert-url", "RECEIVER_ALERT_URL"),
        ("--public-url", "RECEIVER_PUBLIC_URL"),
        ("--keep-days", "RECEIVER_KEEP_DAYS"),
        ("--keep-gb", "RECEIVER_KEEP_GB"),
        ("--keep-events-days", "RECEIVER_KEEP_EVENTS_DAYS"),
        ("--keep-receipts-days", "RECEIVER_KEEP_RECEIPTS_DAYS"),
        ("--proxy-addresses", "RECEIVER_PROXY_ADDRESSES"),
        ("--proxy-header", "RECEIVER_PROXY_HEADER"),
    ] {
        assert!(help.contains(flag) && help.contains(variable), "{flag}: {help}");
        assert!(readme.contains(&format!("| `{variable}` | `{flag}` |")), "{variable}");
    }
    assert_eq!(help.matches("[env: RECEIVER_").count(), 20);
    let output = run(&["--version"], &[]);
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version, concat!("sync-receiver ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_flag_wins_over_its_variable_and_empty_counts_as_none() {
    let folder = TempDir::new().unwrap();
    let mut command = program();
    command
        .args(["--max-clip-mb", "2"])
        .env("RECEIVER_MAX_CLIP_MB", "1")
        .env("RECEIVER_TOKENS_FILE", "")
        .env("RECEIVER_STALL_SECONDS", "");
    let receiver = Receiver::run(folder, command);
    assert_eq!(
        receiver.ask(post("/api/media", "", clip(&noise(1_500_000, 1)))).status,
        201
    );
}

#[test]
fn two_receivers_do_not_share_a_folder() {
    let first = Receiver::start();
    let folder = first.path().to_str().unwrap();
    let output = run(&["--data", folder, "--listen", "127.0.0.1:0"], &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error.contains(&format!("RECEIVER_DATA={folder}: another sync-receiver")),
        "{error}"
    );
    assert_eq!(first.ask(post("/api/evenements", "", event())).status, 201);
}

#[test]
fn listening_to_the_world_without_tokens_is_warned_about() {
    for (listen, warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let folder = TempDir::new().unwrap();
        let mut command = program();
        command.args(["--listen", listen]);
        let mut receiver = Receiver::run(folder, command);
        receiver.signal(Signal::TERM);
        assert!(receiver.wait(Duration::from_secs(2)).success());
        let errors = receiver.errors();
        assert_eq!(errors.contains("without tokens"), warned, "{errors}");
        let way_out = format!("sync-receiver --data {} token add", receiver.path().display());
        assert_eq!(errors.contains(&way_out), warned, "{errors}");
        assert_eq!(errors.is_empty(), !warned, "{errors}");
    }
}

#[test]
fn a_signal_ends_it_within_2_s_with_status_0_whatever_it_does() {
    let request = post("/api/media", "", clip(&noise(300_000, 2)));
    for signal in [Signal::TERM, Signal::INT] {
        let mut receiver = Receiver::start();
        let mut idle = receiver.client();
        assert_eq!(idle.ask(post("/api/evenements", "", event())).status, 201);
        let mut busy = receiver.client();
        busy.send(&request[..request.len() / 2]);
        wait_until("the clip has begun", || receiver.files().1.len() == 1);
        let silent = receiver.client();
        receiver.signal(signal);
        let status = receiver.wait(Duration::from_secs(2));
        assert_eq!(status.code(), Some(0));
        drop(silent);
        // The database is one file again, and whatever was on its way is gone at the next start at the latest.
        let folder = receiver.kill();
        let receiver = Receiver::on(folder, &[]);
        assert_eq!((receiver.count("evenement"), receiver.count("media")), (1, 0));
        assert_eq!(receiver.files(), (vec![], vec![]));
    }
}

#[test]
fn a_request_in_flight_may_end_after_the_signal() {
    let mut receiver = Receiver::start();
    let request = post("/api/media", "", clip(&noise(300_000, 3)));
    let mut client = receiver.client();
    client.send(&request[..request.len() / 2]);
    wait_until("the clip has begun", || receiver.files().1.len() == 1);
    receiver.signal(Signal::TERM);
    client.send(&request[request.len() / 2..]);
    assert_eq!(client.answer().id(), 1);
    assert_eq!(receiver.wait(Duration::from_secs(2)).code(), Some(0));
    let database = receiver.database();
    let rows: i64 = database
        .query_row("SELECT count(*) FROM media", [], |row| row.get(0))
        .unwrap();
    assert_eq!((rows, receiver.files().0.len()), (1, 1));
}

#[test]
fn a_signal_ends_it_also_while_somebody_holds_the_database() {
    for request in [
        post("/api/evenements", "", event()),
        post("/api/media", "", clip(&noise(1_000, 4))),
    ] {
        let mut receiver = Receiver::start();
        let database = receiver.database();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut client = receiver.client();
        client.send(request);
        // Another one's answer: by now the row waits, too.
        let nowhere = "GET /nowhere HTTP/1.1\r\nHost: receiver\r\n\r\n";
        assert_eq!(receiver.ask(nowhere).status, 404);
        receiver.signal(Signal::TERM);
        assert_eq!(receiver.wait(Duration::from_secs(2)).code(), Some(0));
        database.execute_batch("ROLLBACK").unwrap();
        drop(database);
        let receiver = Receiver::on(receiver.kill(), &[]);
        assert!(receiver.holds_nothing());
    }
}

#[test]
fn health_asks_from_the_command_line() {
    let receiver = Receiver::start();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let url = format!("http://{}", receiver.address);
    for (arguments, settings, code) in [
        (vec!["health", &url], vec![], 0),
        (vec!["health", &receiver.address], vec![], 0),
        (vec!["health", "--listen", &receiver.address], vec![], 0),
        (vec!["health"], vec![("RECEIVER_LISTEN", receiver.address.as_str())], 0),
        (vec!["health", &free], vec![], 1),
        (vec!["health", "http://"], vec![], 2),
    ] {
        let output = run(&arguments, &settings);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    }
    // A server that listens everywhere is asked at home.
    let everywhere = receiver.address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(
        run(&["health"], &[("RECEIVER_LISTEN", &everywhere)]).status.code(),
        Some(0)
    );
}
