//! A repeated `Idempotency-Key` gets the first answer again and stores nothing.

use std::sync::{Arc, Barrier};

use crate::support::{Receiver, chunked, clip, event, noise, post, wait_until};

const KEY: &str = "Idempotency-Key: \"5f0c5a1e-6b1c-5d7e-9d3b-0a4f1c2d3e4f\"\r\n";
const UNQUOTED: &str = "idempotency-key: 5f0c5a1e-6b1c-5d7e-9d3b-0a4f1c2d3e4f\r\n";
const ASKS: &str = "Expect: 100-continue\r\n";

#[test]
fn a_repeated_key_gets_the_first_answer_again() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let other = event().replace("2025", "1999");
    let first = client.ask(post("/api/evenements", KEY, event()));
    assert_eq!(first.id(), 1);
    for again in [
        post("/api/evenements", KEY, event()),
        post("/api/evenements", UNQUOTED, &other),
    ] {
        let again = client.ask(again);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
    }
    // The same key on the other path is another request.
    let first = client.ask(post("/api/media", KEY, clip(b"one")));
    assert_eq!(first.id(), 1);
    assert!(first.body.contains("Média"), "{}", first.body);
    for again in [
        post("/api/media", UNQUOTED, clip(b"two")),
        chunked("/api/media", KEY, b"no JSON", 3),
    ] {
        let again = client.ask(again);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
    }
    assert_eq!((receiver.count("evenement"), receiver.count("media")), (1, 1));
    assert_eq!(receiver.files().0.len(), 1);
    // Also by another process.
    let folder = receiver.kill();
    let receiver = Receiver::on(folder, &[]);
    let again = receiver.ask(post("/api/media", KEY, clip(b"three")));
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(receiver.count("media"), 1);
}

fn in_parallel(receiver: &Receiver, request: Vec<u8>) -> Vec<String> {
    let (request, barrier) = (Arc::new(request), Arc::new(Barrier::new(16)));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (request, barrier, mut client) = (Arc::clone(&request), Arc::clone(&barrier), receiver.client());
            std::thread::spawn(move || {
                barrier.wait();
                let answer = client.ask(request.as_slice());
                assert_eq!(answer.status, 201, "{answer:?}");
                answer.body
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn one_key_in_many_hands_is_one_row() {
    let receiver = Receiver::start();
    for round in 1..=5 {
        let key = format!("Idempotency-Key: \"round-{round}\"\r\n");
        let events = in_parallel(&receiver, post("/api/evenements", &key, event()));
        assert!(events.iter().all(|answer| *answer == events[0]), "{events:?}");
        let clips = in_parallel(&receiver, post("/api/media", &key, clip(&noise(300_000, round))));
        assert!(clips.iter().all(|answer| *answer == clips[0]), "{clips:?}");
        assert_eq!(
            (receiver.count("evenement"), receiver.count("media")),
            (round as i64, round as i64)
        );
        // The files of those that came second are gone before they are answered.
        let (clips, incoming) = receiver.files();
        assert_eq!((clips.len() as u64, incoming.len()), (round, 0));
    }
}

#[test]
fn a_repeated_key_costs_a_sender_that_asks_first_no_body() {
    let receiver = Receiver::start();
    let body = clip(&noise(3 << 20, 4));
    let request = post("/api/media", &format!("{KEY}{ASKS}"), &body);
    let (head, body) = request.split_at(request.len() - body.len());

    let mut client = receiver.client();
    assert_eq!(client.ask(head).status, 100);
    let first = client.ask(body);
    assert_eq!(first.id(), 1);

    let mut client = receiver.client();
    let again = client.ask(head);
    assert_eq!((again.status, &again.body), (201, &first.body));
    // Whether the body comes after all could not be told apart from the next request.
    assert_eq!(again.header("connection"), Some("close"));
    assert!(client.is_closed());
    assert_eq!(receiver.count("media"), 1);
}

#[test]
fn a_repeated_key_is_answered_before_its_body() {
    let receiver = Receiver::start();
    for path in ["/api/media", "/api/evenements"] {
        let body = if path == "/api/media" {
            clip(&noise(500_000, 5))
        } else {
            event()
        };
        let request = post(path, KEY, &body);
        let (head, body) = request.split_at(request.len() - body.len());
        let mut client = receiver.client();
        client.send(head);
        let first = client.ask(body);
        // No byte of the body is sent before the answer is there, and the connection lives on after it.
        let again = client.ask(head);
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("connection"), None);
        client.send(body);
        assert_eq!(client.ask(post("/api/evenements", "", event())).status, 201);
    }
    assert_eq!(receiver.count("media"), 1);
}

#[test]
fn a_repeated_key_is_answered_also_to_a_sender_that_sends_all_first() {
    let receiver = Receiver::start();
    let body = clip(&noise(12 << 20, 6));
    let first = receiver.ask(post("/api/media", KEY, &body));
    let again = receiver.ask(post("/api/media", KEY, &body));
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let again = receiver.ask(chunked("/api/media", KEY, body.as_bytes(), 100_000));
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(receiver.count("media"), 1);
}

#[test]
fn a_key_that_stored_nothing_is_free() {
    let receiver = Receiver::start();
    for path in ["/api/evenements", "/api/media"] {
        assert_eq!(receiver.ask(post(path, KEY, "{}")).status, 400);
    }
    let mut client = receiver.client();
    let request = post("/api/media", KEY, clip(&noise(1 << 20, 7)));
    client.send(&request[..request.len() / 2]);
    wait_until("the clip has begun", || receiver.files().1.len() == 1);
    drop(client);
    wait_until("the clip is gone", || receiver.files().1.is_empty());
    assert_eq!(receiver.ask(post("/api/evenements", KEY, event())).id(), 1);
    assert_eq!(receiver.ask(request).id(), 1);
}

#[test]
fn two_uploads_of_one_key_at_a_time_do_not_wait_for_each_other() {
    let receiver = Receiver::start();
    let request = post("/api/media", KEY, clip(&noise(1 << 20, 8)));
    // The first is a connection that died without a word; its sender has come back.
    let mut dead = receiver.client();
    dead.send(&request[..request.len() / 2]);
    wait_until("the first has begun", || receiver.files().1.len() == 1);
    let second = receiver.ask(&request);
    assert_eq!(second.id(), 1);
    // It was not dead after all.
    let first = dead.ask(&request[request.len() / 2..]);
    assert_eq!((first.status, &first.body), (201, &second.body));
    assert_eq!(receiver.count("media"), 1);
    let (clips, incoming) = receiver.files();
    assert_eq!((clips.len(), incoming.len()), (1, 0));
}

#[test]
fn a_database_of_an_older_version_is_gone_on_with() {
    let folder = tempfile::TempDir::new().unwrap();
    // It kept each answer beside its row.
    let database = rusqlite::Connection::open(folder.path().join("receiver.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE evenement (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, date, capteur_id, capteur_nom, capteur_etat,
                 device_id TEXT NOT NULL, source TEXT NOT NULL,
                 received_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')), idempotency_key TEXT,
                 answer TEXT NOT NULL DEFAULT '', UNIQUE (idempotency_key, device_id));
             CREATE TABLE media (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, date, capteur_id, capteur_nom, numero_camera,
                 device_id TEXT NOT NULL, source TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL,
                 sha256 TEXT NOT NULL, received_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
                 idempotency_key TEXT, answer TEXT NOT NULL DEFAULT '', UNIQUE (idempotency_key, device_id));
             INSERT INTO evenement (id, date, capteur_id, device_id, source, idempotency_key, answer)
             VALUES (7, '2025-12-18T17:30:00', 1, 'raspberry-1', 'sync_service', 'old', 'x')",
        )
        .unwrap();
    drop(database);
    let receiver = Receiver::on(folder, &[]);
    let mut client = receiver.client();
    let old = client.ask(post("/api/evenements", "Idempotency-Key: old\r\n", event()));
    assert_eq!(old.status, 201);
    assert_eq!(
        old.body,
        r#"{"id":7,"date":"2025-12-18T17:30:00","capteur_id":1,"message":"Événement créé"}"#
    );
    assert_eq!(client.ask(post("/api/evenements", KEY, event())).id(), 8);
    assert_eq!(client.ask(post("/api/evenements", KEY, event())).id(), 8);
}
