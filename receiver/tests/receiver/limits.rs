//! A limit on everything a sender can make long.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::{Receiver, chunked, clip, event, media_body, noise, post, wait_until};

fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for part in parts {
        encoder.write_all(part).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn a_clip_may_be_as_long_as_the_limit_and_no_longer() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "1")]);
    let video = noise(1_000_001, 1);
    let whole = |video: &[u8]| post("/api/media", "", clip(video));
    let in_chunks = |video: &[u8]| chunked("/api/media", "", clip(video).as_bytes(), 9_999);
    for (fits, does_not) in [
        (whole(&video[1..]), whole(&video)),
        (in_chunks(&video[1..]), in_chunks(&video)),
    ] {
        assert_eq!(receiver.ask(fits).status, 201);
        let answer = receiver.ask(does_not);
        assert_eq!(answer.status, 413);
        assert!(answer.error().starts_with("video_data"), "{}", answer.error());
    }
    assert_eq!(receiver.count("media"), 2);
    assert_eq!(receiver.files().0.len(), 2);
}

#[test]
fn a_clip_that_says_it_is_too_long_is_refused_before_its_body() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "1")]);
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = receiver.client();
        let answer = client.ask(format!(
            "POST /api/media HTTP/1.1\r\nHost: receiver\r\nContent-Length: 200000000\r\n{expect}\r\n"
        ));
        assert_eq!(answer.status, 413);
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert!(receiver.holds_nothing());
}

#[test]
fn the_default_is_enough_for_the_longest_blob_of_sqlite() {
    let receiver = Receiver::start();
    // The base64 of 1,000,000,000 bytes.
    let mut client = receiver.client();
    let answer = client.ask(
        "POST /api/media HTTP/1.1\r\nHost: receiver\r\nContent-Length: 1333333500\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(answer.status, 100);
    let answer = receiver.ask("POST /api/media HTTP/1.1\r\nHost: receiver\r\nContent-Length: 1600000000\r\n\r\n");
    assert_eq!(answer.status, 413);
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_refused_without_being_kept() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "20")]);
    let body = media_body("\0");
    let (start, end) = body.split_once('\0').unwrap();
    let many = vec![b'A'; 1 << 20];
    let mut parts = vec![start.as_bytes()];
    parts.extend(std::iter::repeat_n(many.as_slice(), 40));
    parts.push(end.as_bytes());
    let spaces = vec![b' '; 40 << 20];
    let zstd = zstd::stream::encode_all(spaces.as_slice(), 1).unwrap();
    let field = [b"{\"x\":\"".as_slice(), &many, &many];
    for (headers, body) in [
        ("Content-Encoding: gzip\r\n", gzip(&parts)),
        ("Content-Encoding: gzip\r\n", gzip(&field)),
        ("Content-Encoding: zstd\r\n", zstd.clone()),
    ] {
        let answer = receiver.ask(post("/api/media", headers, body));
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(receiver.holds_nothing());
    }
    let answer = receiver.ask(post("/api/evenements", "Content-Encoding: zstd\r\n", zstd));
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(receiver.holds_nothing());
    let peak = receiver.peak_kb();
    assert!(peak <= 20 << 10, "peak {peak} KB");
}

#[test]
fn an_event_has_a_megabyte() {
    let receiver = Receiver::start();
    let name = "n".repeat(1_000_000);
    let answer = receiver.ask(post("/api/evenements", "", event().replace("PIR Entrée", &name)));
    assert_eq!(answer.status, 201);
    let answer = receiver.ask(post(
        "/api/evenements",
        "",
        event().replace("PIR Entrée", &name.repeat(2)),
    ));
    assert_eq!(answer.status, 413);
    assert_eq!(receiver.count("evenement"), 1);
}

#[test]
fn a_body_that_stops_is_given_up() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let start = Instant::now();
    let requests = [
        post("/api/media", "", clip(&noise(100_000, 2))),
        post("/api/evenements", "", event()),
    ];
    let mut clients = requests.map(|request| {
        let mut client = receiver.client();
        client.send(&request[..request.len() - 10]);
        client
    });
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!(answer.status, 408, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(receiver.holds_nothing());
}

#[test]
fn a_body_that_drips_is_given_up_and_a_slow_one_is_not() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1"), ("RECEIVER_MIN_RATE", "50000")]);
    let request = post("/api/media", "", clip(&noise(300_000, 3)));
    let send = |bytes_at_a_time: usize| {
        let mut client = receiver.client();
        for piece in request.chunks(bytes_at_a_time) {
            if client.has_answer() || !client.try_send(piece) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        client.answer().status
    };
    std::thread::scope(|scope| {
        // 200 bytes in 50 ms are 4 KB/s; 12,500 are 250 KB/s less what sleeping takes longer.
        let dripping = scope.spawn(|| send(200));
        let slow = scope.spawn(|| send(12_500));
        assert_eq!(dripping.join().unwrap(), 408);
        assert_eq!(slow.join().unwrap(), 201);
    });
    assert_eq!(receiver.count("media"), 1);
}

#[test]
fn more_requests_than_allowed_wait_for_their_turn() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_REQUESTS", "2")]);
    let request = post("/api/media", "", clip(&noise(100_000, 4)));
    let mut busy = [receiver.client(), receiver.client()];
    for client in &mut busy {
        client.send(&request[..request.len() / 2]);
    }
    wait_until("both are served", || receiver.files().1.len() == 2);
    let mut third = receiver.client();
    third.send(post("/api/evenements", "", event()));
    // Another one's answer: by now the third would have its own.
    assert_eq!(
        receiver.ask("GET /nowhere HTTP/1.1\r\nHost: receiver\r\n\r\n").status,
        404
    );
    assert!(!third.has_answer());
    for client in &mut busy {
        client.send(&request[request.len() / 2..]);
        assert_eq!(client.answer().status, 201);
    }
    // Idle connections hold no place.
    assert_eq!(third.answer().status, 201);
}

#[test]
fn a_packed_body_has_a_limit_of_bytes_on_the_wire() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "1")]);
    // Empty members unpack to nothing, however many there are.
    let members = gzip(&[]).repeat(100_000);
    for (path, count) in [("/api/media", 4), ("/api/evenements", 1)] {
        let body = members.repeat(count);
        let answer = receiver.ask(chunked(path, "Content-Encoding: gzip\r\n", &body, 50_000));
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
        // One that says so is refused before its body.
        let answer = receiver.ask(format!(
            "POST {path} HTTP/1.1\r\nHost: receiver\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
    }
    assert!(receiver.holds_nothing());
}

#[test]
fn what_cannot_be_packed_may_be_as_long_as_what_is_plain() {
    let receiver = Receiver::with(&[("RECEIVER_MAX_CLIP_MB", "1")]);
    let body = clip(&noise(1_000_000, 5));
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    stored.write_all(body.as_bytes()).unwrap();
    let body = stored.finish().unwrap();
    assert_eq!(
        receiver
            .ask(post("/api/media", "Content-Encoding: gzip\r\n", body))
            .status,
        201
    );
    let empty = event().replace("PIR Entrée", "");
    let name: String = noise((1 << 20) - empty.len(), 6)
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect();
    let body = empty.replace(r#""nom":"""#, &format!(r#""nom":"{name}""#));
    assert_eq!(body.len(), 1 << 20);
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    stored.write_all(body.as_bytes()).unwrap();
    let body = stored.finish().unwrap();
    assert_eq!(
        receiver
            .ask(post("/api/evenements", "Content-Encoding: gzip\r\n", body))
            .status,
        201
    );
}

#[test]
fn json_may_nest_32_levels_and_no_more() {
    let receiver = Receiver::start();
    let nested = |levels: usize, body: String| {
        let value = format!("{}{}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        body.replacen('{', &format!(r#"{{"x":{value},"#), 1)
    };
    for (path, body) in [("/api/evenements", event()), ("/api/media", clip(b"x"))] {
        assert_eq!(receiver.ask(post(path, "", nested(32, body.clone()))).status, 201);
        let answer = receiver.ask(post(path, "", nested(33, body)));
        assert_eq!(
            (answer.status, answer.error().contains("32 niveaux")),
            (400, true),
            "{answer:?}"
        );
    }
}
