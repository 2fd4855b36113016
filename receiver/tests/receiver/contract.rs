//! Section 3 of the contract, to the byte.

use crate::support::{Receiver, clip, event, noise, post, sha256};

#[test]
fn an_event_is_stored_and_answered_to_the_byte() {
    let receiver = Receiver::start();
    let answer = receiver.ask(post("/api/evenements", "", event()));
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.body,
        r#"{"id":1,"date":"2025-12-18T17:30:00.123456","capteur_id":1,"message":"Événement créé"}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
    let row: (String, i64, String, i64, String, String, Option<String>, String) = receiver
        .database()
        .query_row(
            "SELECT date, capteur_id, capteur_nom, capteur_etat, device_id, source, idempotency_key, received_at
             FROM evenement WHERE id = 1",
            [],
            |row| row.try_into(),
        )
        .unwrap();
    assert_eq!(row.0, "2025-12-18T17:30:00.123456");
    assert_eq!((row.1, row.2.as_str(), row.3), (1, "PIR Entrée", 1));
    assert_eq!(
        (row.4.as_str(), row.5.as_str(), row.6),
        ("raspberry-1", "sync_service", None)
    );
    assert!(row.7.starts_with("20") && row.7.ends_with('Z'), "{}", row.7);
}

#[test]
fn a_clip_is_stored_and_answered_to_the_byte() {
    let receiver = Receiver::start();
    let mut video = noise(512 << 10, 1);
    video[..12].copy_from_slice(b"\0\0\0\x20ftypisom");
    let answer = receiver.ask(post("/api/media", "Idempotency-Key: \"k\"\r\n", clip(&video)));
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.body,
        r#"{"id":1,"date":"2025-12-18T17:30:00.123456","capteur_id":4,"size_kb":512.00,"message":"Média créé"}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
    let row: (String, i64, String, i64, String, i64, String, String) = receiver
        .database()
        .query_row(
            "SELECT date, capteur_id, capteur_nom, numero_camera, file, size_bytes, sha256, idempotency_key FROM media",
            [],
            |row| row.try_into(),
        )
        .unwrap();
    assert_eq!(row.0, "2025-12-18T17:30:00.123456");
    assert_eq!((row.1, row.2.as_str(), row.3), (4, "Caméra 1", 1));
    assert!(row.4.ends_with(".mp4"), "{}", row.4);
    assert_eq!((row.5, row.7.as_str()), (512 << 10, "k"));
    assert_eq!(row.6, sha256(&video));
    assert_eq!(receiver.files(), (vec![row.4.clone()], vec![]));
    assert!(std::fs::read(receiver.path().join("clips").join(row.4)).unwrap() == video);
}

#[test]
fn a_size_has_two_decimals_whatever_it_is() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (bytes, size) in [
        (0, "0.00"),
        (1, "0.00"),
        (6, "0.01"),
        (1_000, "0.98"),
        (1_024, "1.00"),
        (1_536, "1.50"),
    ] {
        let answer = client.ask(post("/api/media", "", clip(&noise(bytes, 2))));
        assert!(
            answer.body.contains(&format!(r#","size_kb":{size},"#)),
            "{}",
            answer.body
        );
    }
}

#[test]
fn without_a_key_every_request_is_stored() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for id in 1..=3 {
        assert_eq!(client.ask(post("/api/evenements", "", event())).id(), id);
        assert_eq!(client.ask(post("/api/media", "", clip(b"same"))).id(), id);
    }
    assert_eq!((receiver.count("evenement"), receiver.count("media")), (3, 3));
    assert_eq!(receiver.files().0.len(), 3);
}

#[test]
fn health_is_told_without_a_token() {
    let receiver = Receiver::start();
    let answer = receiver.ask("GET /health HTTP/1.1\r\nHost: receiver\r\n\r\n");
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
    assert!(receiver.holds_nothing());
}

#[test]
fn what_is_not_served_is_named() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (request, status, named) in [
        (
            "GET /api/evenement HTTP/1.1\r\nHost: receiver\r\n\r\n",
            404,
            "/api/evenement",
        ),
        ("GET /api/evenements HTTP/1.1\r\nHost: receiver\r\n\r\n", 405, "GET"),
        ("PUT /health HTTP/1.1\r\nHost: receiver\r\n\r\n", 405, "PUT"),
        ("DELETE /api/media HTTP/1.1\r\nHost: receiver\r\n\r\n", 405, "DELETE"),
    ] {
        let answer = client.ask(request);
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.error().contains(named), "{}", answer.error());
        assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
    }
}
