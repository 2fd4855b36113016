//! Unpacking bodies as they arrive: what comes in packed goes on plain.

mod window_budget;
mod zstd;

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

pub(crate) use window_budget::WindowBudget;
use zstd::Zstd;

/// The packings that are taken, as `Accept-Encoding` says them (RFC 7694).
pub(crate) const ACCEPTED: &str = "gzip, zstd";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// The packing of a `Content-Encoding` in lower case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Unpacks into `W`, step by step: `W` is asked before more comes out, so that a small body can't fill the memory.
pub(crate) enum Decoder<W: Write> {
    Plain(W),
    Gzip(Box<MultiGzDecoder<W>>),
    Zstd(Box<Zstd<W>>),
}

impl<W: Write> Decoder<W> {
    pub(crate) fn new(packing: Option<Packing>, windows: &WindowBudget, out: W) -> io::Result<Self> {
        Ok(match packing {
            None => Self::Plain(out),
            Some(Packing::Gzip) => Self::Gzip(Box::new(MultiGzDecoder::new(out))),
            Some(Packing::Zstd) => Self::Zstd(Box::new(Zstd::new(windows.clone(), out)?)),
        })
    }

    /// Takes the next bytes of the body.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
            Self::Zstd(decoder) => decoder.push(bytes),
        }
    }

    /// Ends the body and gives back where it went; an error when the packed body is not complete.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pack(packing: Packing, bytes: &[u8]) -> Vec<u8> {
        match packing {
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => {
                let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
                encoder.include_checksum(true).unwrap();
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    /// Unpacks in pieces of the given sizes, over and over.
    fn unpack(packing: Packing, body: &[u8], cuts: &[usize]) -> Option<Vec<u8>> {
        let mut decoder = Decoder::new(Some(packing), &WindowBudget::default(), Vec::new()).unwrap();
        let (mut rest, mut cuts) = (body, cuts.iter().cycle());
        while !rest.is_empty() {
            let cut = cuts.next().copied().unwrap_or(1).min(rest.len());
            decoder.push(&rest[..cut]).ok()?;
            rest = &rest[cut..];
        }
        decoder.finish().ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_cut_unpacks_the_same_and_no_prefix_passes_for_the_whole(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3_000), 1_usize..5), 1..4),
            packing in prop_oneof![Just(Packing::Gzip), Just(Packing::Zstd)],
            cuts in prop::collection::vec(1_usize..500, 1..6),
            kept in 0.0_f64..1.0,
        ) {
            let (mut body, mut plain, mut ends) = (Vec::new(), Vec::new(), vec![]);
            for (part, repeats) in parts {
                let part = part.repeat(repeats);
                body.extend(pack(packing, &part));
                plain.extend(part);
                ends.push(body.len());
            }
            prop_assert_eq!(unpack(packing, &body, &cuts), Some(plain));
            let kept = (body.len() as f64 * kept) as usize;
            if !ends.contains(&kept) {
                prop_assert_eq!(unpack(packing, &body[..kept], &cuts), None);
            }
        }
    }
}
