//! `sync-receiver move`: what was in a folder is in a bucket and a database, whole, under its ids and keys, whatever happens
//! on the way.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{Bucket, Fault, variable, video};
use crate::support::grown::Grown;
use crate::support::hook::Hook;
use crate::support::{Receiver, clip, noise, post, program, wait_until};

/// The command, on a folder.
fn moving(bucket: &Bucket, folder: &TempDir, database: Option<&str>) -> Command {
    let mut command = program();
    let settings = bucket.settings();
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    let url = &settings[0].1;
    command
        .env_remove("RECEIVER_CLIPS_URL")
        .env("RECEIVER_DATA", folder.path());
    command.args(["move", "--to-clips", url]);
    if let Some(database) = database {
        command.args(["--to-database", database]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    // Beside what is logged.
    let lines: Vec<_> = error
        .lines()
        .filter(|line| line.starts_with("sync-receiver: "))
        .collect();
    assert_eq!((output.status.code(), lines.len()), (Some(2), 1), "{output:?}");
    lines[0].to_string()
}

/// Runs it again and again, each time killed a little later, and then to its end.
fn move_with_kills(bucket: &Bucket, grown: &Grown, database: Option<&str>) {
    for objects in [1, 4, 9] {
        let mut child = moving(bucket, &grown.folder, database).spawn().unwrap();
        wait_until("some of it is there", || bucket.objects().len() >= objects);
        child.kill().unwrap();
        child.wait().unwrap();
        // Half of it is nobody's to serve, there or here.
        // Who is not refused finds its address taken.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let nothing = TempDir::new().unwrap();
        let there = database.map(|database| (nothing.path(), Some(database)));
        for (folder, database) in [(grown.folder.path(), None)].into_iter().chain(there) {
            let mut command = program();
            command.env("RECEIVER_DATA", folder).env("RECEIVER_LISTEN", &address);
            command.envs(database.map(|database| ("RECEIVER_DATABASE_URL", database)));
            let refused = said(&command.output().unwrap());
            assert!(refused.contains("run the same `sync-receiver move` again"), "{refused}");
        }
    }
    let output = moving(bucket, &grown.folder, database).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("clips: 12 of 12") && told.contains("RECEIVER_CLIPS_URL"),
        "{told}"
    );
    // What the killed ones left is gone, too: eleven clips have bytes, and the upload.
    assert_eq!(bucket.videos().len(), 12);
    let sizes: u64 = bucket.objects().iter().map(|(_, size)| size).sum();
    let all: usize = grown.clips.iter().map(Vec::len).sum::<usize>() + grown.sent;
    assert_eq!(sizes, all as u64);
    std::fs::remove_dir_all(grown.folder.path().join("clips")).unwrap();
    std::fs::remove_dir_all(grown.folder.path().join("incoming")).unwrap();
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn clips_move_into_a_bucket_though_killed_and_everything_is_found_again() {
    let bucket = Bucket::new();
    let mut grown = Grown::new();
    let trying = grown.with_a_device();
    move_with_kills(&bucket, &grown, None);
    let folder = std::mem::replace(&mut grown.folder, TempDir::new().unwrap());
    // Not without the bucket.
    let refused = program()
        .env("RECEIVER_DATA", folder.path())
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(said(&refused).contains("set RECEIVER_CLIPS_URL"));
    let hook = Hook::new(&[]);
    let receiver = bucket.receiver_on(folder, &[("RECEIVER_ALERT_URL", &hook.url())]);
    grown.assert_all_there(&receiver, &hook);
    trying.assert_goes_on(&receiver, |table, device| {
        let database = receiver.database();
        let rows = format!("SELECT id, date FROM {table} WHERE device_id = ?1 ORDER BY id");
        let mut rows = database.prepare(&rows).unwrap();
        let rows = rows.query_map([device], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    });
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_move_refuses_what_would_not_end_well() {
    let bucket = Bucket::new();
    let nothing = TempDir::new().unwrap();
    let output = moving(&bucket, &nothing, None).output().unwrap();
    assert!(said(&output).contains("there is no receiver.db"));
    // Into a bucket that is away: the folder is as it was.
    let folder = Receiver::start().kill();
    bucket.proxy.set(Fault::Away);
    assert!(said(&moving(&bucket, &folder, None).output().unwrap()).contains("s3://"));
    bucket.proxy.set(Fault::None);
    drop(Receiver::on(folder, &[]));
    // While somebody serves.
    let receiver = Receiver::start();
    for number in 0..3_u64 {
        assert_eq!(
            receiver.ask(post("/api/media", "", clip(&noise(1000, number)))).status,
            201
        );
    }
    let mut command = moving(&bucket, &nothing, None);
    let output = command.env("RECEIVER_DATA", receiver.path()).output().unwrap();
    assert!(said(&output).contains("another sync-receiver uses this folder"));
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"goes on"))).id(), 4);
    // A clip that is not what came, and one that is gone: named, and the others are moved.
    let files = receiver.files().0;
    let folder = receiver.kill();
    let clips = folder.path().join("clips");
    let was = std::fs::read(clips.join(&files[0])).unwrap();
    std::fs::write(clips.join(&files[0]), noise(1000, 99)).unwrap();
    std::fs::rename(clips.join(&files[1]), clips.join("away")).unwrap();
    let output = moving(&bucket, &folder, None).output().unwrap();
    let error = said(&output);
    assert!(error.contains("2 clips are not what came, or gone"), "{error}");
    assert!(error.contains(&files[0]) && error.contains(&files[1]), "{error}");
    // The bucket is away: said, and gone on with later.
    std::fs::write(clips.join(&files[0]), was).unwrap();
    std::fs::rename(clips.join("away"), clips.join(&files[1])).unwrap();
    bucket.proxy.set(Fault::Away);
    assert!(said(&moving(&bucket, &folder, None).output().unwrap()).contains("s3://"));
    bucket.proxy.set(Fault::None);
    let output = moving(&bucket, &folder, None).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let receiver = bucket.receiver_on(folder, &[]);
    for number in 0..3_u64 {
        assert!(video(&receiver, number as i64 + 1, "").1 == noise(1000, number));
    }
}

/// What `psql` prints.
pub(super) fn psql(url: &str, sql: &str) -> String {
    let program = format!("{}/psql", variable("SYNC_TEST_POSTGRES_BIN"));
    let output = Command::new(program).args([url, "-XAtc", sql]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

#[test]
#[ignore = "needs PostgreSQL and an S3 server: scripts/test-fleet.sh"]
fn everything_moves_into_a_database_and_a_bucket_though_killed() {
    let bucket = Bucket::new();
    let grown = Grown::new();
    let server = variable("SYNC_TEST_POSTGRES");
    let name = bucket.prefix().to_lowercase();
    psql(&format!("{server}/postgres"), &format!("CREATE DATABASE \"{name}\""));
    let database = format!("{server}/{name}");
    move_with_kills(&bucket, &grown, Some(&database));
    let count = |table: &str| psql(&database, &format!("SELECT count(*) FROM {table}"));
    let counts = ["evenement", "media", "person", "device", "upload"].map(count);
    assert_eq!(counts, ["30", "12", "1", "1", "1"]);
    let counts = ["token", "notice", "alarm", "receipt", "removal"].map(count);
    assert_eq!(counts, ["1"; 5]);
    let failures = psql(&database, "SELECT subject FROM sign_in_failure WHERE failures = 1");
    assert!(failures.contains("eve"), "{failures}");
    assert_eq!(
        psql(&database, "SELECT key_owner FROM receipt WHERE id = 30"),
        "raspberry-1"
    );
    // No id is given twice.
    let next = |table: &str| psql(&database, &format!("SELECT last_value + 1 FROM {table}_id_seq"));
    let next = ["evenement", "media", "token", "notice"].map(next);
    assert_eq!(next, ["32", "13", "2", "2"]);
    // Whoever was quiet during the move is not silent for that, and no event of it goes untold.
    let watch = psql(
        &database,
        "SELECT followed LIKE 'c%.e__', looked_at > 0 FROM alert_watch",
    );
    assert_eq!(watch, "t|t");
    // The bucket is the database's, and nobody else's.
    let owner = bucket.owner();
    assert_eq!(psql(&database, "SELECT id FROM installation"), owner);
    let (other, name) = (TempDir::new().unwrap(), bucket.prefix());
    let made = program()
        .args(["token", "add", "raspberry-1"])
        .env("RECEIVER_DATA", other.path())
        .output();
    assert!(made.unwrap().status.success());
    let refused = said(&moving(&bucket, &other, None).output().unwrap());
    assert!(
        refused.contains(&name) && refused.contains("another database has its clips there"),
        "{refused}"
    );
    assert_eq!(bucket.owner(), owner);
    // As it was sent, to the character that PostgreSQL's text has not.
    let name = psql(&database, "SELECT capteur_nom FROM evenement WHERE id = 7");
    assert_eq!(name, r#""Entrée 7 \u0000""#);
    assert_eq!(
        psql(
            &database,
            "SELECT key_owner || ' ' || idempotency_key || ' ' || moment FROM media WHERE id = 3"
        ),
        "raspberry-1 clip-3 2025-12-18T17:30:00.123456"
    );
    let hook = Hook::new(&[]);
    let receiver = bucket.receiver(&[
        ("RECEIVER_DATABASE_URL", &database),
        ("RECEIVER_ALERT_URL", &hook.url()),
    ]);
    grown.assert_all_there(&receiver, &hook);
    drop(receiver);
    // A second folder does not go into the same database, nor this one once more.
    let other = Receiver::start().kill();
    let error = said(&moving(&bucket, &other, Some(&database)).output().unwrap());
    assert!(error.contains("a move goes into an empty one"), "{error}");
    let error = said(&moving(&bucket, &grown.folder, Some(&database)).output().unwrap());
    assert!(
        error.contains("it was moved to") && !error.contains("fleet:fleet"),
        "{error}"
    );
    let refused = program()
        .env("RECEIVER_DATA", grown.folder.path())
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(said(&refused).contains("set RECEIVER_DATABASE_URL"));
}
