//! A request's body: read off the wire at the act's pace, decoded, the video taken out as it streams by.

use std::io::{self, BufReader, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Received;
use super::act::Reading;
use crate::support::random::Fingerprint;

/// Bodies up to this size are kept as they arrived.
const KEEP_BYTES: usize = 2 << 20;

/// What stands before the video in the JSON of a clip.
const VIDEO: &[u8] = b"\"video_data\":\"";

/// The body's bytes as they come off the wire.
pub struct Body<'a> {
    reader: &'a mut BufReader<TcpStream>,
    left: Left,
    reading: Reading,
    started: Instant,
    pub wire_len: u64,
    pub kept: Vec<u8>,
    /// Told how far it is.
    progress: &'a dyn Fn(u64),
}

enum Left {
    Length(u64),
    /// Of this chunk; the sizes come with the body.
    Chunk(u64),
    Over,
}

impl<'a> Body<'a> {
    pub fn of(
        request: &Received,
        reader: &'a mut BufReader<TcpStream>,
        reading: Reading,
        progress: &'a dyn Fn(u64),
    ) -> io::Result<Self> {
        let left = match (request.header("content-length"), request.header("transfer-encoding")) {
            (Some(length), None) => Left::Length(length.parse().map_err(io::Error::other)?),
            (None, Some("chunked")) => Left::Chunk(0),
            (None, None) => Left::Length(0),
            other => return Err(io::Error::other(format!("no usable length: {other:?}"))),
        };
        if let Reading::Slowly(_) | Reading::Later(_) | Reading::Held(..) = reading {
            // A slow server does not hide behind megabytes of socket buffer.
            rustix::net::sockopt::set_socket_recv_buffer_size(reader.get_ref(), 64 << 10)?;
        }
        if let Reading::Later(pause) = reading {
            std::thread::sleep(pause);
        }
        Ok(Body {
            reader,
            left,
            reading,
            started: Instant::now(),
            wire_len: 0,
            kept: Vec::new(),
            progress,
        })
    }

    /// The next line of the chunked coding.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        io::BufRead::read_line(self.reader, &mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn available(&mut self) -> io::Result<u64> {
        if let Left::Chunk(0) = self.left {
            let size = u64::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            self.left = Left::Chunk(size);
            if size == 0 {
                self.line()?;
                self.left = Left::Over;
            }
        }
        Ok(match self.left {
            Left::Length(left) | Left::Chunk(left) => left,
            Left::Over => 0,
        })
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut most = self.available()?.min(buffer.len() as u64);
        match &self.reading {
            Reading::All | Reading::Later(_) => {}
            Reading::UpTo(bytes) => most = most.min(bytes - self.wire_len),
            Reading::Held(bytes, _) if self.wire_len < *bytes => most = most.min(bytes - self.wire_len),
            Reading::Held(_, gate) => gate.pass(),
            Reading::Slowly(rate) => {
                most = most.min(rate / 50 + 1);
                let due = Duration::from_secs_f64(self.wire_len as f64 / *rate as f64);
                std::thread::sleep(due.saturating_sub(self.started.elapsed()));
            }
        }
        if most == 0 {
            return Ok(0);
        }
        let read = self.reader.read(&mut buffer[..most as usize])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.wire_len += read as u64;
        (self.progress)(self.wire_len);
        if self.kept.len() < KEEP_BYTES {
            self.kept.extend_from_slice(&buffer[..read]);
        }
        match &mut self.left {
            Left::Length(left) => *left -= read as u64,
            Left::Chunk(left) => {
                *left -= read as u64;
                if *left == 0 {
                    self.line()?;
                }
            }
            Left::Over => {}
        }
        Ok(read)
    }
}

/// What a body says.
#[derive(Default)]
pub struct Contents {
    pub outline: String,
    pub video: Option<(u64, u64)>,
    /// Whether it arrived whole and makes sense.
    pub complete: bool,
}

impl Contents {
    pub fn read(body: &mut Body<'_>, request: &Received) -> io::Result<Self> {
        if request.header("content-type") == Some("application/offset+octet-stream") {
            // A video as it is.
            io::copy(body, &mut io::sink())?;
            return Ok(Contents::default());
        }
        let mut splitter = Splitter::default();
        match request.header("content-encoding") {
            None => splitter.take(&mut *body)?,
            Some("gzip") => splitter.take(flate2::read::GzDecoder::new(&mut *body))?,
            Some("zstd") => splitter.take(zstd::stream::read::Decoder::new(&mut *body)?)?,
            Some(other) => return Err(io::Error::other(format!("unknown coding {other}"))),
        }
        if let Reading::UpTo(_) = body.reading {
            return Ok(Contents::default());
        }
        io::copy(body, &mut io::sink())?;
        splitter.finish()
    }
}

/// Takes the video out of a clip's JSON while it streams by.
#[derive(Default)]
struct Splitter {
    outline: Vec<u8>,
    video: Option<Video>,
    ended: bool,
}

#[derive(Default)]
struct Video {
    print: Fingerprint,
    len: u64,
    /// Base64 that does not fill a group of four yet.
    partial: Vec<u8>,
    decoded: Vec<u8>,
}

impl Splitter {
    fn take(&mut self, mut source: impl Read) -> io::Result<()> {
        let mut piece = vec![0; 48 << 10];
        loop {
            match source.read(&mut piece)? {
                0 => return Ok(()),
                read => self.push(&piece[..read])?,
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(video) = self.video.as_mut().filter(|_| !self.ended) {
            // `contains` is fast in a debug build, `position` is not.
            let ends = bytes.contains(&b'"');
            let end = ends.then(|| bytes.iter().position(|&byte| byte == b'"')).flatten();
            video.push(&bytes[..end.unwrap_or(bytes.len())])?;
            if let Some(end) = end {
                video.finish()?;
                self.ended = true;
                self.outline.extend_from_slice(&bytes[end..]);
            }
            return Ok(());
        }
        let before = self.outline.len();
        self.outline.extend_from_slice(bytes);
        if self.video.is_none() {
            let from = before.saturating_sub(VIDEO.len());
            let found = self.outline[from..]
                .windows(VIDEO.len())
                .position(|window| window == VIDEO);
            if let Some(at) = found {
                let rest = self.outline.split_off(from + at + VIDEO.len());
                self.video = Some(Video::default());
                return self.push(&rest);
            }
        }
        Ok(())
    }

    fn finish(self) -> io::Result<Contents> {
        let outline = String::from_utf8(self.outline).map_err(io::Error::other)?;
        let complete = serde_json::from_str::<serde_json::Value>(&outline).is_ok();
        let video = self.video.map(|video| (video.len, video.print.finish()));
        Ok(Contents {
            outline,
            video,
            complete,
        })
    }
}

impl Video {
    fn push(&mut self, base64: &[u8]) -> io::Result<()> {
        self.partial.extend_from_slice(base64);
        // The last group may be padded: it waits for the end.
        let whole = self.partial.len().saturating_sub(1) / 4 * 4;
        self.decode(whole)
    }

    fn decode(&mut self, len: usize) -> io::Result<()> {
        self.decoded.clear();
        BASE64_STANDARD
            .decode_vec(&self.partial[..len], &mut self.decoded)
            .map_err(io::Error::other)?;
        self.partial.drain(..len);
        self.print.update(&self.decoded);
        self.len += self.decoded.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.decode(self.partial.len())
    }
}
