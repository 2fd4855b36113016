//! Many events in one request.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::support::{Answer, Receiver, chunked, event, noise, post, wait_until};

const PATH: &str = "/api/evenements/batch";

fn entry(key: &str) -> String {
    format!(r#"{{"key":"{key}","evenement":{}}}"#, event())
}

fn list(entries: &[String]) -> String {
    format!("[{}]", entries.join(","))
}

fn results(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["results"].as_array().unwrap().clone()
}

fn stored(id: i64) -> Value {
    json!({"status": 201, "id": id})
}

#[test]
fn every_answer_names_the_extensions() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (request, status) in [
        (post("/api/evenements", "", event()), 201),
        (post("/api/evenements", "", "{}"), 400),
        (post("/api/media", "", "{}"), 400),
        (post(PATH, "", "[]"), 200),
        (b"GET /health HTTP/1.1\r\nHost: receiver\r\n\r\n".to_vec(), 200),
        (b"GET /nowhere HTTP/1.1\r\nHost: receiver\r\n\r\n".to_vec(), 404),
        (
            b"PATCH /api/evenements HTTP/1.1\r\nHost: receiver\r\n\r\n".to_vec(),
            405,
        ),
    ] {
        let answer = client.ask(request);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("sync-extensions"), Some("batch, uploads, status"));
    }
}

#[test]
fn a_batch_is_stored_in_its_order_with_an_id_for_each() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let names = ["Porte", "Salon", "Tapis Entree"];
    let entries = names.map(|name| entry(name.split(' ').next_back().unwrap()).replace("PIR Entrée", name));
    let answer = client.ask(post(PATH, "", list(&entries)));
    assert_eq!(results(&answer), [stored(1), stored(2), stored(3)]);
    let database = receiver.database();
    let mut query = database
        .prepare("SELECT id, date, capteur_id, capteur_nom, capteur_etat, device_id, source FROM evenement ORDER BY id")
        .unwrap();
    let rows: Vec<(i64, String, i64, String, i64, String, String)> = query
        .query_map([], |row| row.try_into())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let expected = [1, 2, 3].map(|id: i64| {
        let name = names[usize::try_from(id).unwrap() - 1].to_string();
        let date = "2025-12-18T17:30:00.123456".to_string();
        (
            id,
            date,
            1,
            name,
            1,
            "raspberry-1".to_string(),
            "sync_service".to_string(),
        )
    });
    assert_eq!(rows, expected);
    assert_eq!(results(&client.ask(post(PATH, "", "[]"))), Vec::<Value>::new());
}

#[test]
fn a_repeated_key_has_its_first_id_also_within_a_batch_and_on_the_other_route() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let single = |key: &str| post("/api/evenements", &format!("Idempotency-Key: \"{key}\"\r\n"), event());
    assert_eq!(client.ask(single("single")).id(), 1);
    // Other content too: the key decides, as it does alone.
    let other = entry("a").replace("2025", "1999");
    let body = list(&[entry("a"), entry("single"), other, entry("b")]);
    let expected = [stored(2), stored(1), stored(2), stored(3)];
    assert_eq!(results(&client.ask(post(PATH, "", &body))), expected);
    assert_eq!(results(&client.ask(post(PATH, "", &body))), expected);
    assert_eq!(client.ask(single("b")).id(), 3);
    assert_eq!(receiver.count("evenement"), 3);
    // Also by another process.
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert_eq!(results(&receiver.ask(post(PATH, "", &body))), expected);
    assert_eq!(receiver.count("evenement"), 3);
}

#[test]
fn one_rows_refusal_is_its_own() {
    let receiver = Receiver::start();
    let wrong = [
        (r#"{"key":"w","evenement":{}}"#.to_string(), "capteur: "),
        (
            entry("w").replace(r#""date":"2025-12-18T17:30:00.123456""#, r#""date":{}"#),
            "date: ",
        ),
        (entry("w").replace(r#""source""#, r#""sauce""#), "source: "),
        (format!(r#"{{"evenement":{}}}"#, event()), "key: "),
        (entry("w").replace(r#""w""#, "7"), "key: "),
        (entry("w").replace(r#""w""#, r#""""#), "key: "),
        (entry("w").replace(r#""w""#, r#""é""#), "key: "),
        (entry(&"k".repeat(256)), "key: "),
        (r#"{"key":"w"}"#.to_string(), "evenement: "),
        (r#"{"key":"w","evenement":[]}"#.to_string(), "evenement: "),
        (
            entry("w").replace(
                "}}",
                &format!(r#","x":{}1{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
            ),
            "JSON invalide: plus de 32",
        ),
        ("7".to_string(), "JSON invalide: "),
        ("null".to_string(), "JSON invalide: "),
        (r#"{"key":"w","key":"x","evenement":{}}"#.to_string(), "JSON invalide: "),
    ];
    let mut entries = vec![entry("first")];
    entries.extend(wrong.iter().map(|(entry, _)| entry.clone()));
    entries.push(entry("last").replace("}}", &format!(r#","new":[{{"deep":[1,"é\"{}"]}}]}}}}"#, "[".repeat(50))));
    let answer = receiver.ask(post(PATH, "", list(&entries)));
    let results = results(&answer);
    assert_eq!(results.len(), wrong.len() + 2);
    for (result, (entry, reason)) in results[1..].iter().zip(&wrong) {
        assert_eq!(result["status"], 400, "{entry}");
        assert!(
            result["error"].as_str().unwrap().starts_with(reason),
            "{entry}: {result}"
        );
        assert!(result.get("id").is_none());
    }
    assert_eq!((&results[0], &results[wrong.len() + 1]), (&stored(1), &stored(2)));
    assert_eq!(receiver.count("evenement"), 2);
}

#[test]
fn what_is_no_batch_is_refused_as_a_whole() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let whole = list(&[entry("a")]);
    for body in [
        "",
        "{}",
        "[",
        "[}",
        "[1,]",
        "nul",
        "\u{7f}",
        &whole[..whole.len() - 1],
        &event(),
        &(whole.clone() + "x"),
    ] {
        let answer = client.ask(post(PATH, "", body));
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.error().starts_with("JSON invalide: "), "{}", answer.error());
    }
    let answer = client.ask(post(PATH, "", b"[\"\xff\"]"));
    assert_eq!(answer.status, 400);
    let answer = client.ask(format!("GET {PATH} HTTP/1.1\r\nHost: receiver\r\n\r\n"));
    assert_eq!(answer.status, 405);
    assert!(receiver.holds_nothing());
}

#[test]
fn a_thousand_events_and_a_megabyte_are_the_most() {
    let receiver = Receiver::start();
    let entries: Vec<_> = (0..1_001).map(|number| entry(&number.to_string())).collect();
    assert_eq!(receiver.ask(post(PATH, "", list(&entries))).status, 413);
    // As many small ones as fit into a megabyte: refused without being kept.
    let many = format!("[{}0]", "0,".repeat(500_000));
    assert_eq!(receiver.ask(post(PATH, "", many)).status, 413);
    let long = entry("long").replace("PIR Entrée", &"n".repeat(1 << 20));
    assert_eq!(receiver.ask(post(PATH, "", list(&[long]))).status, 413);
    assert!(receiver.holds_nothing());
    let results = results(&receiver.ask(post(PATH, "", list(&entries[1..]))));
    assert_eq!(results.len(), 1_000);
    assert!(
        results
            .iter()
            .enumerate()
            .all(|(index, result)| *result == stored(index as i64 + 1))
    );
    let long = entry("long").replace("PIR Entrée", &"n".repeat(999_000));
    assert_eq!(receiver.ask(post(PATH, "", list(&[long]))).status, 200);
    assert_eq!(receiver.count("evenement"), 1_001);
}

#[test]
fn a_batch_comes_packed_and_in_pieces() {
    let receiver = Receiver::start();
    let body = list(&(0..300).map(|number| entry(&number.to_string())).collect::<Vec<_>>());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::stream::encode_all(body.as_bytes(), 1).unwrap();
    let expected: Vec<_> = (1..=300).map(stored).collect();
    for request in [
        post(PATH, "Content-Encoding: gzip\r\n", &gzip),
        post(PATH, "Content-Encoding: zstd\r\n", &zstd),
        chunked(PATH, "", body.as_bytes(), 777),
    ] {
        assert_eq!(results(&receiver.ask(request)), expected);
    }
    assert_eq!(receiver.count("evenement"), 300);
    let spaces = zstd::stream::encode_all(vec![b' '; 40 << 20].as_slice(), 1).unwrap();
    for (headers, body, status) in [
        ("Content-Encoding: gzip\r\n", &gzip[..gzip.len() / 2], 400),
        ("Content-Encoding: zstd\r\n", &zstd[..zstd.len() / 2], 400),
        ("Content-Encoding: zstd\r\n", &spaces[..], 413),
        ("Content-Encoding: br\r\n", b"", 415),
    ] {
        assert_eq!(receiver.ask(post(PATH, headers, body)).status, status);
    }
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
}

#[test]
fn a_token_stores_for_its_own_device_alone_row_by_row() {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "raspberry-1 secret-1\nback door\tsecret-2").unwrap();
    let path = file.path().to_str().unwrap().to_string();
    let receiver = Receiver::with(&[("RECEIVER_TOKENS_FILE", &path)]);
    let body = list(&[entry("a"), entry("b").replace("raspberry-1", "back door")]);
    let answer = receiver.ask(post(PATH, "", &body));
    assert_eq!(
        (answer.status, answer.header("sync-extensions")),
        (401, Some("batch, uploads, status"))
    );
    let first = results(&receiver.ask(post(PATH, "Authorization: Bearer secret-1\r\n", &body)));
    assert_eq!((&first[0], &first[1]["status"]), (&stored(1), &json!(403)));
    assert!(first[1]["error"].as_str().unwrap().starts_with("device_id"));
    // A key is its device's own.
    let body = body.replace("\"key\":\"b\"", "\"key\":\"a\"");
    let second = results(&receiver.ask(post(PATH, "Authorization: Bearer secret-2\r\n", &body)));
    assert_eq!((&second[0]["status"], &second[1]), (&json!(403), &stored(2)));
    assert_eq!(receiver.count("evenement"), 2);
}

#[test]
fn a_batch_is_all_or_nothing_on_disk() {
    let receiver = Receiver::start();
    let database = receiver.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = list(&[entry("a"), entry("b")]);
    assert_eq!(receiver.ask(post(PATH, "", &body)).status, 503);
    database.execute_batch("ROLLBACK").unwrap();
    assert!(receiver.holds_nothing());
    assert_eq!(results(&receiver.ask(post(PATH, "", &body))), [stored(1), stored(2)]);
}

#[test]
fn killed_while_batches_come_in_it_has_each_whole_and_each_event_once() {
    let mut receiver = Receiver::start();
    let batches: Arc<Vec<String>> = Arc::new(
        (0..40)
            .map(|batch| list(&(0..50).map(|row| entry(&format!("{batch}-{row}"))).collect::<Vec<_>>()))
            .collect(),
    );
    for round in 0..8 {
        let (address, sent) = (receiver.address.clone(), Arc::clone(&batches));
        let sender = std::thread::spawn(move || {
            let _ = std::panic::catch_unwind(|| {
                let mut client = crate::support::Client::new(&address);
                for body in sent.iter() {
                    client.ask(post(PATH, "", body));
                }
            });
        });
        wait_until("some are there", || {
            sender.is_finished() || receiver.count("evenement") >= (round + 1) * 200
        });
        let folder = receiver.kill();
        sender.join().unwrap();
        receiver = Receiver::on(folder, &[]);
        assert_eq!(receiver.count("evenement") % 50, 0, "round {round}");
    }
    for body in batches.iter() {
        assert!(
            results(&receiver.ask(post(PATH, "", body)))
                .iter()
                .all(|result| result["status"] == 201)
        );
    }
    assert_eq!(receiver.count("evenement"), 2_000);
    let keys = "SELECT count(DISTINCT idempotency_key) FROM evenement";
    let keys: i64 = receiver.database().query_row(keys, [], |row| row.get(0)).unwrap();
    assert_eq!(keys, 2_000);
}

/// SQLite's log grows by whole transactions, each of which syncs: its frames tell how many there were.
fn commits(receiver: &Receiver) -> usize {
    let log = std::fs::read(receiver.path().join("receiver.db-wal")).unwrap();
    let frames = log[32..].chunks_exact(24 + 4096);
    // A frame of a commit says how large the database is after it, the others 0.
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

#[test]
fn one_batch_costs_one_commit() {
    let receiver = Receiver::start();
    wait_until("the start is over", || receiver.count("lease") == 1);
    let before = commits(&receiver);
    let body = list(&(0..1_000).map(|row| entry(&row.to_string())).collect::<Vec<_>>());
    assert_eq!(results(&receiver.ask(post(PATH, "", body))).len(), 1_000);
    assert_eq!(commits(&receiver), before + 1);
}

#[test]
fn batches_do_not_keep_others_waiting() {
    let receiver = Receiver::start();
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let receiver = &receiver;
            scope.spawn(move || {
                let mut client = receiver.client();
                for batch in 0..5 {
                    let rows = (0..1_000).map(|row| entry(&format!("{sender}-{batch}-{row}")));
                    let body = list(&rows.collect::<Vec<_>>());
                    assert_eq!(results(&client.ask(post(PATH, "", body))).len(), 1_000);
                }
            });
        }
        let mut client = receiver.client();
        for seed in 0..10 {
            let began = Instant::now();
            let body = crate::support::clip(&noise(1_000, seed));
            assert_eq!(client.ask(post("/api/media", "", body)).status, 201);
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
    });
    assert_eq!(receiver.count("evenement"), 20_000);
}

#[test]
fn health_is_told_within_a_second_while_many_long_batches_are_read() {
    let receiver = Receiver::start();
    // Nothing of it is stored: all the time goes into reading.
    let row = format!(r#"{{"key":"w","evenement":{{"x":[{}0]}}}}"#, "0,".repeat(450));
    let body = list(&vec![row; 1_000]);
    assert!((900_000..1_000_000).contains(&body.len()));
    let (whole, last) = body.as_bytes().split_at(body.len() - 1);
    let request = post(PATH, "", &body);
    let head = &request[..request.len() - body.len()];
    let mut senders: Vec<_> = (0..20).map(|_| receiver.client()).collect();
    for sender in &mut senders {
        sender.send(head);
        sender.send(whole);
    }
    // All at once.
    for sender in &mut senders {
        sender.send(last);
    }
    let reading = std::thread::spawn(move || {
        for mut sender in senders {
            assert!(results(&sender.answer()).iter().all(|result| result["status"] == 400));
        }
    });
    while !reading.is_finished() {
        let start = Instant::now();
        let answer = receiver.ask("GET /health HTTP/1.1\r\nHost: receiver\r\n\r\n");
        assert_eq!(answer.status, 200);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    reading.join().unwrap();
}
