//! gzip and zstd, each also broken.

use std::io::Write;

use crate::support::{Receiver, chunked, clip, event, noise, post, sha256};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name == "zstd" { zstd(bytes) } else { gzip(bytes) }
}

fn header(name: &str) -> String {
    format!("Content-Encoding: {name}\r\n")
}

#[test]
fn packed_bodies_are_taken() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let video = noise(700_000, 1);
    for name in ["gzip", "zstd", "GZIP", "x-gzip"] {
        let body = packed(name, clip(&video).as_bytes());
        client.ask(post("/api/media", &header(name), &body)).id();
        client.ask(chunked("/api/media", &header(name), &body, 777)).id();
        let body = packed(name, event().as_bytes());
        client.ask(post("/api/evenements", &header(name), body)).id();
    }
    assert_eq!(receiver.count("evenement"), 4);
    let good = "SELECT count(*) FROM media WHERE size_bytes = 700000 AND sha256 = ?1";
    let good: i64 = receiver
        .database()
        .query_row(good, [sha256(&video)], |row| row.get(0))
        .unwrap();
    assert_eq!(good, 8);
}

#[test]
fn a_packing_that_is_not_known_is_415_with_those_that_are() {
    let receiver = Receiver::start();
    for (path, body) in [("/api/evenements", event()), ("/api/media", clip(b"x"))] {
        for names in ["br", "deflate", "gzip, zstd", "gzip\r\nContent-Encoding: gzip"] {
            let answer = receiver.ask(post(path, &header(names), &body));
            assert_eq!(answer.status, 415, "{names}");
            assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
            assert!(answer.error().starts_with("Content-Encoding"), "{}", answer.error());
        }
        assert_eq!(receiver.ask(post(path, &header("identity"), &body)).status, 201);
    }
    assert_eq!(receiver.files().0.len(), 1);
}

#[test]
fn a_body_that_cannot_be_unpacked_is_refused_and_leaves_nothing() {
    let receiver = Receiver::start();
    for name in ["gzip", "zstd"] {
        let whole = packed(name, clip(&noise(200_000, 2)).as_bytes());
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x20;
        let mut longer = whole.clone();
        longer.extend_from_slice(b"more");
        for (what, body) in [
            ("plain", clip(b"x").into_bytes()),
            ("without its end", whole[..whole.len() - 1].to_vec()),
            ("half", whole[..whole.len() / 2].to_vec()),
            ("a bit flipped", flipped),
            ("with something behind", longer),
            ("empty", Vec::new()),
        ] {
            let answer = receiver.ask(post("/api/media", &header(name), body));
            assert_eq!(answer.status, 400, "{name} {what}: {answer:?}");
            assert!(receiver.holds_nothing(), "{name} {what}");
        }
        let body = packed(name, event().as_bytes());
        let answer = receiver.ask(post("/api/evenements", &header(name), &body[..body.len() - 1]));
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    assert!(receiver.holds_nothing());
}

#[test]
fn a_zstd_window_beyond_8_mb_is_refused() {
    let receiver = Receiver::start();
    for (window, status) in [(23, 201), (24, 400)] {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window).unwrap();
        encoder.write_all(clip(&noise(1 << 20, 3)).as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        let answer = receiver.ask(post("/api/media", &header("zstd"), body));
        assert_eq!(answer.status, status, "{window}: {answer:?}");
    }
    assert_eq!(receiver.count("media"), 1);
}
