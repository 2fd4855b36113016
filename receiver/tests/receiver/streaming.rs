//! Clips of any size in little memory, and bodies that break off.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Client, Receiver, chunked, clip, media_body, noise, post, wait_until};

/// The promise is 32 MB for a clip of 1 GB: what grows with a clip shows at this length too.
const LARGE_MB: usize = 120;
const PEAK_KB: u64 = 20 << 10;

/// A megabyte of base64 of bytes that do not repeat: 786,432 of them.
fn piece() -> Vec<u8> {
    STANDARD.encode(noise(768 << 10, 9)).into_bytes()
}

/// Sends a clip of `pieces` pieces; `pack` is what is done to each part of the body.
fn send_large(client: &mut Client, headers: &str, pieces: usize, mut pack: impl FnMut(&[u8], bool) -> Vec<u8>) {
    let body = media_body("\0");
    let (start, end) = body.split_once('\0').unwrap();
    let piece = piece();
    client.send(format!(
        "POST /api/media HTTP/1.1\r\nHost: receiver\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    ));
    let mut send = |bytes: Vec<u8>| {
        if !bytes.is_empty() {
            client.send(format!("{:x}\r\n", bytes.len()));
            client.send(bytes);
            client.send("\r\n");
        }
    };
    send(pack(start.as_bytes(), false));
    for _ in 0..pieces {
        send(pack(&piece, false));
    }
    send(pack(end.as_bytes(), true));
    client.send("0\r\n\r\n");
}

fn check_large(receiver: &Receiver, client: &mut Client, pieces: usize) {
    let answer = client.answer();
    assert_eq!(answer.status, 201, "{answer:?}");
    let (clips, incoming) = receiver.files();
    assert_eq!((clips.len(), incoming.len()), (1, 0));
    let length = std::fs::metadata(receiver.path().join("clips").join(&clips[0]))
        .unwrap()
        .len();
    assert_eq!(length, (pieces as u64) * (768 << 10));
    let peak = receiver.peak_kb();
    assert!(peak <= PEAK_KB, "peak {peak} KB");
}

#[test]
fn a_large_clip_takes_little_memory() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let pieces = LARGE_MB * 4 / 3;
    send_large(&mut client, "", pieces, |bytes, _| bytes.to_vec());
    check_large(&receiver, &mut client, pieces);
}

#[test]
fn a_large_zstd_clip_takes_little_memory() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    // The largest window: the most that a sender can make the receiver keep.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(23).unwrap();
    let pieces = LARGE_MB * 2 / 3;
    send_large(&mut client, "Content-Encoding: zstd\r\n", pieces, |bytes, last| {
        encoder.write_all(bytes).unwrap();
        if last {
            encoder.do_finish().unwrap();
        }
        std::mem::take(encoder.get_mut())
    });
    check_large(&receiver, &mut client, pieces);
}

#[test]
fn a_large_gzip_clip_takes_little_memory() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    let pieces = LARGE_MB / 3;
    send_large(&mut client, "Content-Encoding: gzip\r\n", pieces, |bytes, last| {
        encoder.write_all(bytes).unwrap();
        if last {
            encoder.try_finish().unwrap();
        }
        std::mem::take(encoder.get_mut())
    });
    check_large(&receiver, &mut client, pieces);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let receiver = Receiver::start();
    let body = clip(&noise(1 << 20, 10));
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(body.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for request in [
        post("/api/media", "", &body),
        chunked("/api/media", "", body.as_bytes(), 5_000),
        post("/api/media", "Content-Encoding: gzip\r\n", &gzip),
    ] {
        // In the middle, and where only the last byte is missing: all of the video is there by then.
        for length in [request.len() / 2, request.len() - 1] {
            let mut client = receiver.client();
            client.send(&request[..length]);
            wait_until("the clip has begun", || receiver.files().1.len() == 1);
            drop(client);
            wait_until("the clip is gone", || receiver.files().1.is_empty());
            assert!(receiver.holds_nothing());
        }
    }
}

#[test]
fn a_sender_that_hangs_up_after_its_last_byte_has_its_clip_stored() {
    let receiver = Receiver::start();
    let database = receiver.database();
    // As long as somebody else writes, the row waits.
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut client = receiver.client();
    client.send(post("/api/media", "", clip(&noise(100_000, 11))));
    wait_until("the clip is in place", || receiver.files().0.len() == 1);
    drop(client);
    // Another request's answer shows that the receiver has had the time to notice.
    assert_eq!(
        receiver.ask("GET /nowhere HTTP/1.1\r\nHost: receiver\r\n\r\n").status,
        404
    );
    database.execute_batch("ROLLBACK").unwrap();
    wait_until("the row is there", || receiver.count("media") == 1);
    wait_until("the clip is settled", || receiver.files().1.is_empty());
    let file: String = database
        .query_row("SELECT file FROM media", [], |row| row.get(0))
        .unwrap();
    assert_eq!(receiver.files().0, [file]);
}
