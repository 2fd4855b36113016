//! Packing of clips: base64 costs a third more bytes, Huffman coding alone takes it back.

use std::io::{self, Read};

use miniz_oxide::deflate::core::{CompressionStrategy, CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZError, MZFlush, MZStatus};

/// Bytes of body packed at a time.
const INPUT: usize = 64 << 10;

/// Window of zstd as a power of two: base64 of video has no repetitions worth a larger one.
const ZSTD_WINDOW_LOG: u32 = 17;

/// zstd at its fastest level that codes literals.
const ZSTD_LEVEL: i32 = 1;

/// `inner` packed by zstd.
///
/// # Errors
/// The library refuses its parameters.
pub(super) fn zstd<R: Read>(inner: R) -> io::Result<impl Read> {
    let mut encoder = zstd::stream::read::Encoder::new(inner, ZSTD_LEVEL)?;
    encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// `inner` packed by gzip (RFC 1952) with Huffman codes only.
pub(super) struct Gzip<R> {
    inner: R,
    compressor: CompressorOxide,
    input: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    sum: crc32fast::Hasher,
    length: u32,
    /// Header or trailer bytes that are ready.
    framing: Vec<u8>,
    at: usize,
    finished: bool,
}

impl<R: Read> Gzip<R> {
    /// Packs `inner`.
    pub(super) fn new(inner: R) -> Self {
        // Raw deflate (negative window bits): the framing is gzip's, not zlib's.
        let flags = create_comp_flags_from_zip_params(1, -15, CompressionStrategy::HuffmanOnly as i32);
        Self {
            inner,
            compressor: CompressorOxide::new(flags),
            input: vec![0; INPUT],
            from: 0,
            to: 0,
            ended: false,
            sum: crc32fast::Hasher::new(),
            length: 0,
            // Magic, deflate, no flags, no time, fastest, unknown system.
            framing: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255],
            at: 0,
            finished: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.from == self.to && !self.ended {
            self.from = 0;
            self.to = self.inner.read(&mut self.input)?;
            self.ended = self.to == 0;
            self.sum.update(&self.input[..self.to]);
            // The trailer holds the length modulo 2^32.
            self.length = self.length.wrapping_add(self.to as u32);
        }
        Ok(())
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if out.is_empty() {
                return Ok(0);
            }
            if self.at < self.framing.len() {
                let count = out.len().min(self.framing.len() - self.at);
                out[..count].copy_from_slice(&self.framing[self.at..self.at + count]);
                self.at += count;
                return Ok(count);
            }
            if self.finished {
                return Ok(0);
            }
            self.fill()?;
            let flush = if self.ended { MZFlush::Finish } else { MZFlush::None };
            let step = deflate(&mut self.compressor, &self.input[self.from..self.to], out, flush);
            self.from += step.bytes_consumed;
            match step.status {
                Ok(MZStatus::StreamEnd) => {
                    self.finished = true;
                    self.framing = self.sum.clone().finalize().to_le_bytes().to_vec();
                    self.framing.extend_from_slice(&self.length.to_le_bytes());
                    self.at = 0;
                }
                // No room or no input: the next turn brings one of them.
                Ok(_) | Err(MZError::Buf) => {}
                Err(error) => return Err(io::Error::other(format!("gzip: {error:?}"))),
            }
            if step.bytes_written > 0 {
                return Ok(step.bytes_written);
            }
        }
    }
}
