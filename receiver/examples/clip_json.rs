//! What reading a clip of 256 MB costs: `clip_json ours` or `clip_json struson`, the streaming reader that could take the place
//! of ours. Each in a process of its own, since its largest memory is measured.

use std::error::Error;
use std::fs::read_to_string;
use std::io::{self, Read};

use struson::reader::{JsonReader, JsonStreamReader};
use sync_receiver::measured;

const VIDEO_BYTES: u64 = 256 << 20;

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

fn struson() -> Result<u64, Box<dyn Error>> {
    // It asks for a kilobyte at a time.
    let mut json = JsonStreamReader::new(io::BufReader::with_capacity(STEP_BYTES, body()));
    let mut bytes = 0;
    json.begin_object()?;
    while json.has_next()? {
        if json.next_name()? == "video_data" {
            bytes = measured::base64_text(&mut json.next_string_reader()?)?;
        } else {
            json.skip_value()?;
        }
    }
    json.end_object()?;
    json.consume_trailing_whitespace()?;
    Ok(bytes)
}

fn processor_s() -> Result<f64, Box<dyn Error>> {
    let schedstat = read_to_string("/proc/thread-self/schedstat")?;
    Ok(schedstat.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let reader = std::env::args().nth(1).unwrap_or_default();
    let start = processor_s()?;
    let bytes = match reader.as_str() {
        "ours" => measured::clip_body(&mut body())?,
        "struson" => struson()?,
        _ => return Err("usage: clip_json ours|struson".into()),
    };
    if bytes != VIDEO_BYTES {
        return Err(format!("{bytes} bytes of video instead of {VIDEO_BYTES}").into());
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let per_gb = (processor_s()? - start) * 1e9 / VIDEO_BYTES as f64;
    let status = read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: ?");
    println!("{per_gb:.2} s of processor time per GB of video, {peak}");
    Ok(())
}
