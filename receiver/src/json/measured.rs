//! What `examples/clip_json.rs` measures: the two ends of reading a clip's body, without anything between them and a caller.

use std::io::{self, Read, Write};

use super::BodyParser;
use super::base64_sink::Base64Sink;

/// As large as the pieces in which a body arrives.
const STEP_BYTES: usize = 128 << 10;

const VIDEO_MAX_BYTES: u64 = 1_100_000_000;

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

/// Reads a clip's body as `POST /api/media` does; the length of its video.
///
/// # Errors
/// The body is none, or can't be read.
pub fn clip_body(body: &mut impl Read) -> io::Result<u64> {
    let mut parser = BodyParser::clip(Count(0), VIDEO_MAX_BYTES);
    pass_on(body, |piece| parser.write_all(piece))?;
    let (_, video) = parser.into_clip().map_err(super::refused)?;
    Ok(video.0)
}

/// Decodes base64 as the video of a clip is decoded; the length of what it holds.
///
/// # Errors
/// The text is none, or can't be read.
pub fn base64_text(text: &mut impl Read) -> io::Result<u64> {
    let mut sink = Base64Sink::new(Count(0), VIDEO_MAX_BYTES);
    pass_on(text, |piece| sink.push(piece))?;
    sink.finish()?;
    Ok(sink.into_inner().0)
}

fn pass_on(from: &mut impl Read, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            count => to(buffer.get(..count).unwrap_or_default())?,
        }
    }
}
