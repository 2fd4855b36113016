//! The one JSON object of `POST /api/media`, in pieces of any size, its keys in any order.
//!
//! Strings and structure are followed byte by byte only as far as needed to find `video_data`; every other value is
//! collected whole and left to `serde_json`.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::{Base64Sink, longest_body, refused};
use crate::answer::Refusal;
use crate::event::FIELDS_MOST;

const VIDEO: &str = "video_data";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    FirstKey,
    NextKey,
    Key { escaped: bool },
    Colon,
    ValueStart,
    Value { depth: u32, in_string: bool, escaped: bool },
    Video,
    VideoEscape,
    VideoUnicode { digits: u8, code: u8 },
    AfterValue,
    End,
}

/// A body that was read to its end.
#[derive(Debug)]
pub struct Parsed<W> {
    /// Every field but the video.
    pub fields: Map<String, Value>,
    /// Where the video went.
    pub out: W,
    /// The video's length.
    pub bytes: u64,
}

/// Parses into fields and a video that goes to `W`.
pub struct MediaParser<W: Write> {
    state: State,
    /// The key or value being collected, as raw JSON.
    raw: Vec<u8>,
    key: String,
    fields: Map<String, Value>,
    collected: usize,
    video: Base64Sink<W>,
    video_bytes: Option<u64>,
    total: u64,
    total_most: u64,
}

impl<W: Write> MediaParser<W> {
    /// A parser that refuses a video of more than `most` bytes.
    pub fn new(out: W, most: u64) -> Self {
        Self {
            state: State::Start,
            raw: Vec::new(),
            key: String::new(),
            fields: Map::new(),
            collected: 0,
            video: Base64Sink::new(out, most),
            video_bytes: None,
            total: 0,
            total_most: longest_body(most),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// 400 when it is not one complete object with a video.
    pub fn finish(self) -> Result<Parsed<W>, Refusal> {
        if self.state != State::End {
            return Err(Refusal::bad("JSON invalide: le corps est incomplet"));
        }
        let bytes = self
            .video_bytes
            .ok_or_else(|| Refusal::bad("video_data: champ manquant"))?;
        Ok(Parsed {
            fields: self.fields,
            out: self.video.into_inner(),
            bytes,
        })
    }

    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(byte) = bytes.first().copied() {
            // The video is the bulk: it is passed on in runs, not byte by byte.
            if self.state == State::Video {
                let run = bytes
                    .iter()
                    .position(|b| matches!(b, b'"' | b'\\'))
                    .unwrap_or(bytes.len());
                self.video.push(&bytes[..run])?;
                match bytes.get(run) {
                    None => {}
                    Some(b'"') => {
                        self.video_bytes = Some(self.video.finish()?);
                        self.state = State::AfterValue;
                    }
                    Some(_) => self.state = State::VideoEscape,
                }
                bytes = bytes.get(run + 1..).unwrap_or_default();
                continue;
            }
            if self.step(byte)? {
                bytes = &bytes[1..];
            }
        }
        Ok(())
    }

    /// Takes one byte; `false` when it is to be looked at again in the new state.
    fn step(&mut self, byte: u8) -> io::Result<bool> {
        let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Start if byte == b'{' => self.state = State::FirstKey,
            State::FirstKey if byte == b'}' => self.state = State::End,
            State::FirstKey | State::NextKey if byte == b'"' => {
                self.collect(byte)?;
                self.state = State::Key { escaped: false };
            }
            State::Key { escaped } => {
                self.collect(byte)?;
                self.state = match byte {
                    b'"' if !escaped => {
                        self.key = self.collected_value()?;
                        State::Colon
                    }
                    _ => State::Key {
                        escaped: byte == b'\\' && !escaped,
                    },
                };
            }
            State::Colon if byte == b':' => self.state = State::ValueStart,
            State::ValueStart if !space => return self.start_value(byte),
            State::Value {
                depth,
                in_string,
                escaped,
            } => return self.value(byte, depth, in_string, escaped),
            State::VideoEscape => match byte {
                b'/' => {
                    self.video.push(b"/")?;
                    self.state = State::Video;
                }
                b'u' => self.state = State::VideoUnicode { digits: 0, code: 0 },
                _ => return Err(refused(Refusal::bad("video_data: base64 invalide"))),
            },
            State::VideoUnicode { digits, code } => {
                let digit = char::from(byte).to_digit(16);
                // What base64 is made of fits into a byte: the overflow of another character is an error too.
                let code = digit.and_then(|digit| code.checked_mul(16)?.checked_add(u8::try_from(digit).ok()?));
                let code = code.ok_or_else(|| refused(Refusal::bad("video_data: base64 invalide")))?;
                self.state = if digits == 3 {
                    self.video.push(&[code])?;
                    State::Video
                } else {
                    State::VideoUnicode {
                        digits: digits + 1,
                        code,
                    }
                };
            }
            State::AfterValue if byte == b',' => self.state = State::NextKey,
            State::AfterValue if byte == b'}' => self.state = State::End,
            _ if space => {}
            _ => return Err(wrong(format!("octet {byte:#04x} inattendu"))),
        }
        Ok(true)
    }

    fn start_value(&mut self, byte: u8) -> io::Result<bool> {
        if self.key == VIDEO {
            if byte != b'"' {
                return Err(refused(Refusal::bad("video_data: un texte est attendu")));
            }
            if self.video_bytes.is_some() {
                return Err(refused(Refusal::bad("video_data: présent deux fois")));
            }
            self.state = State::Video;
            return Ok(true);
        }
        self.state = State::Value {
            depth: 0,
            in_string: false,
            escaped: false,
        };
        Ok(false)
    }

    /// Follows a value to its end: the quote, bracket or brace that closes it, or what comes after a bare word.
    fn value(&mut self, byte: u8, depth: u32, in_string: bool, escaped: bool) -> io::Result<bool> {
        if depth == 0
            && !in_string
            && !self.raw.is_empty()
            && matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
        {
            self.end_value()?;
            return Ok(false);
        }
        self.collect(byte)?;
        let (mut depth, mut in_string, mut now_escaped) = (depth, in_string, false);
        let mut ended = false;
        match byte {
            b'\\' if in_string => now_escaped = !escaped,
            b'"' if in_string && !escaped => {
                in_string = false;
                ended = depth == 0;
            }
            b'"' if !in_string => in_string = true,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| wrong("parenthèse fermante de trop".to_string()))?;
                ended = depth == 0;
            }
            _ => {}
        }
        if ended {
            self.end_value()?;
        } else {
            self.state = State::Value {
                depth,
                in_string,
                escaped: now_escaped,
            };
        }
        Ok(true)
    }

    fn end_value(&mut self) -> io::Result<()> {
        let value = self.collected_value()?;
        self.fields.insert(std::mem::take(&mut self.key), value);
        self.state = State::AfterValue;
        Ok(())
    }

    fn collect(&mut self, byte: u8) -> io::Result<()> {
        self.collected += 1;
        if self.collected > FIELDS_MOST {
            return Err(refused(Refusal::too_long(format!(
                "plus de {FIELDS_MOST} octets en plus de video_data"
            ))));
        }
        self.raw.push(byte);
        Ok(())
    }

    fn collected_value<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<T> {
        let value = serde_json::from_slice(&self.raw).map_err(|error| wrong(error.to_string()));
        self.raw.clear();
        value
    }
}

impl<W: Write> Write for MediaParser<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Also white space without end is an end: what unpacks to it costs the sender nothing.
        self.total += bytes.len() as u64;
        if self.total > self.total_most {
            return Err(refused(Refusal::too_long("corps trop long")));
        }
        self.take(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wrong(reason: String) -> io::Error {
    refused(Refusal::bad(format!("JSON invalide: {reason}")))
}
