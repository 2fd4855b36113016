//! The client against real sockets, with less patience than in the field, so that a test need not wait for half a minute.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::{Duration, Instant};

use super::*;
use crate::row::{Clip, Scalar};
use crate::shutdown::Shutdown;

/// Far above what is needed, a failure only.
const FOREVER: Duration = Duration::from_secs(60);

/// Sends a clip of so many bytes to a server that does `serve` with its one connection; gives the verdict and the time.
fn send(len: usize, no_progress: Duration, serve: impl FnOnce(TcpStream) + Send + 'static) -> (Verdict, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = UploadConfig {
        backends: vec![format!("http://{}", listener.local_addr().unwrap())],
        device_id: "d".to_string(),
        timeouts: Timeouts {
            no_progress,
            await_100: Duration::from_millis(1),
            ..Timeouts::default()
        },
        ..UploadConfig::default()
    };
    spawn(move || serve(listener.accept().unwrap().0));
    let (done, verdict) = channel();
    spawn(move || {
        let mut uploader = Uploader::new(config, Arc::new(Shutdown::default())).unwrap();
        let start = Instant::now();
        let video = vec![7; len];
        let clip = Clip {
            id: 1,
            date: Scalar::Text("2025-12-18T17:30:00".to_string()),
            sensor_id: Scalar::Integer(4),
            sensor_name: Scalar::Null,
            camera: Scalar::Integer(1),
            video_len: len as u64,
        };
        let attempt = uploader.post_clip(&clip, &mut &video[..], "k");
        done.send((attempt.verdict, start.elapsed())).unwrap();
    });
    verdict.recv_timeout(FOREVER).expect("it waits for ever")
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
