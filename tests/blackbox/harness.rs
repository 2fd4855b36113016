//! The harness tested on itself: a backend that misbehaves in the wrong way would prove nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::backend::Received;
use crate::support::expected::{clip_body, event_body};
use crate::support::random::{Fingerprint, video};
use crate::support::{Act, Backend, Device, Expect, Journal, Layout, Recorder, eventually, expected};

const SENSOR: &str = r#"{"id":1,"nom":"PIR Entrée","etat":1}"#;

fn dial(backend: &Backend) -> TcpStream {
    let stream = TcpStream::connect(backend.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn send(stream: &mut TcpStream, path: &str, headers: &str, body: &[u8]) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
}

/// The head and body of one answer; empty at the end of the connection.
fn answer(stream: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok((String::from_utf8_lossy(&head).into_owned(), String::new()));
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .map_or("0", |rest| rest.split("\r\n").next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).unwrap()))
}

fn post(backend: &Backend, headers: &str, body: &str) -> std::io::Result<(String, String)> {
    let mut stream = dial(backend);
    send(&mut stream, "/api/evenements", headers, body.as_bytes());
    answer(&mut stream)
}

fn only(backend: &Backend) -> Received {
    let mut received = backend.received();
    assert_eq!(received.len(), 1);
    received.pop().unwrap()
}

#[test]
fn the_backend_keeps_a_connection_and_stores_each_key_once() {
    let backend = Backend::start();
    let mut stream = dial(&backend);
    for (key, id) in [("a", 1001), ("b", 1002), ("a", 1001)] {
        let body = event_body(&expected::json(key), SENSOR, "d");
        send(
            &mut stream,
            "/api/evenements",
            &format!("Idempotency-Key: {key}\r\n"),
            body.as_bytes(),
        );
        let (head, answer) = answer(&mut stream).unwrap();
        assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
    }
    assert_eq!(backend.stored_count(), 2);
    assert!(
        backend
            .received()
            .iter()
            .all(|request| request.connection == 0 && request.complete)
    );
}

#[test]
fn a_backend_without_idempotency_stores_a_repeat_twice() {
    let backend = Backend::without_idempotency();
    for _ in 0..2 {
        post(&backend, "Idempotency-Key: a\r\n", "{}").unwrap();
    }
    assert_eq!(backend.stored_count(), 2);
}

#[test]
fn the_backend_takes_the_video_out_of_a_clip_of_any_coding() {
    let backend = Backend::start();
    for (place, len) in [0, 1, 2, 3, 40_000, 3_000_000].into_iter().enumerate() {
        let bytes = video(7, len);
        let body = clip_body("1", SENSOR, "1", &bytes, "d");
        let zipped = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = zstd::encode_all(body.as_bytes(), 1).unwrap();
        let mut stream = dial(&backend);
        send(&mut stream, "/api/media", "", body.as_bytes());
        answer(&mut stream).unwrap();
        send(&mut stream, "/api/media", "Content-Encoding: gzip\r\n", &zipped);
        answer(&mut stream).unwrap();
        let head = "POST /api/media HTTP/1.1\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for chunk in zstd.chunks(10_000) {
            write!(stream, "{:x}\r\n", chunk.len()).unwrap();
            stream.write_all(&[chunk, b"\r\n"].concat()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        answer(&mut stream).unwrap();
        for (request, wire) in backend.received()[place * 3..]
            .iter()
            .zip([body.len(), zipped.len(), zstd.len()])
        {
            assert_eq!(request.outline, clip_body("1", SENSOR, "1", b"", "d"));
            assert_eq!(
                request.video,
                Some((len as u64, Fingerprint::of(&bytes))),
                "{len} {}",
                request.head
            );
            assert_eq!(request.wire_len, wire as u64);
        }
    }
}

#[test]
fn the_backend_breaks_off_where_it_is_told_to() {
    let body = event_body("1", SENSOR, "d");
    for act in [
        Act::reset_before_reading(),
        Act::reset_while_reading(10),
        Act::reset_unstored(),
    ] {
        let backend = Backend::start();
        backend.acts([act]);
        post(&backend, "", &body).unwrap_err();
        assert_eq!(backend.stored_count(), 0);
    }
    let backend = Backend::start();
    backend.acts([
        Act::reset_after_storing(),
        Act::cut_answer_after(20),
        Act::raw(b"SSH-2.0-nonsense\r\n"),
    ]);
    post(&backend, "", &body).unwrap_err();
    assert_eq!(backend.stored_count(), 1);
    assert_eq!(post(&backend, "", &body).unwrap().0, "HTTP/1.1 201 Whateve");
    assert_eq!(backend.stored_count(), 2);
    assert_eq!(post(&backend, "", &body).unwrap().0, "SSH-2.0-nonsense\r\n");
    assert_eq!(backend.stored_count(), 2);
}

#[test]
fn the_backend_can_refuse_and_come_back_on_the_same_port() {
    let backend = Backend::start();
    let mut open = dial(&backend);
    for _ in 0..3 {
        backend.refuse();
        let refused = TcpStream::connect(backend.url().trim_start_matches("http://")).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(!matches!(open.read(&mut [0]), Ok(1..)));
        backend.listen_again();
        open = dial(&backend);
        send(&mut open, "/api/evenements", "", b"{}");
        answer(&mut open).unwrap();
    }
    assert_eq!(backend.stored_count(), 3);
    backend.always(Act::goes_away_for(Duration::from_millis(50)));
    send(&mut open, "/api/evenements", "", b"{}");
    answer(&mut open).unwrap_err();
    backend.works();
    eventually("the backend is back", || {
        TcpStream::connect(backend.url().trim_start_matches("http://")).is_ok()
    });
}

#[test]
fn the_backend_meets_an_expectation_as_told() {
    let expecting = "Expect: 100-continue\r\n";
    let backend = Backend::start();
    let (head, _) = post(&backend, expecting, "{}").unwrap();
    assert!(head.starts_with("HTTP/1.1 100 "), "{head}");
    assert!(only(&backend).continued);

    let backend = Backend::start();
    backend.always(Act::created().expect(Expect::Ignore));
    let (head, _) = post(&backend, expecting, "{}").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert!(!only(&backend).continued);

    let backend = Backend::start();
    backend.always(Act::status(401, "no").expect(Expect::AnswerFirst));
    let mut stream = dial(&backend);
    stream
        .write_all(b"POST /api/media HTTP/1.1\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let (head, body) = answer(&mut stream).unwrap();
    assert!(head.starts_with("HTTP/1.1 401 ") && body == "no", "{head}{body}");
    assert_eq!((only(&backend).wire_len, only(&backend).complete), (0, false));
}

#[test]
fn the_backend_reads_slowly_when_told_to() {
    let backend = Backend::start();
    backend.always(Act::created().slowly(1_000_000));
    let started = Instant::now();
    let mut stream = dial(&backend);
    send(
        &mut stream,
        "/api/media",
        "",
        clip_body("1", SENSOR, "1", &video(1, 600_000), "d").as_bytes(),
    );
    answer(&mut stream).unwrap();
    assert!(
        started.elapsed() > Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn the_recorder_measures_what_a_held_lock_costs_it() {
    for journal in [Journal::Delete, Journal::Wal] {
        let device = Device::with(Layout::Current, journal);
        let recorder = Recorder::start(&device, journal, Duration::from_millis(5));
        std::thread::sleep(Duration::from_millis(100));
        let db = device.db();
        let held = db.unchecked_transaction().unwrap();
        db.execute("UPDATE capteur SET etat_capteur = 0", []).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        held.rollback().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let day = recorder.stop();
        assert!(day.slowest > Duration::from_millis(500), "{day:?}");
        assert!(day.inserts > 2 && day.failed.is_empty(), "{day:?}");
        assert_eq!(
            device.value::<i64>("SELECT count(*) FROM evenement"),
            day.inserts as i64
        );
    }
}

#[test]
fn the_expected_body_of_each_row_is_told_for_both_layouts() {
    for (layout, state) in [(Layout::Current, 1), (Layout::Older, 0)] {
        let device = Device::with(layout, Journal::Delete);
        device.event_at("2025-12-18T17:30:00.123456", 1);
        device.event_at("2025-12-18T17:30:00.5", 99);
        let clip = device.clip(b"clip");
        let rows = expected::rows(&device, "raspberry-1");
        let sensor = format!(r#"{{"id":1,"nom":"PIR Entrée","etat":{state}}}"#);
        assert_eq!(
            rows[0].outline,
            event_body(r#""2025-12-18T17:30:00.123456""#, &sensor, "raspberry-1")
        );
        let state = if layout == Layout::Current { "null" } else { "0" };
        let sensor = format!(r#"{{"id":99,"nom":null,"etat":{state}}}"#);
        assert_eq!(
            rows[1].outline,
            event_body(r#""2025-12-18T17:30:00.5""#, &sensor, "raspberry-1")
        );
        assert_eq!((rows[2].id, rows[2].video), (clip, Some((4, Fingerprint::of(b"clip")))));
    }
}
