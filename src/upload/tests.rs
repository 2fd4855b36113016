//! The client against real sockets, with less patience than in the field, so that a test need not wait for half a minute.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::{Duration, Instant};

use super::*;
use crate::row::{Clip, SHA256_BYTES, Scalar, Video};
use crate::shutdown::Shutdown;

/// Far above what is needed, a failure only.
const FOREVER: Duration = Duration::from_secs(60);

/// Servers of these tests name no extension: nothing goes on after a break.
impl Video for &[u8] {
    fn go_back(&mut self, _most: u64) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sha256(&self) -> [u8; SHA256_BYTES] {
        [0; SHA256_BYTES]
    }

    fn hold_rest(&mut self, _pulse: &mut dyn FnMut() -> bool) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Sends a clip of so many bytes to a server that does `serve` with its one connection; gives the verdict and the time.
fn send(len: usize, no_progress: Duration, serve: impl FnOnce(TcpStream) + Send + 'static) -> (Verdict, Duration) {
    let config = UploadConfig {
        timeouts: Timeouts {
            no_progress,
            await_100: Duration::from_millis(1),
            ..Timeouts::default()
        },
        ..UploadConfig::default()
    };
    let (mut verdicts, took) = send_clips(1, len, config, move |listener| serve(listener.accept().unwrap().0));
    (verdicts.remove(0), took)
}

/// Sends so many clips of so many bytes, one after the other, to a server that does `serve`.
fn send_clips(
    count: i64,
    len: usize,
    config: UploadConfig,
    serve: impl FnOnce(TcpListener) + Send + 'static,
) -> (Vec<Verdict>, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = UploadConfig {
        backends: vec![WebUrl::base(&format!("http://{}", listener.local_addr().unwrap())).unwrap()],
        device_id: "d".to_string(),
        ..config
    };
    spawn(move || serve(listener));
    let (done, verdicts) = channel();
    spawn(move || {
        let mut uploader =
            Uploader::new(config, Arc::new(Shutdown::default()), Box::new(crate::clock::local_now)).unwrap();
        // It is known already: nothing is asked first.
        for (backend, _) in uploader.extensions() {
            uploader.set_extensions(&backend, sync_protocol::Extensions::NONE);
        }
        let start = Instant::now();
        let video = vec![7; len];
        let post = |id| {
            let clip = Clip {
                id,
                date: Scalar::Text("2025-12-18T17:30:00".to_string()),
                sensor_id: Scalar::Integer(4),
                sensor_name: Scalar::Null,
                camera: Scalar::Integer(1),
                video_len: len as u64,
            };
            uploader.post_clip(&clip, &mut &video[..], "k", true)
        };
        let verdicts = (0..count).map(post).collect();
        done.send((verdicts, start.elapsed())).unwrap();
    });
    verdicts.recv_timeout(FOREVER).expect("it waits for ever")
}

/// Reads a request's head, behind which nothing comes by itself.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece).unwrap();
        assert_ne!(count, 0, "it hung up");
        head.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(head).unwrap()
}

/// Reads a request to its end; `each` is called before each piece is read.
fn read_request(stream: &mut TcpStream, piece: usize, mut each: impl FnMut()) {
    let mut request = Vec::new();
    let mut buffer = vec![0; piece];
    let wanted = loop {
        each();
        let read = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .split('\r')
                .next()
                .unwrap();
            break end + 4 + length.parse::<usize>().unwrap();
        }
    };
    let mut have = request.len();
    while have < wanted {
        each();
        have += stream.read(&mut buffer).unwrap();
    }
}

fn assert_timed_out(verdict: &Verdict) {
    assert!(
        matches!(verdict, Verdict::Unavailable { message, .. } if message == "Timeout"),
        "{verdict:?}"
    );
}

#[test]
fn a_server_that_takes_no_more_of_a_clip_is_given_up() {
    // Keeps the server's connection open until the test is over.
    let (_hold, over) = channel::<()>();
    let patience = Duration::from_millis(500);
    let (verdict, took) = send(32 << 20, patience, move |mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        let _ = over.recv();
    });
    assert_timed_out(&verdict);
    assert!(took >= patience, "{took:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    // Keeps the server's connection open until the test is over.
    let (_hold, over) = channel::<()>();
    let patience = Duration::from_millis(500);
    let (verdict, took) = send(1000, patience, move |mut stream| {
        read_request(&mut stream, 1 << 16, || {});
        let _ = over.recv();
    });
    assert_timed_out(&verdict);
    assert!(took >= patience, "{took:?}");
}

#[test]
fn a_server_that_takes_a_clip_slowly_may_take_longer_than_it_may_stand_still() {
    let patience = Duration::from_secs(3);
    let (verdict, took) = send(24 << 20, patience, move |mut stream| {
        let mut last = Instant::now();
        read_request(&mut stream, 1 << 19, || {
            std::thread::sleep(Duration::from_millis(60).saturating_sub(last.elapsed()));
            last = Instant::now();
        });
        let answer = "HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":9}";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    assert!(matches!(verdict, Verdict::Done { remote_id: 9 }), "{verdict:?}");
    assert!(took > patience, "too fast to prove anything: {took:?}");
}

const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":9}";

/// Says `text` a byte at a time, each well within what a standstill may last.
fn drip(stream: &mut TcpStream, text: &str) {
    for byte in text.bytes() {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn an_answer_that_drips_has_a_total_time() {
    let limit = Duration::from_millis(400);
    let body = format!("HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{}", " ".repeat(99));
    // The head takes 5 s, or the body after a head at once.
    for (at_once, dripped) in [
        ("", format!("HTTP/1.1 201 Created\r\nX: {}", "x".repeat(99))),
        (&body[..44], body[44..].to_string()),
    ] {
        let at_once = at_once.to_string();
        let config = UploadConfig {
            timeouts: Timeouts {
                answer_head: limit,
                answer_body: limit,
                ..Timeouts::default()
            },
            ..UploadConfig::default()
        };
        let (verdicts, took) = send_clips(1, 1_000, config, move |listener| {
            let mut stream = listener.accept().unwrap().0;
            read_request(&mut stream, 1 << 16, || {});
            stream.write_all(at_once.as_bytes()).unwrap();
            drip(&mut stream, &dripped);
        });
        assert_timed_out(&verdicts[0]);
        assert!((limit..Duration::from_secs(4)).contains(&took), "{took:?}");
    }
}

#[test]
fn an_answer_to_the_question_that_stops_half_way_does_not_keep_the_clip() {
    let config = UploadConfig {
        timeouts: Timeouts {
            no_progress: Duration::from_millis(300),
            ..Timeouts::default()
        },
        ..UploadConfig::default()
    };
    let (heads, told) = channel();
    let (verdicts, _) = send_clips(1, 2 << 20, config, move |listener| {
        let mut first = listener.accept().unwrap().0;
        heads.send(read_head(&mut first)).unwrap();
        first
            .write_all(b"HTTP/1.1 401 Unauthorized\r\nServer: half\r\n")
            .unwrap();
        let mut second = listener.accept().unwrap().0;
        heads.send(String::new()).unwrap();
        read_request(&mut second, 1 << 16, || {});
        second.write_all(CREATED.as_bytes()).unwrap();
    });
    assert!(matches!(verdicts[0], Verdict::Done { remote_id: 9 }), "{verdicts:?}");
    assert!(told.recv().unwrap().to_lowercase().contains("expect: 100-continue"));
}

#[test]
fn a_low_rate_is_not_taken_for_a_server_that_ignores_the_question() {
    // The head waits 0.4 s for its turn, longer than the question is waited for.
    let await_100 = Duration::from_millis(300);
    let config = UploadConfig {
        max_rate: "1".parse().unwrap(),
        timeouts: Timeouts {
            await_100,
            ..Timeouts::default()
        },
        ..UploadConfig::default()
    };
    // On a loaded machine the server itself may be late, and proves nothing then.
    let asked_again = (0..20).find_map(|_| {
        let (heads, told) = channel();
        send_clips(2, 2 << 20, config.clone(), move |listener| {
            for _ in 0..2 {
                let mut stream = listener.accept().unwrap().0;
                let accepted = Instant::now();
                let head = read_head(&mut stream).to_lowercase();
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
                heads.send((head, accepted.elapsed())).unwrap();
                stream.read_exact(&mut [0]).unwrap();
                // Gone in the middle of the body.
            }
        });
        let (first, second) = (told.recv().unwrap(), told.recv().unwrap());
        assert!(first.0.contains("expect: 100-continue"), "{}", first.0);
        (first.1 < await_100 / 2).then(|| second.0.contains("expect: 100-continue"))
    });
    assert_eq!(asked_again, Some(true));
}
