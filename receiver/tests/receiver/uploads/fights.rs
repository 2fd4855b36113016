//! Two who write one upload: one of them does, and the other is told.

use super::{come, holds_one};
use crate::support::tus::{begin, creation, offset, patch, place, request, told};
use crate::support::{Receiver, noise, wait_until};

#[test]
fn a_new_request_takes_over_from_one_that_hangs() {
    let receiver = Receiver::start();
    let video = noise(700_000, 1);
    let path = place(&receiver.ask(creation(video.len(), "Idempotency-Key: a\r\n", b"")));
    let hang = |at: usize, to: usize| {
        let mut client = receiver.client();
        client.send(begin(
            "PATCH",
            &path,
            &format!("Upload-Offset: {at}\r\n"),
            video.len() - at,
        ));
        client.send(&video[at..to]);
        wait_until("it is written", || come(&receiver) == to);
        client
    };
    // By looking,
    let mut first = hang(0, 200_000);
    assert_eq!(told(&receiver, &path), 200_000);
    assert_eq!(first.answer().status, 409);
    // by creating again,
    let mut second = hang(200_000, 300_000);
    let again = receiver.ask(creation(video.len(), "Idempotency-Key: a\r\n", b""));
    assert_eq!(offset(&again), 300_000);
    assert_eq!(second.answer().status, 409);
    // and by going on.
    let mut third = hang(300_000, 400_000);
    assert_eq!(receiver.ask(patch(&path, 400_000, "", &video[400_000..])).status, 204);
    assert_eq!(third.answer().status, 409);
    assert!(!third.try_send(&video[400_000..]) || third.is_closed());
    holds_one(&receiver, &video);
}

#[test]
fn an_upload_that_is_ended_ends_its_writer() {
    let receiver = Receiver::start();
    let path = place(&receiver.ask(creation(500, "", b"")));
    let mut client = receiver.client();
    client.send(begin("PATCH", &path, "Upload-Offset: 0\r\n", 500));
    client.send(b"some");
    wait_until("it has begun", || receiver.files().1.len() == 1);
    assert_eq!(receiver.ask(request("DELETE", &path, "", b"")).status, 204);
    assert_eq!(client.answer().status, 409);
    assert!(receiver.holds_nothing());
}

/// A clip that was edited is announced with another length, while the first bytes of the old one are just coming.
#[test]
fn nothing_is_left_of_a_writer_whose_upload_was_replaced() {
    let receiver = Receiver::start();
    for round in 0..30 {
        let key = format!("Idempotency-Key: {round}\r\n");
        let path = place(&receiver.ask(creation(500, &key, b"")));
        let mut client = receiver.client();
        client.send(begin("PATCH", &path, "Upload-Offset: 0\r\n", 500));
        let held = "SELECT count(*) FROM upload WHERE length_bytes = 500 AND lease_until_ms > 0";
        wait_until("it has its writer", || {
            let count: i64 = receiver.database().query_row(held, [], |row| row.get(0)).unwrap();
            count == 1
        });
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(round));
                client.try_send(b"some");
            });
            assert_eq!(receiver.ask(creation(600, &key, b"")).status, 201);
        });
        client.answer();
        assert_eq!(receiver.files(), (vec![], vec![]), "round {round}");
    }
}

#[test]
fn of_many_who_fight_all_together_bring_it_there() {
    let receiver = Receiver::start();
    let video = noise(3_000_000, 2);
    let path = place(&receiver.ask(creation(video.len(), "", b"")));
    let most = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for fighter in 0..4_usize {
            let (receiver, path, video, most) = (&receiver, &path, &video, &most);
            scope.spawn(move || {
                loop {
                    let before = most.load(std::sync::atomic::Ordering::SeqCst);
                    let now = told(receiver, path);
                    assert!(now >= before, "{now} after {before}");
                    most.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
                    if now == video.len() {
                        return;
                    }
                    let end = (now + 40_000 + 1_000 * fighter).min(video.len());
                    let answer = receiver.ask(patch(path, now, "", &video[now..end]));
                    assert!([204, 409].contains(&answer.status), "{answer:?}");
                    if answer.status == 204 {
                        most.fetch_max(offset(&answer), std::sync::atomic::Ordering::SeqCst);
                    }
                }
            });
        }
    });
    holds_one(&receiver, &video);
}
