//! Packing of clips: base64 costs a third more bytes, Huffman coding alone takes it back.

use std::io::{self, Read};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Method, Status, Strategy};

/// Bytes of body packed at a time.
const INPUT_BYTES: usize = 64 << 10;

/// Window of zstd as a power of two: base64 of video has no repetitions worth a larger one.
const ZSTD_WINDOW_LOG: u32 = 17;

/// zstd at its fastest level that codes literals.
const ZSTD_LEVEL: i32 = 1;

/// The largest window, which Huffman coding alone does not look into (smaller ones are only moved more often), and 16
/// for gzip's framing instead of zlib's.
const GZIP_WINDOW_BITS: i32 = 15 + 16;

/// The largest blocks: each brings its codes along.
const GZIP_MEM_LEVEL: i32 = 9;

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
    deflate: Deflate,
    input: Vec<u8>,
    from: usize,
    to: usize,
    /// `inner` has no more.
    ended: bool,
    finished: bool,
}

impl<R: Read> Gzip<R> {
    /// Packs `inner`.
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            deflate: Deflate::new_with_config(DeflateConfig {
                level: 1,
                method: Method::Deflated,
                window_bits: GZIP_WINDOW_BITS,
                mem_level: GZIP_MEM_LEVEL,
                strategy: Strategy::HuffmanOnly,
            }),
            input: vec![0; INPUT_BYTES],
            from: 0,
            to: 0,
            ended: false,
            finished: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.from == self.to && !self.ended {
            self.from = 0;
            self.to = self.inner.read(&mut self.input)?;
            self.ended = self.to == 0;
        }
        Ok(())
    }

    /// One step of packing; the bytes it gave.
    fn step(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let flush = if self.ended {
            DeflateFlush::Finish
        } else {
            DeflateFlush::NoFlush
        };
        let before = (self.deflate.total_in(), self.deflate.total_out());
        let status = self
            .deflate
            .compress(&self.input[self.from..self.to], out, flush)
            .map_err(|error| io::Error::other(format!("gzip: {}", error.as_str())))?;
        self.finished = status == Status::StreamEnd;
        // Neither is more than the slices it was given.
        self.from += (self.deflate.total_in() - before.0) as usize;
        Ok((self.deflate.total_out() - before.1) as usize)
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while !self.finished {
            self.fill()?;
            let count = self.step(out)?;
            if count > 0 {
                return Ok(count);
            }
        }
        Ok(0)
    }
}
