//! tus 1.0.0, as any client may speak it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

use super::holds_one;
use crate::support::tus::{UPLOADS, creation, look, metadata, offset, patch, place, request, told};
use crate::support::{Receiver, noise};

#[test]
fn what_there_is_is_told() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "3")]);
    // Who asks need not know the version.
    let answer = receiver.ask(format!("OPTIONS {UPLOADS} HTTP/1.1\r\nHost: receiver\r\n\r\n"));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for (name, value) in [
        ("tus-resumable", "1.0.0"),
        ("tus-version", "1.0.0"),
        (
            "tus-extension",
            "creation,creation-with-upload,expiration,termination,checksum",
        ),
        ("tus-max-size", "3000000"),
        ("tus-checksum-algorithm", "sha256,sha1"),
        ("sync-extensions", "batch, uploads, status"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
}

#[test]
fn a_clip_arrives_in_pieces() {
    let receiver = Receiver::start();
    let video = noise(900_000, 1);
    let mut client = receiver.client();
    let created = client.ask(creation(video.len(), "", b""));
    let path = place(&created);
    assert_eq!((offset(&created), created.header("tus-resumable")), (0, Some("1.0.0")));
    let mut sent = 0;
    for piece in video.chunks(250_000) {
        assert_eq!(told(&receiver, &path), sent);
        let answer = client.ask(patch(&path, sent, "", piece));
        sent += piece.len();
        assert_eq!((answer.status, offset(&answer)), (204, sent), "{answer:?}");
        assert!(answer.header("upload-expires").unwrap().ends_with(" GMT"));
    }
    holds_one(&receiver, &video);
    // Complete, it is still known; its last answer may have been lost.
    let seen = look(&receiver, &path, "");
    assert_eq!(seen.header("upload-length"), Some("900000"));
    assert_eq!(
        format!("Upload-Metadata: {}\r\n", seen.header("upload-metadata").unwrap()),
        metadata()
    );
    assert_eq!(offset(&seen), video.len());
    let again = client.ask(patch(&path, video.len(), "", b"").as_slice());
    // Without bytes there is no type to be named.
    assert_eq!(again.status, 415);
    let typed = "Content-Type: application/offset+octet-stream\r\n";
    assert_eq!(client.ask(patch(&path, video.len(), typed, b"")).status, 204);
    assert_eq!(client.ask(patch(&path, 0, "", &video[..10])).status, 409);
    assert_eq!(client.ask(request("DELETE", &path, "", b"")).status, 409);
    holds_one(&receiver, &video);
}

#[test]
fn a_creation_brings_all_of_the_clip_or_its_beginning() {
    let receiver = Receiver::start();
    let video = noise(300_000, 2);
    let created = receiver.ask(creation(video.len(), "", &video[..100_000]));
    assert_eq!(offset(&created), 100_000);
    let path = place(&created);
    assert_eq!(receiver.ask(patch(&path, 100_000, "", &video[100_000..])).status, 204);
    holds_one(&receiver, &video);
    let created = receiver.ask(creation(video.len(), "", &video));
    assert_eq!((created.id(), offset(&created)), (2, 300_000));
    assert_ne!(place(&created), path);
    assert!(
        created
            .body
            .contains(r#""capteur_id":4,"size_kb":292.97,"message":"Média créé""#)
    );
    // And one of no bytes at all.
    assert_eq!(receiver.ask(creation(0, "", b"")).id(), 3);
    assert_eq!(receiver.count("media"), 3);
    assert_eq!(receiver.files().1.len(), 0);
}

#[test]
fn an_upload_can_be_ended() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(500, "", b"beginning")));
    assert_eq!(receiver.files().1.len(), 1);
    let answer = receiver.ask(request("DELETE", &path, "", b""));
    assert_eq!((answer.status, answer.header("tus-resumable")), (204, Some("1.0.0")));
    assert!(receiver.holds_nothing());
    assert_eq!(look(&receiver, &path, "").status, 404);
    assert_eq!(receiver.ask(patch(&path, 9, "", b"more")).status, 404);
    assert_eq!(receiver.ask(request("DELETE", &path, "", b"")).status, 404);
}

#[test]
fn a_checksum_decides_over_its_request_alone() {
    let receiver = Receiver::start();
    let video = noise(200_000, 3);
    let sums = |bytes: &[u8]| {
        let sha256 = STANDARD.encode(sha2::Sha256::digest(bytes));
        let sha1 = STANDARD.encode(sha1::Sha1::digest(bytes));
        [
            format!("Upload-Checksum: sha256 {sha256}\r\n"),
            format!("Upload-Checksum: sha1 {sha1}\r\n"),
        ]
    };
    let (first, second) = video.split_at(120_000);
    let wrong = &sums(b"other")[0];
    // Also a creation's: nobody could come back to it, so that nothing is kept.
    assert_eq!(receiver.ask(creation(video.len(), wrong, first)).status, 460);
    assert!(receiver.holds_nothing());
    assert_eq!(receiver.count("upload"), 0);
    let path = place(&receiver.ask(creation(video.len(), &sums(first)[0], first)));
    for wrong in sums(first) {
        let answer = receiver.ask(patch(&path, first.len(), &wrong, second));
        assert_eq!(answer.status, 460);
        assert!(answer.error().starts_with("upload-checksum"));
        assert_eq!(told(&receiver, &path), first.len());
    }
    // A request that breaks off proves nothing.
    let mut client = receiver.client();
    let whole = patch(&path, first.len(), &sums(second)[0], second);
    client.send(&whole[..whole.len() - 1_000]);
    drop(client);
    assert_eq!(told(&receiver, &path), first.len());
    for (headers, status) in [("md5 AAAA", 400), ("sha256", 460), ("sha256 !", 400)] {
        let headers = format!("Upload-Checksum: {headers}\r\n");
        assert_eq!(receiver.ask(patch(&path, first.len(), &headers, second)).status, status);
    }
    let (half, rest) = second.split_at(40_000);
    assert_eq!(receiver.ask(patch(&path, 120_000, &sums(half)[0], half)).status, 204);
    assert_eq!(receiver.ask(patch(&path, 160_000, &sums(rest)[1], rest)).status, 204);
    holds_one(&receiver, &video);
}

#[test]
fn a_client_that_knows_only_get_and_post_names_its_method() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(5, "", b"")));
    let named = "X-HTTP-Method-Override: PATCH\r\nUpload-Offset: 0\r\n";
    assert_eq!(receiver.ask(request("POST", &path, named, b"hello")).status, 204);
    holds_one(&receiver, b"hello");
    assert_eq!(receiver.ask(request("POST", &path, "", b"")).status, 405);
    assert_eq!(receiver.ask(request("GET", &path, "", b"")).status, 405);
}

#[test]
fn an_upload_that_nobody_continues_is_forgotten_after_a_week() {
    let receiver = Receiver::start();
    let key = "Idempotency-Key: a\r\n";
    let path = place(&receiver.ask(creation(500, key, b"beginning")));
    let database = receiver.database();
    let kept_ms = "SELECT expires_ms - 1000 * unixepoch() FROM upload";
    let kept_ms: i64 = database.query_row(kept_ms, [], |row| row.get(0)).unwrap();
    assert!((kept_ms - 7 * 86_400_000).abs() < 60_000);
    database.execute("UPDATE upload SET expires_ms = 1000", []).unwrap();
    assert_eq!(look(&receiver, &path, "").status, 404);
    assert_eq!(receiver.ask(patch(&path, 9, "", b"more")).status, 404);
    // The same one begins anew, at the same address.
    let created = receiver.ask(creation(500, key, b""));
    assert_eq!((place(&created), offset(&created)), (path.clone(), 0));
    assert_eq!(receiver.ask(patch(&path, 0, "", b"again")).status, 204);
    database.execute("UPDATE upload SET expires_ms = 1000", []).unwrap();
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert!(receiver.holds_nothing());
    assert_eq!(receiver.count("upload"), 0);
}

#[test]
fn a_clip_that_came_this_way_is_a_sign_of_its_device() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(creation(5, "", b"hello")).status, 201);
    let devices = receiver.local_json("/api/devices");
    assert_eq!(devices["devices"][0]["device_id"], "raspberry-1", "{devices}");
    assert!(devices["devices"][0]["last_sign"].is_string(), "{devices}");
}
