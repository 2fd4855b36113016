//! Lines that drop: what came is kept, and never asked for again.

use std::time::Duration;

use rustix::process::Signal;

use super::{come, holds_one, on_their_way};
use crate::support::tus::{begin, creation, offset, patch, place, told};
use crate::support::{Receiver, noise, wait_until};

#[test]
fn whatever_comes_before_a_break_is_kept() {
    let receiver = Receiver::start();
    let video = noise(15_000_000, 4);
    let mut state = 7_u64;
    let mut random = |most: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % most
    };
    let path = place(&receiver.ask(creation(video.len(), "", b"")));
    let mut at = 0;
    for round in 0..40 {
        let wanted = (at + 1 + random(300_000)).min(video.len() - 1);
        let mut client = receiver.client();
        let headers = format!("Upload-Offset: {at}\r\n");
        client.send(begin("PATCH", &path, &headers, video.len() - at));
        client.send(&video[at..wanted]);
        // The line is dropped, or hangs; and the next request comes later, or at once.
        let hanging = (round % 2 == 1).then_some(client);
        let later = round % 4 < 2;
        wait_until("it is written", || match come(&receiver) {
            come if later => come == wanted,
            come => come > at,
        });
        let now = told(&receiver, &path);
        assert!(
            at <= now && now <= wanted && (!later || now == wanted),
            "{at} {now} {wanted}"
        );
        drop(hanging);
        at = now;
    }
    assert_eq!(receiver.ask(patch(&path, at, "", &video[at..])).status, 204);
    holds_one(&receiver, &video);
}

#[test]
fn a_sender_that_stalls_loses_nothing() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let video = noise(50_000, 5);
    let mut client = receiver.client();
    let request = creation(video.len(), "Idempotency-Key: a\r\n", &video);
    client.send(&request[..request.len() - 20_000]);
    assert_eq!(client.answer().status, 408);
    let again = receiver.ask(creation(video.len(), "Idempotency-Key: a\r\n", b""));
    assert_eq!(offset(&again), 30_000);
}

#[test]
fn a_receiver_that_is_told_to_stop_keeps_what_came() {
    let mut receiver = Receiver::start();
    let video = noise(900_000, 6);
    let path = place(&receiver.ask(creation(video.len(), "", b"")));
    let mut client = receiver.client();
    client.send(begin("PATCH", &path, "Upload-Offset: 0\r\n", video.len()));
    client.send(&video[..500_000]);
    wait_until("it is written", || come(&receiver) == 500_000);
    receiver.signal(Signal::TERM);
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    receiver.wait(Duration::from_secs(2));
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert_eq!(told(&receiver, &path), 500_000);
    assert_eq!(on_their_way(&receiver.database()), 1);
}

#[test]
fn what_came_is_durable_before_the_request_is_over() {
    let receiver = Receiver::start();
    let video = noise(80 << 20, 7);
    let path = place(&receiver.ask(creation(video.len() + 1, "", b"")));
    let mut client = receiver.client();
    client.send(begin("PATCH", &path, "Upload-Offset: 0\r\n", video.len() + 1));
    client.send(&video);
    let saved = || -> i64 {
        let query = "SELECT offset_bytes FROM upload";
        receiver.database().query_row(query, [], |row| row.get(0)).unwrap()
    };
    wait_until("half of it is saved", || saved() >= 32 << 20);
    // Killed, no more than what was not saved yet is gone; and after a pause nothing.
    wait_until("all of it is saved", || saved() == 80 << 20);
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert_eq!(told(&receiver, &path), 80 << 20);
    drop(client);
    assert_eq!(receiver.ask(patch(&path, 80 << 20, "", b"x")).status, 204);
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
}
