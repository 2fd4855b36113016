//! Unpacking bodies as they arrive: what comes in packed goes on plain.

use std::io::{self, Write};

use zstd::stream::raw::{InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

/// The packings that are taken, as `Accept-Encoding` says them (RFC 7694).
pub const ACCEPTED: &str = "gzip, zstd";

/// Largest window of zstd, as a power of two: it is the memory a sender can make us use. 8 MB is what RFC 9659 has
/// every sender keep to.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacked bytes handed on at a time.
const STEP: usize = 64 << 10;

/// Unpacks into `W`, step by step: `W` is asked before more comes out, so that a small body can't fill the memory.
pub enum Decoder<W: Write> {
    /// Not packed.
    Plain(W),
    /// gzip (RFC 1952).
    Gzip(Box<flate2::write::MultiGzDecoder<W>>),
    /// zstd (RFC 8878).
    Zstd(Box<Zstd<W>>),
}

/// Unpacks zstd frames, one after the other.
pub struct Zstd<W> {
    decoder: zstd::stream::raw::Decoder<'static>,
    buffer: Vec<u8>,
    out: W,
    complete: bool,
}

impl<W: Write> Decoder<W> {
    /// Whether a packing is one of ours.
    #[must_use]
    pub fn knows(encoding: &str) -> bool {
        matches!(encoding, "gzip" | "x-gzip" | "zstd")
    }

    /// A decoder for a packing that is one of ours, or for none.
    ///
    /// # Errors
    /// The packing is not known, or its library refuses.
    pub fn new(encoding: Option<&str>, out: W) -> io::Result<Self> {
        Ok(match encoding {
            None => Decoder::Plain(out),
            Some("gzip" | "x-gzip") => Decoder::Gzip(Box::new(flate2::write::MultiGzDecoder::new(out))),
            Some("zstd") => Decoder::Zstd(Box::new(Zstd::new(out)?)),
            Some(other) => {
                let reason = format!("{other} is not one of {ACCEPTED}");
                return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
            }
        })
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// They can't be unpacked, or `W` refuses what comes out.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Decoder::Plain(out) => out.write_all(bytes),
            Decoder::Gzip(decoder) => decoder.write_all(bytes),
            Decoder::Zstd(decoder) => decoder.push(bytes),
        }
    }

    /// Ends the body and gives back where it went.
    ///
    /// # Errors
    /// The packed body is not complete.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Decoder::Plain(out) => Ok(out),
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Zstd(decoder) if decoder.complete => Ok(decoder.out),
            Decoder::Zstd(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "incomplete frame")),
        }
    }
}

impl<W: Write> Zstd<W> {
    fn new(out: W) -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        Ok(Self {
            decoder,
            buffer: vec![0; STEP],
            out,
            complete: false,
        })
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        let mut more = !bytes.is_empty();
        while more {
            let mut output = OutBuffer::around(self.buffer.as_mut_slice());
            self.complete = self.decoder.run(&mut input, &mut output)? == 0;
            let count = output.pos();
            self.out.write_all(&self.buffer[..count])?;
            // A full buffer may have left something behind, unless a frame ended with it.
            more = input.pos() < bytes.len() || (count == STEP && !self.complete);
        }
        Ok(())
    }
}
