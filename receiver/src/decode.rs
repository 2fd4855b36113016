//! Unpacking bodies as they arrive: what comes in packed goes on plain.

use std::io::{self, Write};

/// The packings that are taken, as `Accept-Encoding` says them (RFC 7694).
pub const ACCEPTED: &str = "gzip, zstd";

/// Largest window of zstd, as a power of two: it is the memory a sender can make us use.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Unpacks into `W`.
pub enum Decoder<W: Write> {
    /// Not packed.
    Plain(W),
    /// gzip (RFC 1952).
    Gzip(Box<flate2::write::GzDecoder<W>>),
    /// zstd (RFC 8878).
    Zstd(Box<zstd::stream::write::Decoder<'static, W>>),
}

impl<W: Write> Decoder<W> {
    /// A decoder for a `Content-Encoding`; `None` when it is not one of ours.
    ///
    /// # Errors
    /// The library refuses.
    pub fn new(encoding: Option<&str>, out: W) -> io::Result<Option<Self>> {
        Ok(match encoding.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Some(Decoder::Plain(out)),
            Some("gzip" | "x-gzip") => Some(Decoder::Gzip(Box::new(flate2::write::GzDecoder::new(out)))),
            Some("zstd") => {
                let mut decoder = zstd::stream::write::Decoder::new(out)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Some(Decoder::Zstd(Box::new(decoder)))
            }
            Some(_) => None,
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
            Decoder::Zstd(decoder) => decoder.write_all(bytes),
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
            Decoder::Zstd(mut decoder) => {
                decoder.flush()?;
                Ok(decoder.into_inner())
            }
        }
    }

    /// Where the unpacked bytes go.
    pub fn get_mut(&mut self) -> &mut W {
        match self {
            Decoder::Plain(out) => out,
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Zstd(decoder) => decoder.get_mut(),
        }
    }
}
