//! A bucket that fails, stalls or is away costs time, and no clip.

use std::time::{Duration, Instant};

use super::{Bucket, Fault, persist, video};
use crate::support::tus::{creation, offset, patch, place, told};
use crate::support::{Client, clip, event, noise, post, wait_until};

const READY: &str = "GET /ready HTTP/1.1\r\nHost: receiver\r\n\r\n";

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_bucket_that_fails_now_and_then_has_every_clip_whole_in_the_end() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[]);
    let clips: Vec<_> = (0..8_u64).map(|seed| noise(6 << 20, seed)).collect();
    bucket.proxy.seed(7);
    bucket.proxy.set(Fault::Sometimes);
    let mut ids = Vec::new();
    for (number, bytes) in clips.iter().enumerate() {
        let key = format!("Idempotency-Key: {number}\r\n");
        let answer = persist(|| {
            if number % 2 == 0 {
                return Some(receiver.ask(post("/api/media", &key, clip(bytes))));
            }
            let created = receiver.ask(creation(bytes.len(), &key, b""));
            if created.status != 201 || created.header("upload-offset").is_none() {
                return Some(created);
            }
            let (path, at) = (place(&created), offset(&created));
            let end = bytes.len().min(at + (2 << 20));
            let patched = receiver.ask(patch(&path, at, "", &bytes[at..end]));
            assert!(matches!(patched.status, 204 | 503), "{patched:?}");
            None
        });
        ids.push(answer.id());
    }
    bucket.proxy.set(Fault::None);
    for (id, bytes) in ids.into_iter().zip(&clips) {
        assert!(video(&receiver, id, "").1 == *bytes, "{id}");
    }
    assert_eq!(receiver.count("media"), 8);
    assert!(bucket.proxy.made() > 10, "{}", bucket.proxy.made());
    wait_until("what does not count is gone", || bucket.videos().len() == 8);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_bucket_that_stalls_or_refuses_is_told_in_time_and_what_came_is_kept() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[("AWS_TIMEOUT", "1s"), ("AWS_CONNECT_TIMEOUT", "1s")]);
    let bytes = noise(6 << 20, 3);
    let path = place(&receiver.ask(creation(bytes.len(), "Idempotency-Key: a\r\n", &bytes[..1_000])));
    for fault in [Fault::Busy, Fault::Stall, Fault::Away] {
        bucket.proxy.set(fault);
        let begun = Instant::now();
        for request in [
            post("/api/media", "", clip(&bytes)),
            patch(&path, 1_000, "", &bytes[1_000..]),
            patch(&path, 1_000, "", &bytes[1_000..1_010]),
        ] {
            let answer = receiver.ask(request);
            assert_eq!(answer.status, 503, "{fault:?} {answer:?}");
            assert_eq!(answer.header("retry-after"), Some("5"), "{fault:?}");
            assert!(!answer.error().contains("s3"), "{}", answer.error());
        }
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "{fault:?}: {:?}",
            begun.elapsed()
        );
        assert_eq!(told(&receiver, &path), 1_000);
        // Events go on.
        assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
        let ready = receiver.ask(READY);
        assert_eq!(
            (ready.status, ready.header("retry-after")),
            (503, Some("5")),
            "{fault:?}"
        );
    }
    bucket.proxy.set(Fault::None);
    wait_until("it is ready again", || receiver.ask(READY).status == 200);
    // On a busy machine a second may be too short for what is right.
    wait_until("the rest is taken", || {
        let at = told(&receiver, &path);
        at == bytes.len() || receiver.ask(patch(&path, at, "", &bytes[at..])).status == 204
    });
    wait_until("it is read", || video(&receiver, 1, "").1 == bytes);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn without_its_bucket_it_starts_and_comes_back_by_itself() {
    let bucket = Bucket::new();
    bucket.proxy.set(Fault::Away);
    let receiver = bucket.receiver(&[]);
    assert_eq!(receiver.ask(READY).status, 503);
    let answer = receiver.ask(post("/api/media", "Idempotency-Key: a\r\n", clip(b"video")));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    bucket.proxy.set(Fault::None);
    let answer = receiver.ask(post("/api/media", "Idempotency-Key: a\r\n", clip(b"video")));
    assert_eq!(answer.id(), 1);
    wait_until("it is ready", || receiver.ask(READY).status == 200);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn keys_that_are_for_its_prefix_alone_are_enough() {
    let bucket = Bucket::new();
    bucket.proxy.set(Fault::Narrow);
    let receiver = bucket.receiver(&[]);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"video"))).id(), 1);
    wait_until("it is ready", || receiver.ask(READY).status == 200);
    assert!(video(&receiver, 1, "").1 == b"video");
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_bucket_that_stalls_while_a_clip_is_read_ends_that_answer_alone() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[("AWS_TIMEOUT", "1s")]);
    let bytes = noise(9 << 20, 4);
    assert_eq!(receiver.ask(post("/api/media", "", clip(&bytes))).id(), 1);
    let mut client = Client::new(&receiver.address);
    client.send(format!(
        "GET /api/media/1/video HTTP/1.1\r\nHost: {}\r\n\r\n",
        receiver.address
    ));
    // It has begun: its headers are there.
    wait_until("it begins", || client.has_answer());
    bucket.proxy.set(Fault::Stall);
    wait_until("the browser hears that no more comes", || client.is_over());
    bucket.proxy.set(Fault::None);
    assert!(video(&receiver, 1, "").1 == bytes);
}
