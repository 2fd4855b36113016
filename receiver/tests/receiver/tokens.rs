//! Tokens per device.

use std::io::Write;

use tempfile::NamedTempFile;

use crate::support::{Receiver, clip, event, noise, post};

fn with_tokens() -> (Receiver, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "# device token\n\nraspberry-1 secret-1\nback door\tsecret-2").unwrap();
    let path = file.path().to_str().unwrap().to_string();
    (Receiver::with(&[("RECEIVER_TOKENS_FILE", &path)]), file)
}

#[test]
fn without_a_known_token_nothing_is_read_or_stored() {
    let (receiver, _file) = with_tokens();
    for (headers, named) in [
        ("", "manquant"),
        ("Authorization: Basic secret-1\r\n", "manquant"),
        ("Authorization: Bearer\r\n", "manquant"),
        ("Authorization: Bearer secret\r\n", "inconnu"),
        ("Authorization: Bearer secret-1x\r\n", "inconnu"),
        ("Authorization: Bearer raspberry-1\r\n", "inconnu"),
    ] {
        for path in ["/api/evenements", "/api/media"] {
            let mut client = receiver.client();
            // The answer is there before a byte of the body.
            let answer = client.ask(format!(
                "POST {path} HTTP/1.1\r\nHost: receiver\r\nContent-Length: 5000000\r\n{headers}\r\n"
            ));
            assert_eq!(answer.status, 401, "{headers}");
            assert!(answer.error().contains(named), "{}", answer.error());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
            // And a sender that asks first sends none.
            let answer = receiver.ask(format!(
                "POST {path} HTTP/1.1\r\nHost: receiver\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n{headers}\r\n"
            ));
            assert_eq!(answer.status, 401);
        }
    }
    // One that sends all before it looks gets it too.
    assert_eq!(
        receiver.ask(post("/api/media", "", clip(&noise(9 << 20, 1)))).status,
        401
    );
    assert!(receiver.holds_nothing());
    assert_eq!(
        receiver.ask("GET /health HTTP/1.1\r\nHost: receiver\r\n\r\n").status,
        200
    );
}

#[test]
fn a_token_stores_for_its_own_device_alone() {
    let (receiver, _file) = with_tokens();
    let other = "Authorization: bearer secret-2\r\n";
    let own = "Authorization: Bearer secret-1\r\n";
    for (path, body) in [("/api/evenements", event()), ("/api/media", clip(b"hello"))] {
        let answer = receiver.ask(post(path, other, &body));
        assert_eq!(answer.status, 403);
        assert!(answer.error().starts_with("device_id"), "{}", answer.error());
    }
    assert!(receiver.holds_nothing());
    for (path, body) in [("/api/evenements", event()), ("/api/media", clip(b"hello"))] {
        assert_eq!(receiver.ask(post(path, own, &body)).status, 201);
        let answer = receiver.ask(post(path, other, body.replace("raspberry-1", "back door")));
        assert_eq!(answer.status, 201);
    }
}

#[test]
fn a_key_is_its_devices_own() {
    let (receiver, file) = with_tokens();
    let headers = |token: &str| format!("Authorization: Bearer {token}\r\nIdempotency-Key: \"same\"\r\n");
    for (path, body) in [("/api/evenements", event()), ("/api/media", clip(b"hello"))] {
        let other = body.replace("raspberry-1", "back door");
        assert_eq!(receiver.ask(post(path, &headers("secret-1"), &body)).id(), 1);
        assert_eq!(receiver.ask(post(path, &headers("secret-2"), &other)).id(), 2);
        assert_eq!(receiver.ask(post(path, &headers("secret-1"), &body)).id(), 1);
        assert_eq!(receiver.ask(post(path, &headers("secret-2"), &other)).id(), 2);
    }
    // Tokens may go, and come: no retry becomes a second row.
    let folder = receiver.kill();
    let receiver = Receiver::on(folder, &[]);
    let key = "Idempotency-Key: same\r\n";
    assert_eq!(receiver.ask(post("/api/evenements", key, event())).id(), 1);
    let new = "Idempotency-Key: new\r\n";
    assert_eq!(receiver.ask(post("/api/evenements", new, event())).id(), 3);
    let folder = receiver.kill();
    let path = file.path().to_str().unwrap();
    let receiver = Receiver::on(folder, &[("RECEIVER_TOKENS_FILE", path)]);
    let headers = "Authorization: Bearer secret-1\r\nIdempotency-Key: new\r\n";
    assert_eq!(receiver.ask(post("/api/evenements", headers, event())).id(), 3);
    assert_eq!(receiver.count("evenement"), 3);
}

#[test]
fn a_token_can_be_tried_without_storing() {
    let (receiver, _file) = with_tokens();
    let mut client = receiver.client();
    for (headers, status) in [("", 401), ("Authorization: Bearer secret-1\r\n", 405)] {
        let answer = client.ask(format!(
            "GET /api/evenements HTTP/1.1\r\nHost: receiver\r\n{headers}\r\n"
        ));
        assert_eq!(answer.status, status);
    }
    assert!(receiver.holds_nothing());
}
