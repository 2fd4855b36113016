//! A clip in a bucket is what was sent, to its last byte and from any byte.

use super::{Bucket, video};
use crate::support::tus::{creation, patch, place};
use crate::support::{clip, noise, post, sha256};

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_clip_is_whole_whatever_way_it_came_and_read_from_any_byte() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[]);
    let clips = [noise(9 << 20, 1), b"small".to_vec(), Vec::new()];
    for (number, bytes) in clips.iter().enumerate() {
        let key = format!("Idempotency-Key: plain-{number}\r\n");
        for _ in 0..2 {
            let answer = receiver.ask(post("/api/media", &key, clip(bytes)));
            assert_eq!(answer.id(), 2 * number as i64 + 1);
        }
        let path = place(&receiver.ask(creation(bytes.len(), "", &bytes[..bytes.len() / 3])));
        if !bytes.is_empty() {
            let rest = receiver.ask(patch(&path, bytes.len() / 3, "", &bytes[bytes.len() / 3..]));
            assert_eq!(rest.status, 204, "{rest:?}");
        }
        for id in [2 * number as i64 + 1, 2 * number as i64 + 2] {
            let (answer, read) = video(&receiver, id, "");
            assert_eq!(answer.status, 200);
            assert!(read == *bytes, "{id}: {} of {}", read.len(), bytes.len());
            assert_eq!(answer.header("etag"), Some(format!("\"{}\"", sha256(bytes)).as_str()));
        }
    }
    for id in [1, 2] {
        // Within an object, over the end of one, the last byte.
        for range in [
            0..2,
            (4 << 20) - 3..(4 << 20) + 5,
            3 << 20..9 << 20,
            (9 << 20) - 1..9 << 20,
        ] {
            let header = format!("Range: bytes={}-{}\r\n", range.start, range.end - 1);
            let (answer, read) = video(&receiver, id, &header);
            assert_eq!(answer.status, 206);
            assert!(read == clips[0][range.clone()], "{id} {range:?}");
        }
    }
    assert!(bucket.objects().iter().all(|(_, size)| *size <= 4 << 20));
    // An empty one needs no object; nothing is in the folder.
    assert_eq!(bucket.videos().len(), 4);
    assert!(!receiver.path().join("clips").exists());
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn who_sends_nothing_to_the_end_leaves_nothing() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[]);
    let body = post("/api/media", "", clip(&noise(6 << 20, 1)));
    let mut client = receiver.client();
    client.send(&body[..body.len() - 1]);
    crate::support::wait_until("some of it is there", || !bucket.objects().is_empty());
    drop(client);
    crate::support::wait_until("nothing is left", || bucket.objects().is_empty());
    // Nor does an upload that is deleted.
    let path = place(&receiver.ask(creation(10, "", b"12345")));
    assert_eq!(bucket.objects().len(), 1);
    assert_eq!(
        receiver
            .ask(crate::support::tus::request("DELETE", &path, "", b""))
            .status,
        204
    );
    assert_eq!(bucket.objects(), []);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_long_clip_is_read_in_few_requests_and_a_place_in_it_with_little() {
    const BYTES: usize = 40_000_000;
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[]);
    let bytes = noise(BYTES, 5);
    let created = receiver.ask(creation(BYTES, "Idempotency-Key: long\r\n", &bytes));
    assert_eq!(created.status, 201, "{created:?}");
    assert!(video(&receiver, 1, "").1 == bytes);
    let begun = bucket.proxy.gets();
    assert!(video(&receiver, 1, "").1 == bytes);
    // Of 2 MiB each, but for the first few, and two where one object ends and the next begins; and what it is.
    let whole = bucket.proxy.gets() - begun;
    assert!(whole <= 45, "{whole} requests");
    let begun = bucket.proxy.gets();
    let range = "Range: bytes=30000000-30099999\r\n";
    assert!(video(&receiver, 1, range).1 == bytes[30_000_000..30_100_000]);
    let place = bucket.proxy.gets() - begun;
    assert!(place <= 3, "{place} requests");
}
