//! `kill -9` at any moment: no offset goes back, and the clip is whole and one.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{holds_one, on_their_way};
use crate::support::tus::{creation, offset, patch, place, send_until_killed, told};
use crate::support::{Receiver, noise, wait_until};

#[test]
fn killed_fifty_times_it_never_forgets_what_it_told() {
    let video = noise(50 * 90_000, 1);
    let key = "Idempotency-Key: a\r\n";
    let mut receiver = Receiver::start();
    let path = place(&receiver.ask(creation(video.len(), key, b"")));
    let answered = AtomicUsize::new(0);
    for round in 1..=50_usize {
        let address = receiver.address.clone();
        let start = told(&receiver, &path);
        assert!(start >= answered.load(Ordering::SeqCst), "round {round}");
        let goal = (start + 60_000).min(video.len() - 1);
        let folder = std::thread::scope(|scope| {
            let sender = scope.spawn(|| send_until_killed(&address, &path, (&video, start), 3_000_000, &answered));
            wait_until("some of it was answered", || {
                sender.is_finished() || answered.load(Ordering::SeqCst) >= goal
            });
            let folder = receiver.kill();
            sender.join().unwrap();
            folder
        });
        receiver = Receiver::on(folder, &[]);
    }
    let at = told(&receiver, &path);
    assert!(at >= answered.load(Ordering::SeqCst));
    if at < video.len() {
        assert_eq!(receiver.ask(patch(&path, at, "", &video[at..])).status, 204);
    }
    assert_eq!(receiver.ask(creation(video.len(), key, b"")).id(), 1);
    holds_one(&receiver, &video);
}

#[test]
fn killed_around_its_last_byte_it_has_one_clip_or_goes_on() {
    for round in 0..25_u64 {
        let video = noise(30_000, round);
        let receiver = Receiver::start();
        let key = "Idempotency-Key: a\r\n";
        let path = place(&receiver.ask(creation(video.len(), key, &video[..10_000])));
        let mut client = receiver.client();
        client.send(patch(&path, 10_000, "", &video[10_000..]));
        // As far as it may have come by then.
        let until = round % 3;
        wait_until("it comes in", || {
            let (clips, _) = receiver.files();
            until == 0 || until == 1 && clips.len() == 1 || client.has_answer()
        });
        let receiver = Receiver::on(receiver.kill(), &[]);
        let answer = receiver.ask(creation(video.len(), key, b""));
        if answer.header("upload-offset").is_some() {
            assert_eq!((place(&answer), offset(&answer)), (path.clone(), 10_000));
            assert_eq!(receiver.ask(patch(&path, 10_000, "", &video[10_000..])).status, 204);
        }
        assert_eq!(receiver.ask(creation(video.len(), key, b"")).id(), 1);
        holds_one(&receiver, &video);
    }
}

#[test]
fn what_a_crash_leaves_is_gone_on_with_or_swept() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(10, "", b"12345")));
    let part = receiver.files().1.remove(0);
    let stem = part.strip_suffix(".upload").unwrap().to_string();
    let folder = receiver.kill();
    let (clips, incoming) = (folder.path().join("clips"), folder.path().join("incoming"));
    // Killed between the file's move and its row; with bytes beyond what was told.
    std::fs::write(incoming.join(format!("{stem}.bin")), "").unwrap();
    std::fs::rename(incoming.join(&part), clips.join(format!("{stem}.bin"))).unwrap();
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(clips.join(format!("{stem}.bin")));
    std::io::Write::write_all(&mut file.unwrap(), b"not told").unwrap();
    // A part that nobody knows of: killed after its upload was deleted.
    std::fs::write(incoming.join("0198.upload"), "forgotten").unwrap();
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.files(), (vec![], vec![part]));
    assert_eq!(told(&receiver, &path), 5);
    assert_eq!(receiver.ask(patch(&path, 5, "", b"67890")).status, 204);
    holds_one(&receiver, b"1234567890");
}

#[test]
fn bytes_that_somebody_removed_begin_anew() {
    let receiver = Receiver::start();
    let key = "Idempotency-Key: a\r\n";
    let path = place(&receiver.ask(creation(10, key, b"12345")));
    let part = receiver.files().1.remove(0);
    let folder = receiver.kill();
    std::fs::remove_file(folder.path().join("incoming").join(part)).unwrap();
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.ask(patch(&path, 5, "", b"67890")).status, 404);
    assert_eq!(on_their_way(&receiver.database()), 0);
    let created = receiver.ask(creation(10, key, b"1234567890"));
    assert_eq!(created.id(), 1);
    holds_one(&receiver, b"1234567890");
}
