//! `kill -9` at any moment: no offset goes back, and each clip is whole and one.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Bucket, video};
use crate::support::tus::{creation, offset, patch, place, send_until_killed, told};
use crate::support::{clip, noise, post, wait_until};

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn killed_again_and_again_it_never_forgets_what_it_told() {
    let bucket = Bucket::new();
    let bytes = noise(12 * 5_000_000, 1);
    let key = "Idempotency-Key: a\r\n";
    let mut receiver = bucket.receiver(&[]);
    let path = place(&receiver.ask(creation(bytes.len(), key, b"")));
    let answered = AtomicUsize::new(0);
    for round in 0..12_usize {
        let address = receiver.address.clone();
        let start = told(&receiver, &path);
        assert!(start >= answered.load(Ordering::SeqCst), "round {round}");
        let goal = (start + 60_000).min(bytes.len() - 1);
        let folder = std::thread::scope(|scope| {
            let sender = scope.spawn(|| send_until_killed(&address, &path, (&bytes, start), 20_000_000, &answered));
            let before = bucket.objects().len();
            wait_until("some of it was answered", || {
                let more = round % 2 == 0 || bucket.objects().len() > before + 3;
                sender.is_finished() || answered.load(Ordering::SeqCst) >= goal && more
            });
            let folder = receiver.kill();
            sender.join().unwrap();
            folder
        });
        receiver = bucket.receiver_on(folder, &[]);
    }
    let at = told(&receiver, &path);
    assert!(at >= answered.load(Ordering::SeqCst));
    assert_eq!(receiver.ask(patch(&path, at, "", &bytes[at..])).status, 204);
    assert_eq!(receiver.ask(creation(bytes.len(), key, b"")).id(), 1);
    assert!(video(&receiver, 1, "").1 == bytes);
    // What the killed ones left does not stay: it does not count.
    wait_until("it is tidy", || {
        bucket.objects().iter().map(|(_, size)| *size).sum::<u64>() == bytes.len() as u64
    });
    assert_eq!(bucket.videos().len(), 1);
}

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn killed_around_its_last_byte_a_clip_is_one() {
    let bucket = Bucket::new();
    let mut receiver = bucket.receiver(&[]);
    for round in 0..10_u64 {
        let bytes = noise(300_000, round);
        let key = format!("Idempotency-Key: {round}\r\n");
        let before = bucket.objects().len();
        let mut client = receiver.client();
        if round % 2 == 0 {
            client.send(post("/api/media", &key, clip(&bytes)));
        } else {
            client.send(creation(bytes.len(), &key, &bytes));
        }
        wait_until("it comes in", || bucket.objects().len() > before || client.has_answer());
        receiver = bucket.receiver_on(receiver.kill(), &[]);
        let answer = if round % 2 == 0 {
            receiver.ask(post("/api/media", &key, clip(&bytes)))
        } else {
            let answer = receiver.ask(creation(bytes.len(), &key, b""));
            if answer.header("upload-offset").is_some() && answer.header("location").is_some() {
                let (path, at) = (place(&answer), offset(&answer));
                assert_eq!(receiver.ask(patch(&path, at, "", &bytes[at..])).status, 204);
            }
            receiver.ask(creation(bytes.len(), &key, b""))
        };
        let id = answer.id();
        assert!(video(&receiver, id, "").1 == bytes, "round {round}");
        assert_eq!(receiver.count("media"), round as i64 + 1);
    }
}
