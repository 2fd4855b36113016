//! What reading a clip of 256 MB costs: our parser beside struson, the streaming reader that could take its place. Each in
//! a process of its own, since its largest memory is measured; `docs/performance.md` has the command and the figures.

use std::fs::read_to_string;
use std::io::{self, Read, Write};

use struson::reader::{JsonReader, JsonStreamReader};

use super::BodyParser;
use super::base64_sink::Base64Sink;

const VIDEO_BYTES: u64 = 256 << 20;
const VIDEO_MAX_BYTES: u64 = 1_100_000_000;

/// As large as the pieces in which a body arrives.
const STEP_BYTES: usize = 128 << 10;

/// The contract's body, made while it is read: it takes no memory of its own.
fn body() -> impl Read {
    let start = concat!(
        r#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":4,"nom":"Caméra 1"},"numero_camera":1,"#,
        r#""device_id":"raspberry-1","source":"sync_service","video_data":""#
    );
    let whole_groups = VIDEO_BYTES / 3;
    start
        .as_bytes()
        .chain(io::repeat(b'A').take(whole_groups * 4))
        .chain(&br#"AA=="}"#[..])
}

/// Where the video goes.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn measure(read: impl FnOnce() -> u64) {
    let processor_s = || {
        let schedstat = read_to_string("/proc/thread-self/schedstat").unwrap();
        schedstat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    let start = processor_s();
    assert_eq!(read(), VIDEO_BYTES);
    let per_gb = (processor_s() - start) * 1e9 / VIDEO_BYTES as f64;
    let status = read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("{per_gb:.2} s of processor time per GB of video, {peak}");
}

#[test]
#[ignore = "a measurement: worth something only in a release build"]
fn ours() {
    measure(|| {
        let mut parser = BodyParser::clip(Count(0), VIDEO_MAX_BYTES);
        let (mut body, mut buffer) = (body(), vec![0; STEP_BYTES]);
        loop {
            match body.read(&mut buffer).unwrap() {
                0 => return parser.into_clip().unwrap().1.0,
                count => parser.write_all(&buffer[..count]).unwrap(),
            }
        }
    });
}

#[test]
#[ignore = "a measurement: worth something only in a release build"]
fn struson() {
    measure(|| {
        // It asks for a kilobyte at a time.
        let mut json = JsonStreamReader::new(io::BufReader::with_capacity(STEP_BYTES, body()));
        let mut sink = Base64Sink::new(Count(0), VIDEO_MAX_BYTES);
        let mut buffer = vec![0; STEP_BYTES];
        json.begin_object().unwrap();
        while json.has_next().unwrap() {
            if json.next_name().unwrap() != "video_data" {
                json.skip_value().unwrap();
                continue;
            }
            let mut text = json.next_string_reader().unwrap();
            loop {
                match text.read(&mut buffer).unwrap() {
                    0 => break,
                    count => sink.push(&buffer[..count]).unwrap(),
                }
            }
            sink.finish().unwrap();
        }
        json.end_object().unwrap();
        json.consume_trailing_whitespace().unwrap();
        sink.into_inner().0
    });
}
