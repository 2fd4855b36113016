//! The text of `video_data`: base64 in a JSON string, passed on in runs rather than byte by byte.

use std::io::{self, Write};

use super::base64_sink::{Base64Sink, invalid};

enum State {
    Text,
    Escape,
    /// `\u` and some of its four digits.
    Unicode {
        digits: u8,
        code: u8,
    },
}

/// Decodes into `W` what stands between two quotes.
pub(super) struct VideoText<W> {
    state: State,
    sink: Base64Sink<W>,
    /// The closing quote was there.
    complete: bool,
}

impl<W: Write> VideoText<W> {
    pub(super) fn new(out: W, max_bytes: u64) -> Self {
        Self {
            state: State::Text,
            sink: Base64Sink::new(out, max_bytes),
            complete: false,
        }
    }

    /// Takes text up to the closing quote and returns what stands behind it, or `None` before that.
    pub(super) fn take<'a>(&mut self, mut text: &'a [u8]) -> io::Result<Option<&'a [u8]>> {
        while let Some(byte) = text.first().copied() {
            if !matches!(self.state, State::Text) {
                self.escaped(byte)?;
                text = &text[1..];
                continue;
            }
            let run = text
                .iter()
                .position(|b| matches!(b, b'"' | b'\\'))
                .unwrap_or(text.len());
            self.sink.push(&text[..run])?;
            let end = text.get(run).copied();
            text = text.get(run + 1..).unwrap_or_default();
            match end {
                None => {}
                Some(b'"') => {
                    self.sink.finish()?;
                    self.complete = true;
                    return Ok(Some(text));
                }
                Some(_) => self.state = State::Escape,
            }
        }
        Ok(None)
    }

    fn escaped(&mut self, byte: u8) -> io::Result<()> {
        self.state = match self.state {
            State::Escape if byte == b'u' => State::Unicode { digits: 0, code: 0 },
            State::Escape if byte == b'/' => {
                self.sink.push(b"/")?;
                State::Text
            }
            State::Unicode { digits, code } => {
                let digit = char::from(byte).to_digit(16);
                // What base64 is made of fits into a byte: the overflow of another character is an error too.
                let code = digit.and_then(|digit| code.checked_mul(16)?.checked_add(u8::try_from(digit).ok()?));
                let code = code.ok_or_else(invalid)?;
                if digits == 3 {
                    self.sink.push(&[code])?;
                    State::Text
                } else {
                    State::Unicode {
                        digits: digits + 1,
                        code,
                    }
                }
            }
            State::Text | State::Escape => return Err(invalid()),
        };
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Where the video went; `None` when it never ended.
    pub(super) fn into_inner(self) -> Option<W> {
        self.complete.then(|| self.sink.into_inner())
    }
}
