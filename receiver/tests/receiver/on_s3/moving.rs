//! `sync-receiver move`: what was in a folder is in a bucket and a database, whole, under its ids and keys, whatever happens
//! on the way.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{Bucket, Fault, variable, video};
use crate::support::tus::{creation, offset, patch, place};
use crate::support::{PASSWORD, Receiver, clip, event, noise, post, program, wait_until};

/// What is in a folder, to be found again elsewhere.
struct Filled {
    folder: TempDir,
    clips: Vec<Vec<u8>>,
    /// On its way, and how much of it is there.
    upload: Vec<u8>,
    sent: usize,
}

const KEY: &str = "Idempotency-Key: upload\r\n";

fn fill() -> Filled {
    let receiver = Receiver::start();
    let clips: Vec<_> = (0..12_u64).map(|seed| noise(seed as usize * 900_000, seed)).collect();
    for number in 0..30 {
        let key = format!("Idempotency-Key: event-{number}\r\n");
        let body = event().replace("PIR Entrée", &format!("Entrée {number} \\u0000"));
        assert_eq!(receiver.ask(post("/api/evenements", &key, body)).id(), number + 1);
    }
    for (number, bytes) in clips.iter().enumerate() {
        let key = format!("Idempotency-Key: clip-{number}\r\n");
        assert_eq!(
            receiver.ask(post("/api/media", &key, clip(bytes))).id(),
            number as i64 + 1
        );
    }
    // Ids are never given twice, also those of rows that are gone.
    receiver
        .database()
        .execute_batch("DELETE FROM evenement WHERE id = 30")
        .unwrap();
    let (upload, sent) = (noise(6_000_000, 77), 5_000_000);
    assert_eq!(
        offset(&receiver.ask(creation(upload.len(), KEY, &upload[..sent]))),
        sent
    );
    let status = r#"{"version":1,"tables":{"evenement":{"waiting":3,"failed":1},"media":{"waiting":0}}}"#;
    let request = format!(
        "PUT /api/devices/raspberry-1/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n\r\n{status}",
        status.len()
    );
    assert_eq!(receiver.ask(request).status / 100, 2);
    receiver.add_person("ada", &["--admin"]);
    Filled {
        folder: receiver.kill(),
        clips,
        upload,
        sent,
    }
}

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

/// Every key has its id, every clip its bytes, and the upload goes on.
fn assert_all_there(receiver: &Receiver, filled: &Filled) {
    for number in 0..29 {
        let key = format!("Idempotency-Key: event-{number}\r\n");
        assert_eq!(receiver.ask(post("/api/evenements", &key, event())).id(), number + 1);
    }
    assert_eq!(
        receiver
            .ask(post("/api/evenements", "Idempotency-Key: new\r\n", event()))
            .id(),
        31
    );
    for (number, bytes) in filled.clips.iter().enumerate() {
        let key = format!("Idempotency-Key: clip-{number}\r\n");
        assert_eq!(
            receiver.ask(post("/api/media", &key, clip(b"again"))).id(),
            number as i64 + 1
        );
        // Somebody may sign in: without a session nothing is shown.
        let person = receiver.sign_in_answer("ada", PASSWORD, "");
        let cookie = person
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_string();
        let read = video(receiver, number as i64 + 1, &format!("Cookie: {cookie}\r\n")).1;
        assert!(read == *bytes, "clip {number}");
    }
    let known = receiver.ask(creation(filled.upload.len(), KEY, b""));
    assert_eq!(offset(&known), filled.sent);
    let rest = receiver.ask(patch(&place(&known), filled.sent, "", &filled.upload[filled.sent..]));
    assert_eq!(rest.status, 204, "{rest:?}");
    assert_eq!(receiver.ask(creation(filled.upload.len(), KEY, b"")).id(), 13);
    let person = receiver.sign_in_answer("ada", PASSWORD, "");
    let cookie = person
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_string();
    assert!(video(receiver, 13, &format!("Cookie: {cookie}\r\n")).1 == filled.upload);
}

/// Runs it again and again, each time killed a little later, and then to its end.
fn move_with_kills(bucket: &Bucket, filled: &Filled, database: Option<&str>) {
    for objects in [1, 4, 9] {
        let mut child = moving(bucket, &filled.folder, database).spawn().unwrap();
        wait_until("some of it is there", || bucket.objects().len() >= objects);
        child.kill().unwrap();
        child.wait().unwrap();
        // Half of it is nobody's to serve.
        let refused = program()
            .env("RECEIVER_DATA", filled.folder.path())
            .env("RECEIVER_LISTEN", "127.0.0.1:0")
            .output()
            .unwrap();
        assert!(said(&refused).contains("run the same `sync-receiver move` again"));
    }
    let output = moving(bucket, &filled.folder, database).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("clips: 12 of 12") && told.contains("RECEIVER_CLIPS_URL"),
        "{told}"
    );
    // What the killed ones left is gone, too: eleven clips have bytes, and the upload.
    assert_eq!(bucket.videos().len(), 12);
    let sizes: u64 = bucket.objects().iter().map(|(_, size)| size).sum();
    let all: usize = filled.clips.iter().map(Vec::len).sum::<usize>() + filled.sent;
    assert_eq!(sizes, all as u64);
    std::fs::remove_dir_all(filled.folder.path().join("clips")).unwrap();
    std::fs::remove_dir_all(filled.folder.path().join("incoming")).unwrap();
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn clips_move_into_a_bucket_though_killed_and_everything_is_found_again() {
    let bucket = Bucket::new();
    let mut filled = fill();
    move_with_kills(&bucket, &filled, None);
    let folder = std::mem::replace(&mut filled.folder, TempDir::new().unwrap());
    // Not without the bucket.
    let refused = program()
        .env("RECEIVER_DATA", folder.path())
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(said(&refused).contains("set RECEIVER_CLIPS_URL"));
    let receiver = bucket.receiver_on(folder, &[]);
    assert_all_there(&receiver, &filled);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_move_refuses_what_would_not_end_well() {
    let bucket = Bucket::new();
    let nothing = TempDir::new().unwrap();
    let output = moving(&bucket, &nothing, None).output().unwrap();
    assert!(said(&output).contains("there is no receiver.db"));
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
    let filled = fill();
    let server = variable("SYNC_TEST_POSTGRES");
    let name = bucket.prefix().to_lowercase();
    psql(&format!("{server}/postgres"), &format!("CREATE DATABASE \"{name}\""));
    let database = format!("{server}/{name}");
    move_with_kills(&bucket, &filled, Some(&database));
    let count = |table: &str| psql(&database, &format!("SELECT count(*) FROM {table}"));
    let counts = ["evenement", "media", "person", "device", "upload"].map(count);
    assert_eq!(counts, ["29", "12", "1", "1", "1"]);
    // As it was sent, to the character that PostgreSQL's text has not.
    let name = psql(&database, "SELECT capteur_nom FROM evenement WHERE id = 8");
    assert_eq!(name, r#""Entrée 7 \u0000""#);
    assert_eq!(
        psql(
            &database,
            "SELECT key_owner || ' ' || idempotency_key || ' ' || moment FROM media WHERE id = 3"
        ),
        "raspberry-1 clip-2 2025-12-18T17:30:00.123456"
    );
    let receiver = bucket.receiver(&[("RECEIVER_DATABASE_URL", &database)]);
    assert_all_there(&receiver, &filled);
    drop(receiver);
    // A second folder does not go into the same database, nor this one once more.
    let other = Receiver::start().kill();
    let error = said(&moving(&bucket, &other, Some(&database)).output().unwrap());
    assert!(error.contains("a move goes into an empty one"), "{error}");
    let error = said(&moving(&bucket, &filled.folder, Some(&database)).output().unwrap());
    assert!(
        error.contains("it was moved to") && !error.contains("fleet:fleet"),
        "{error}"
    );
    let refused = program()
        .env("RECEIVER_DATA", filled.folder.path())
        .env("RECEIVER_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(said(&refused).contains("set RECEIVER_DATABASE_URL"));
}
