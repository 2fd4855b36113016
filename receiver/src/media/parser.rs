//! The one JSON object of `POST /api/media`, in pieces of any size, its keys in any order.
//!
//! Strings and structure are followed byte by byte only as far as needed to find `video_data`; every other value is
//! collected whole and left to `serde_json`.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::{Base64Sink, refused};
use crate::answer::Refusal;

/// All fields but the video together.
const FIELDS_MOST: usize = 64 << 10;

/// What surrounds a video may be this much longer than its base64.
const AROUND_MOST: u64 = 1 << 20;

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
    VideoUnicode,
    AfterValue,
    End,
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
            total_most: most.div_ceil(3).saturating_mul(4).saturating_add(AROUND_MOST),
        }
    }

    /// Ends the body: its fields, where the video went, and the video's length.
    ///
    /// # Errors
    /// 400 when the body is not one complete object with a video.
    pub fn finish(self) -> Result<(Map<String, Value>, W, u64), Refusal> {
        if self.state != State::End {
            return Err(Refusal::bad("JSON invalide: le corps est incomplet"));
        }
        let bytes = self
            .video_bytes
            .ok_or_else(|| Refusal::bad("video_data: champ manquant"))?;
        Ok((self.fields, self.video.into_inner(), bytes))
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
                b'u' => self.state = State::VideoUnicode,
                _ => return Err(refused(Refusal::bad("video_data: base64 invalide"))),
            },
            State::VideoUnicode => {
                self.raw.push(byte);
                if self.raw.len() == 4 {
                    let code = std::str::from_utf8(&self.raw)
                        .ok()
                        .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                    let code = code.ok_or_else(|| refused(Refusal::bad("video_data: base64 invalide")))?;
                    self.raw.clear();
                    self.video.push(&[code])?;
                    self.state = State::Video;
                }
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
                "champs de plus de {FIELDS_MOST} octets en plus de video_data"
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

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use proptest::prelude::*;

    fn parse(body: &[u8], cuts: &[usize]) -> Result<(Map<String, Value>, Vec<u8>), String> {
        let mut parser = MediaParser::new(Vec::new(), 1 << 20);
        let mut rest = body;
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let cut = cuts.next().copied().unwrap_or(1).clamp(1, rest.len());
            parser.write_all(&rest[..cut]).map_err(|error| error.to_string())?;
            rest = &rest[cut..];
        }
        let (fields, video, bytes) = parser.finish().map_err(|refusal| refusal.reason)?;
        assert_eq!(bytes, video.len() as u64);
        Ok((fields, video))
    }

    fn arbitrary_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_in_any_pieces_is_what_serde_json_reads(
            values in prop::collection::vec((".{0,8}", arbitrary_value()), 0..5),
            video in prop::collection::vec(any::<u8>(), 0..300),
            place in 0_usize..6,
            pretty in any::<bool>(),
            cuts in prop::collection::vec(1_usize..40, 1..6),
        ) {
            let mut object = Map::new();
            let text = base64::engine::general_purpose::STANDARD.encode(&video);
            let mut values = values;
            values.retain(|(key, _)| key != VIDEO);
            values.insert(place.min(values.len()), (VIDEO.to_string(), Value::from(text)));
            for (key, value) in values {
                object.insert(key, value);
            }
            let value = Value::Object(object.clone());
            let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let (fields, decoded) = parse(&body, &cuts).unwrap();
            object.remove(VIDEO);
            prop_assert_eq!(fields, object);
            prop_assert_eq!(decoded, video);
        }

        #[test]
        fn nonsense_never_panics(body in prop::collection::vec(any::<u8>(), 0..200), cut in 1_usize..9) {
            let _ = parse(&body, &[cut]);
        }
    }

    #[test]
    fn escapes_in_the_video_are_understood() {
        let (_, video) = parse(br#"{"video_data":"\/\u002b8\u003D"}"#, &[3]).unwrap();
        assert_eq!(video, base64::engine::general_purpose::STANDARD.decode("/+8=").unwrap());
    }

    #[test]
    fn wrong_bodies_are_refused_with_their_reason() {
        for (body, reason) in [
            ("", "incomplet"),
            ("[]", "inattendu"),
            ("{", "incomplet"),
            (r#"{"video_data":"AAAA""#, "incomplet"),
            (r#"{"a":1}"#, "video_data: champ manquant"),
            (r#"{"video_data":7}"#, "video_data: un texte"),
            (r#"{"video_data":"AAA"}"#, "base64 invalide"),
            (r#"{"video_data":"AA=="x}"#, "inattendu"),
            (r#"{"video_data":"AA==AAAA"}"#, "base64 invalide"),
            (r#"{"video_data":"A A="}"#, "base64 invalide"),
            (r#"{"video_data":"é==="}"#, "base64 invalide"),
            (r#"{"video_data":"","video_data":""}"#, "deux fois"),
            (r#"{"a":tru,"video_data":""}"#, "JSON invalide"),
            (r#"{"a":1 2,"video_data":""}"#, "inattendu"),
            (r#"{"a":]}"#, "fermante"),
            (r#"{"video_data":"",}"#, "inattendu"),
            (r#"{"video_data":""} x"#, "inattendu"),
        ] {
            let error = parse(body.as_bytes(), &[1]).unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn there_is_a_limit_on_everything() {
        let long = format!(r#"{{"a":"{}","video_data":""}}"#, "x".repeat(FIELDS_MOST));
        assert!(parse(long.as_bytes(), &[4_096]).unwrap_err().contains("champs de plus"));
        let video = format!(r#"{{"video_data":"{}"}}"#, "AAAA".repeat(400_000));
        assert!(
            parse(video.as_bytes(), &[4_096])
                .unwrap_err()
                .contains("video_data: plus de")
        );
        let spaces = " ".repeat(3 << 20);
        assert!(parse(spaces.as_bytes(), &[65_536]).unwrap_err().contains("trop long"));
    }
}
