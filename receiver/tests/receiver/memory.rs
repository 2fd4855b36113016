//! What senders can make the receiver hold has a limit, also of all of them together.

use std::io::Write;

use crate::support::{Receiver, clip, media_body, post, wait_until};

/// Whether so many clips are on their way, each with more than `bytes` in its file.
fn on_their_way(receiver: &Receiver, count: usize, bytes: u64) -> bool {
    let names = receiver.files().1;
    let length = |name: &String| std::fs::metadata(receiver.path().join("incoming").join(name)).map(|file| file.len());
    names.len() == count && names.iter().all(|name| length(name).is_ok_and(|length| length > bytes))
}

/// A megabyte of JSON that costs many times as much when it is built.
fn hostile(kind: usize) -> String {
    let objects = || format!("[{}]", vec![r#"{"":0}"#; 120_000].join(","));
    match kind {
        0 => format!(r#"{{"x":{}"#, objects()),
        1 => format!(r#"{{"date":{}"#, objects()),
        2 => format!(r#"{{"capteur":{{"id":{},"nom":1}}"#, objects()),
        _ => format!(r#"{{"capteur":{{"x":[{}]}}"#, vec!["[[[]]]"; 120_000].join(",")),
    }
}

#[test]
fn hostile_json_costs_no_more_memory_than_its_length() {
    let receiver = Receiver::start();
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let mut client = receiver.client();
            let kind = hostile(number % 4);
            // Then a video that is not there yet, but in part: by then the rest has been read.
            let start = format!(r#"{kind},"video_data":"{}"#, "A".repeat(200_000));
            let head = "POST /api/media HTTP/1.1\r\nHost: receiver\r\nContent-Length: 9000000\r\n\r\n";
            client.send(format!("{head}{start}"));
            client
        })
        .collect();
    wait_until("all of it has been read", || on_their_way(&receiver, 8, 0));
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
    drop(clients);

    for number in 0..8 {
        let body = format!("{}}}", hostile(number % 4));
        assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 400);
    }
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
    assert!(receiver.count("media") == 0);
}

/// A clip in one zstd frame with a window of 8 MB, all of it used, but for the last bytes of the body.
fn zstd_with_the_largest_window() -> Vec<u8> {
    let body = media_body(&"A".repeat(12 << 20));
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(23).unwrap();
    encoder.write_all(body.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn zstd_windows_have_a_limit_together() {
    let receiver = Receiver::start();
    let body = zstd_with_the_largest_window();
    let request = post("/api/media", "Content-Encoding: zstd\r\n", &body);
    let (most, end) = request.split_at(request.len() - 4);
    // Eight windows are unpacked up to the end and then held.
    let mut held: Vec<_> = (0..8).map(|_| receiver.client()).collect();
    for client in &mut held {
        client.send(most);
    }
    wait_until("all windows are in use", || on_their_way(&receiver, 8, 8 << 20));
    for _ in 0..4 {
        let answer = receiver.ask(&request);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("10"));
    }
    // Who does without a window finds room.
    let answer = receiver.ask(post("/api/media", "", clip(b"x")));
    assert_eq!(answer.status, 201, "{answer:?}");
    let peak = receiver.peak_kb();
    assert!(peak <= 88 << 10, "peak {peak} KB");
    for client in &mut held {
        assert_eq!(client.ask(end).status, 201);
    }
    assert_eq!(receiver.ask(&request).status, 201);
}
