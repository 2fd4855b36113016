//! zstd frames, one after the other (RFC 8878).

use std::io::{self, Write};

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

use super::window_budget::{Reservation, WindowBudget};
use crate::json::refused;

/// Largest window, as a power of two: 8 MB is what RFC 9659 has every sender keep to.
const WINDOW_LOG_MAX: u32 = 23;

/// Unpacked bytes handed on at a time.
const STEP_BYTES: usize = 64 << 10;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Unpacks into `W`.
pub(crate) struct Zstd<W> {
    decoder: Decoder<'static>,
    buffer: Vec<u8>,
    out: W,
    /// Between two frames.
    complete: bool,
    any: bool,
    /// Start of a frame whose window is not known yet.
    header: Vec<u8>,
    windows: WindowBudget,
    reservation: Option<(u64, Reservation)>,
}

impl<W: Write> Zstd<W> {
    pub(super) fn new(windows: WindowBudget, out: W) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self {
            decoder,
            buffer: vec![0; STEP_BYTES],
            out,
            complete: true,
            any: false,
            header: Vec::new(),
            windows,
            reservation: None,
        })
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.complete {
                let (byte, rest) = (bytes[0], &bytes[1..]);
                bytes = rest;
                self.header.push(byte);
                if let Some(window_bytes) = window_bytes(&self.header) {
                    self.reserve(window_bytes)?;
                    let header = std::mem::take(&mut self.header);
                    self.unpack(&header)?;
                }
            } else {
                let taken = self.unpack(bytes)?;
                bytes = &bytes[taken..];
            }
        }
        Ok(())
    }

    /// Before the decoder takes the memory.
    fn reserve(&mut self, window_bytes: u64) -> io::Result<()> {
        let held = self.reservation.as_ref().map_or(0, |(bytes, _)| *bytes);
        // A window that is too large is the decoder's to refuse.
        if window_bytes > held && window_bytes <= 1 << WINDOW_LOG_MAX {
            self.reservation = None;
            self.reservation = Some((window_bytes, self.windows.reserve(window_bytes).map_err(refused)?));
        }
        Ok(())
    }

    /// Unpacks up to the end of a frame, and says how many bytes it took.
    fn unpack(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.any = true;
        self.complete = false;
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(self.buffer.as_mut_slice());
            self.complete = self.decoder.run(&mut input, &mut output)? == 0;
            let count = output.pos();
            self.out.write_all(&self.buffer[..count])?;
            // A full buffer may have left something behind, unless a frame ended with it.
            let more = input.pos() < bytes.len() || count == STEP_BYTES;
            if self.complete || !more {
                return Ok(input.pos());
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        if self.any && self.complete && self.header.is_empty() {
            Ok(self.out)
        } else {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete frame"))
        }
    }
}

/// The window that a frame asks for, as soon as its start says so; 0 when it is not a frame with content.
fn window_bytes(start: &[u8]) -> Option<u64> {
    let known = start.len().min(MAGIC.len());
    if start[..known] != MAGIC[..known] {
        return Some(0);
    }
    let descriptor = *start.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = *start.get(5)?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // A single segment: its window is its content.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let size = start.get(5 + dictionary..5 + dictionary + length)?;
    let bytes = size.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(if length == 2 { bytes + 256 } else { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_read_from_the_first_bytes_of_a_frame() {
        for (level, window_log) in [(1, 17), (3, 20), (19, 23)] {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).unwrap();
            encoder.window_log(window_log).unwrap();
            encoder.write_all(&vec![7; 9 << 20]).unwrap();
            let frame = encoder.finish().unwrap();
            assert_eq!(window_bytes(&frame), Some(1 << window_log));
            assert_eq!(window_bytes(&frame[..5]), None);
        }
        for length in [0, 1, 255, 256, 300, 65_535, 65_792, 500_000] {
            let frame = zstd::bulk::compress(&vec![7; length], 1).unwrap();
            assert_eq!(window_bytes(&frame), Some(length as u64), "{length}");
        }
        assert_eq!(window_bytes(b"{"), Some(0));
        assert_eq!(window_bytes(&[0x50, 0x2a, 0x4d, 0x18]), Some(0));
    }
}
