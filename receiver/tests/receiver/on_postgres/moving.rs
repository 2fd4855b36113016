//! `sync-receiver move --to-database`: the rows into PostgreSQL while the clips stay where they are.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::failover::bin;
use crate::support::grown::Grown;
use crate::support::hook::Hook;
use crate::support::postgres::{Database, ask};
use crate::support::{Receiver, event, post, program, wait_until};

/// Where the move is held up for as long as somebody has a lock: before the row of a table with this id.
const PLACES: [(&str, i64); 3] = [("notice", 1), ("media", 6), ("evenement", 600)];

fn moving(folder: &TempDir, database: &Database) -> Command {
    moving_to(folder, &database.url())
}

fn moving_to(folder: &TempDir, url: &str) -> Command {
    let mut command = program();
    command.env("RECEIVER_DATA", folder.path()).stdin(Stdio::null());
    command.args(["move", "--to-database", url]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A start with these settings, which is refused; one that is not finds its address taken.
fn refused(folder: &TempDir, settings: &[(&str, &str)]) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = program();
    command
        .envs(settings.iter().copied())
        .env("RECEIVER_DATA", folder.path());
    said(&command.env("RECEIVER_LISTEN", address).output().unwrap())
}

/// The one line of a refusal.
fn said(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(
        (output.status.code(), error.lines().count()),
        (Some(2), 1),
        "{output:?}"
    );
    assert!(!error.contains(":fleet@"), "{error}");
    error
}

/// A lock on the database, until it is dropped.
struct Lock(Child);

impl Lock {
    fn take(database: &Database) -> Self {
        let mut session = Command::new(bin("psql"));
        let session = session.args([&database.url(), "-Xq"]).stdin(Stdio::piped());
        let mut session = session.stdout(Stdio::null()).spawn().unwrap();
        let input = session.stdin.as_mut().unwrap();
        writeln!(input, "SELECT pg_advisory_lock(1);").unwrap();
        wait_until("the lock is held", || locks(database, "granted") == 1);
        Self(session)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn locks(database: &Database, which: &str) -> i64 {
    database.number(&format!(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND {which}
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ))
}

/// With its tables, and triggers that wait for a lock.
fn with_places(database: &Database) {
    let mut command = program();
    let made = command
        .args(["user", "list"])
        .env("RECEIVER_DATABASE_URL", database.url());
    assert!(made.output().unwrap().status.success());
    ask(
        &database.url(),
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$",
    );
    for (table, id) in PLACES {
        let when = format!("FOR EACH ROW WHEN (NEW.id = {id}) EXECUTE FUNCTION wait()");
        ask(
            &database.url(),
            &format!("CREATE TRIGGER wait BEFORE INSERT ON {table} {when}"),
        );
    }
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn rows_alone_move_though_killed_and_a_device_that_kept_trying_goes_on() {
    let (database, mut grown) = (Database::new(), Grown::new());
    let trying = grown.with_a_device();
    with_places(&database);
    for (table, _) in PLACES {
        let lock = Lock::take(&database);
        let mut child = moving(&grown.folder, &database).spawn().unwrap();
        wait_until("it waits in the middle", || {
            assert_eq!(child.try_wait().unwrap(), None, "it has ended");
            locks(&database, "NOT granted") == 1
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // Half of it is nobody's to serve, there or here.
        let error = refused(&grown.folder, &[]);
        assert!(error.contains("run the same `sync-receiver move` again"), "{error}");
        let error = refused(&grown.folder, &[("RECEIVER_DATABASE_URL", &database.url())]);
        assert!(
            error.contains("RECEIVER_DATABASE_URL: fleet@")
                && error.contains("run the same `sync-receiver move` again"),
            "{error}"
        );
        drop(lock);
        ask(&database.url(), &format!("DROP TRIGGER wait ON {table}"));
    }
    let output = moving(&grown.folder, &database).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("Set RECEIVER_DATABASE_URL and") && !told.contains("RECEIVER_CLIPS_URL"),
        "{told}"
    );
    let folder = std::mem::replace(&mut grown.folder, TempDir::new().unwrap());
    assert!(refused(&folder, &[]).contains("set RECEIVER_DATABASE_URL"));
    let (hook, url) = (Hook::new(&[]), database.url());
    let settings = [
        ("RECEIVER_DATABASE_URL", url.as_str()),
        ("RECEIVER_ALERT_URL", &hook.url()),
    ];
    let receiver = Receiver::on(folder, &settings);
    grown.assert_all_there(&receiver, &hook);
    // The clips are still its own.
    let owner = std::fs::read_to_string(receiver.path().join("owner")).unwrap();
    assert_eq!(ask(&url, "SELECT id FROM installation"), [owner.trim()]);
    trying.assert_goes_on(&receiver, |table, device| {
        let rows = format!("SELECT id || ' ' || moment FROM {table} WHERE device_id = '{device}' ORDER BY id");
        let rows = ask(&database.url(), &rows);
        let fields = rows.iter().map(|row| row.split_once(' ').unwrap());
        fields
            .map(|(id, date)| (id.parse().unwrap(), date.to_string()))
            .collect()
    });
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn a_database_that_takes_no_move_leaves_the_folder_as_it_was() {
    let (database, folder) = (Database::new(), Receiver::start().kill());
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]);
    let error = said(&moving(&folder, &database).output().unwrap());
    assert!(error.contains("a sync-receiver uses it: stop it"), "{error}");
    // It goes on, and others may start beside it.
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).id(), 1);
    drop(Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]));
    drop(receiver);
    let error = said(&moving(&folder, &database).output().unwrap());
    assert!(error.contains("has rows already"), "{error}");
    let away = "postgres://fleet:fleet@127.0.0.1:1/rows";
    let error = said(&moving_to(&folder, away).output().unwrap());
    assert!(error.contains("127.0.0.1:1"), "{error}");
    // Nothing was moved: the folder is as it was.
    assert_eq!(
        Receiver::on(folder, &[]).ask(post("/api/evenements", "", event())).id(),
        1
    );
}
