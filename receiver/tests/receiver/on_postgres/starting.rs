//! With a database elsewhere: there, not there, there again.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::failover::as_postgres;
use crate::support::postgres::{Database, Line, server};
use crate::support::{Receiver, event, post, program, wait_until};

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn without_its_database_it_starts_and_is_well_as_soon_as_that_comes() {
    let database = Database::new();
    let address = free_address();
    let url = database.url_at(&address);
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &url)]);
    let request = || post("/api/evenements", "Idempotency-Key: \"k\"\r\n", event());
    for _ in 0..3 {
        let answer = receiver.ask(request());
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer
                .header("retry-after")
                .is_some_and(|seconds| seconds.parse::<u32>().is_ok()),
            "{answer:?}"
        );
    }
    assert_eq!(receiver.ask("GET /ready HTTP/1.1\r\nHost: r\r\n\r\n").status, 503);
    let line = Line::at(&address);
    wait_until("an event is stored", || receiver.ask(request()).status == 201);
    assert_eq!(database.count("evenement"), 1);
    assert_eq!(receiver.ask("GET /ready HTTP/1.1\r\nHost: r\r\n\r\n").status, 200);
    // Away once more, and back.
    drop(line);
    wait_until("it is away", || {
        receiver.ask(post("/api/evenements", "", event())).status == 503
    });
    let _line = Line::at(&address);
    wait_until("it is back", || receiver.ask(request()).status == 201);
    assert_eq!(database.count("evenement WHERE idempotency_key IS NOT NULL"), 1);
    let metrics = receiver.local("GET /metrics").body;
    let connections = metrics
        .lines()
        .find_map(|line| line.strip_prefix(r#"receiver_database_connections{used_for="rows"} "#));
    assert!(
        connections.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 0)),
        "{metrics}"
    );
    drop(receiver);
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn a_database_that_refuses_it_stops_the_start_in_one_line_without_the_password() {
    let server = server();
    let address = server.split_once('@').unwrap().1;
    for (url, said) in [
        (
            format!("postgres://fleet:wrong-pw@{address}/postgres"),
            "password authentication failed",
        ),
        (format!("{server}/no_such_database"), "no_such_database"),
        ("postgres://fleet:wrong-pw@/x".to_string(), "no host"),
        (
            "sqlite://wrong-pw".to_string(),
            "postgres://user:password@host/database",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for arguments in [&[][..], &["user", "list"]] {
            let output = program()
                .args(arguments)
                .env("RECEIVER_DATA", folder.path())
                .env("RECEIVER_LISTEN", "127.0.0.1:0")
                .env("RECEIVER_DATABASE_URL", &url)
                .output()
                .unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(
                error.contains("RECEIVER_DATABASE_URL") && error.contains(said),
                "{error}"
            );
            assert!(!error.contains("wrong-pw") && !error.contains(":fleet@"), "{error}");
        }
    }
    let help = program()
        .arg("--help")
        .env("RECEIVER_DATABASE_URL", "postgres://u:secret-pw@h/d")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("secret-pw"));
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn a_receiver_with_its_own_database_and_one_without_do_not_share_a_folder() {
    let database = Database::new();
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]);
    let other = program()
        .env("RECEIVER_DATA", receiver.path())
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    let error = String::from_utf8(other.stderr).unwrap();
    assert!(error.contains("another sync-receiver"), "{error}");
    assert!(!receiver.path().join("receiver.db").exists());
}

#[test]
#[ignore = "needs the user that PostgreSQL brings: scripts/test-fleet.sh"]
fn a_folder_of_another_owner_is_named_with_both_users() {
    // Where nobody but root may write, by somebody who is not root.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = place.path().join("sync-receiver");
    std::fs::copy(program().get_program(), &copy).unwrap();
    let mut who = as_postgres(Path::new("id"));
    let user = String::from_utf8(who.arg("-u").output().unwrap().stdout).unwrap();
    let user = user.trim();
    let database = Database::new();
    let cases = [
        (
            "/usr",
            "/usr",
            format!("sudo install -d -m 700 -o {user} /usr/sync-receiver"),
        ),
        ("/root", "/root", format!("chown -R {user} /root")),
        (
            "/usr/no/such",
            "/usr",
            format!("sudo install -d -m 700 -o {user} /usr/no/such"),
        ),
    ];
    for (folder, owned, way_out) in cases {
        for url in ["", &database.url()] {
            let mut command = as_postgres(&copy);
            command.current_dir("/").env("RECEIVER_DATA", folder);
            command
                .env("RECEIVER_DATABASE_URL", url)
                .env("RECEIVER_LISTEN", "127.0.0.1:0");
            let output = command.output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
            let said = format!("permission denied: {owned} belongs to user 0, and this runs as user {user}; ");
            assert!(error.contains(&said) && error.contains(&way_out), "{error}");
        }
    }
}
