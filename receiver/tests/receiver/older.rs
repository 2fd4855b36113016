//! Databases that older receivers left: everything in them comes along.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::tus::{UPLOADS, look, offset, patch};
use crate::support::{Receiver, clip, event, post, program};

/// Made when the older databases were.
const TOKEN: &str = "Authorization: Bearer cnWUGKbiScObsIAGS0WpXPL6QFoUbUZhq9o2lEtzF2Q\r\n";
const COOKIE: &str = "Cookie: receiver_session=M3LOPZLOrj6lm6r7r6s5wpQb-nFDD6MTZh21OoHQvy4.oGxkwkEfr4vGj-JRDhNbOHmmGsbIwC9fF9I_Rzsu5bQ\r\n";
const CLIP: &str = "01a1ffec-513a-71b2-982d-21b11c6ff74b.bin";
const PART: &str = "01a1ffec-513c-72ff-880c-f4300b147e96.upload";
const UPLOAD: &str = "fa068b34fb205fe770098cf3eb06212d";

/// A folder with that database and its files.
fn folder(sql: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, file, bytes) in [("clips", CLIP, "a video"), ("incoming", PART, "a cl")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        if sql.contains(file.split('.').next().unwrap()) {
            fs::write(folder.path().join(name).join(file), bytes).unwrap();
        }
    }
    let database = Connection::open(folder.path().join("receiver.db")).unwrap();
    database.execute_batch(sql).unwrap();
    folder
}

fn get(receiver: &Receiver, path: &str, headers: &str) -> Value {
    let answer = receiver.ask(format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        receiver.address
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

fn ids(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn a_database_from_before_the_numbers_comes_along_with_all_that_is_in_it() {
    let mut receiver = Receiver::on(folder(include_str!("../older/before_numbers.sql")), &[]);
    for _ in 0..2 {
        for (key, id) in [("e-1", 1), ("e-2", 2)] {
            let headers = format!("{TOKEN}Idempotency-Key: \"{key}\"\r\n");
            assert_eq!(receiver.ask(post("/api/evenements", &headers, event())).id(), id);
        }
        let headers = format!("{TOKEN}Idempotency-Key: \"c-1\"\r\n");
        assert_eq!(receiver.ask(post("/api/media", &headers, clip(b"another"))).id(), 1);
        assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 401);

        let events = get(&receiver, "/api/evenements", COOKIE);
        assert_eq!(ids(&events), [2, 3, 1]);
        assert_eq!(events["items"][0]["capteur"]["id"], 7);
        let clips = get(&receiver, "/api/media", COOKIE);
        assert_eq!(
            (ids(&clips), &clips["items"][0]["pinned"]),
            (vec![1], &Value::Bool(true))
        );
        assert_eq!(get(&receiver, "/api/new", COOKIE)["count"], 0);
        assert_eq!(get(&receiver, "/api/me", COOKIE)["name"], "anna");
        let devices = get(&receiver, "/api/devices", COOKIE);
        let names: Vec<_> = devices["devices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|device| &device["device_id"])
            .collect();
        assert!(
            names.contains(&&Value::from("raspberry-1")) && names.len() == 2,
            "{devices}"
        );
        receiver = Receiver::on(receiver.kill(), &[]);
    }
    let ben = receiver.sign_in("ben");
    assert_eq!(ids(&ben.json("/api/evenements")), [3]);
    drop(ben);
    let tokens = receiver.command(&["token", "list"], "");
    assert!(
        String::from_utf8_lossy(&tokens.stdout).contains("raspberry-1"),
        "{tokens:?}"
    );

    let path = format!("{UPLOADS}/{UPLOAD}");
    assert_eq!(offset(&look(&receiver, &path, TOKEN)), 4);
    assert_eq!(receiver.ask(patch(&path, 4, TOKEN, b"ip")).status, 204);
    assert_eq!(ids(&get(&receiver, "/api/media", COOKIE)), [2, 1]);
}

#[test]
fn a_database_of_the_first_receiver_comes_along() {
    let mut receiver = Receiver::on(folder(include_str!("../older/first.sql")), &[]);
    for _ in 0..2 {
        for (key, id) in [("e-1", 1), ("e-2", 2)] {
            let headers = format!("Idempotency-Key: \"{key}\"\r\n");
            assert_eq!(receiver.ask(post("/api/evenements", &headers, event())).id(), id);
        }
        let again = receiver.ask(post("/api/media", "Idempotency-Key: \"c-1\"\r\n", clip(b"another")));
        assert_eq!(again.id(), 1);
        assert_eq!(ids(&receiver.local_json("/api/evenements")), [4, 3, 1, 2]);
        assert_eq!(ids(&receiver.local_json("/api/media")), [1]);
        let video = receiver.local("GET /api/media/1/video");
        assert_eq!((video.status, video.body.as_str()), (200, "a video"));
        receiver = Receiver::on(receiver.kill(), &[]);
    }
    // No id is given twice, though the rows 5 to 9 are gone.
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).id(), 10);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"x"))).id(), 2);
}

#[test]
fn a_database_of_a_newer_receiver_is_refused_with_a_sentence_and_not_touched() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).id(), 1);
    let folder = receiver.kill();
    let database = Connection::open(folder.path().join("receiver.db")).unwrap();
    let known: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert!(known >= 7);
    database.execute_batch("PRAGMA user_version = 9999").unwrap();
    drop(database);
    for arguments in [&[][..], &["user", "list"][..]] {
        let output = program()
            .args(arguments)
            .env("RECEIVER_LISTEN", "127.0.0.1:0")
            .env("RECEIVER_DATA", folder.path())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("sync-receiver: RECEIVER_DATA="), "{error}");
        assert!(last.contains("newer sync-receiver") && last.contains("9999"), "{error}");
    }
    let database = Connection::open(folder.path().join("receiver.db")).unwrap();
    let count: i64 = database
        .query_row("SELECT count(*) FROM evenement", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
}
