//! The one JSON object of a body, in pieces of any size, its keys in any order.
//!
//! Structure is followed byte by byte only as far as needed to find `video_data`; every other value is collected and
//! read by `serde_json` as soon as it is complete, so that at most one of them is held as text.

use std::io::{self, Write};

use super::fields::{Fields, read};
use super::video::VideoText;
use super::{DEPTH_MAX, FIELDS_MAX_BYTES, clip_body_max_bytes, event_too_long, refused};
use crate::answer::Refusal;
use crate::record::{Clip, Event};

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
    AfterValue,
    End,
}

/// Parses into fields and, of a clip, a video that goes to `W`.
pub(crate) struct BodyParser<W> {
    state: State,
    /// The key or value being collected, as raw JSON.
    raw: Vec<u8>,
    key: String,
    fields: Fields,
    /// Bytes beside the video.
    collected: usize,
    /// `None` of an event, where `video_data` is a field like others.
    video: Option<VideoText<W>>,
    total_bytes: u64,
    total_max_bytes: u64,
}

impl BodyParser<io::Sink> {
    /// For an event.
    pub(crate) fn event() -> Self {
        Self::new(None, FIELDS_MAX_BYTES as u64)
    }

    /// Ends the body.
    pub(crate) fn into_event(self) -> Result<Event, Refusal> {
        self.check_end()?;
        self.fields.into_event()
    }
}

impl<W: Write> BodyParser<W> {
    /// For a clip whose video goes to `out`, unless it is longer than `clip_max_bytes`.
    pub(crate) fn clip(out: W, clip_max_bytes: u64) -> Self {
        let video = VideoText::new(out, clip_max_bytes);
        Self::new(Some(video), clip_body_max_bytes(clip_max_bytes))
    }

    /// Ends the body: the clip, and where its video went.
    pub(crate) fn into_clip(self) -> Result<(Clip, W), Refusal> {
        let (fields, out) = self.into_fields()?;
        Ok((fields.into_clip()?, out))
    }

    pub(super) fn into_fields(self) -> Result<(Fields, W), Refusal> {
        self.check_end()?;
        let out = self
            .video
            .and_then(VideoText::into_inner)
            .ok_or_else(|| Refusal::bad("video_data: champ manquant"))?;
        Ok((self.fields, out))
    }
}

impl<W> BodyParser<W> {
    fn new(video: Option<VideoText<W>>, total_max_bytes: u64) -> Self {
        Self {
            state: State::Start,
            raw: Vec::new(),
            key: String::new(),
            fields: Fields::default(),
            collected: 0,
            video,
            total_bytes: 0,
            total_max_bytes,
        }
    }

    fn check_end(&self) -> Result<(), Refusal> {
        if self.state == State::End {
            Ok(())
        } else {
            Err(Refusal::bad("JSON invalide: le corps est incomplet"))
        }
    }
}

impl<W: Write> BodyParser<W> {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(byte) = bytes.first().copied() {
            match &mut self.video {
                Some(video) if self.state == State::Video => match video.take(bytes)? {
                    None => return Ok(()),
                    Some(rest) => {
                        bytes = rest;
                        self.state = State::AfterValue;
                    }
                },
                _ => {
                    if self.step(byte).map_err(refused)? {
                        bytes = &bytes[1..];
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes one byte; `false` when it is to be looked at again in the new state.
    fn step(&mut self, byte: u8) -> Result<bool, Refusal> {
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
                        self.key = read(self.raw_text()?)?;
                        self.raw = Vec::new();
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
            State::AfterValue if byte == b',' => self.state = State::NextKey,
            State::AfterValue if byte == b'}' => self.state = State::End,
            _ if space => {}
            _ => return Err(wrong(format!("octet {byte:#04x} inattendu"))),
        }
        Ok(true)
    }

    fn start_value(&mut self, byte: u8) -> Result<bool, Refusal> {
        match &self.video {
            Some(video) if self.key == VIDEO => {
                if byte != b'"' {
                    return Err(Refusal::bad("video_data: un texte est attendu"));
                }
                if video.is_complete() {
                    return Err(Refusal::bad("video_data: présent deux fois"));
                }
                self.state = State::Video;
                Ok(true)
            }
            _ => {
                self.state = State::Value {
                    depth: 0,
                    in_string: false,
                    escaped: false,
                };
                Ok(false)
            }
        }
    }

    /// Follows a value to its end: the quote, bracket or brace that closes it, or what comes after a bare word.
    fn value(&mut self, byte: u8, depth: u32, in_string: bool, escaped: bool) -> Result<bool, Refusal> {
        let ends_word = matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        if depth == 0 && !in_string && !self.raw.is_empty() && ends_word {
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
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth >= DEPTH_MAX {
                    return Err(wrong(format!("plus de {DEPTH_MAX} niveaux")));
                }
            }
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

    fn end_value(&mut self) -> Result<(), Refusal> {
        let raw = std::mem::take(&mut self.raw);
        let key = std::mem::take(&mut self.key);
        self.fields.set(&key, &raw)?;
        self.state = State::AfterValue;
        Ok(())
    }

    fn collect(&mut self, byte: u8) -> Result<(), Refusal> {
        self.collected += 1;
        if self.collected > FIELDS_MAX_BYTES {
            return Err(match self.video {
                Some(_) => Refusal::too_long(format!("plus de {FIELDS_MAX_BYTES} octets en plus de video_data")),
                None => event_too_long(),
            });
        }
        self.raw.push(byte);
        Ok(())
    }

    fn raw_text(&self) -> Result<&str, Refusal> {
        std::str::from_utf8(&self.raw).map_err(|error| wrong(error.to_string()))
    }
}

impl<W: Write> Write for BodyParser<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Also white space without end is an end: what unpacks to it costs the sender nothing.
        self.total_bytes += bytes.len() as u64;
        if self.total_bytes > self.total_max_bytes {
            return Err(refused(match self.video {
                Some(_) => Refusal::too_long("corps trop long"),
                None => event_too_long(),
            }));
        }
        self.take(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wrong(reason: String) -> Refusal {
    Refusal::bad(format!("JSON invalide: {reason}"))
}
