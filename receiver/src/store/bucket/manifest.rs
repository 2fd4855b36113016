//! Which objects the bytes of a video are in.

use std::fmt::{self, Write};
use std::ops::Range;

/// A run of a video's bytes: an object, or its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Random, one for each who writes: two of them never overwrite each other's bytes.
    pub(super) writer: u64,
    /// Where in the video it begins.
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Piece {
    /// The object's name in the video's folder. Names sort by offset.
    pub(super) fn object(&self) -> String {
        format!("{:012x}-{:016x}", self.offset, self.writer)
    }
}

/// Pieces in their order, without gaps. As text `writer=length,length*times;writer=…`, the writer in hexadecimal: a clip of
/// a gigabyte that one has written in full pieces needs thirty characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Manifest {
    pieces: Vec<Piece>,
    bytes: u64,
}

impl Manifest {
    pub(in crate::store) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn push(&mut self, writer: u64, bytes: u64) {
        let offset = self.bytes;
        self.pieces.push(Piece { writer, offset, bytes });
        self.bytes += bytes;
    }

    /// The first bytes, or all where there are fewer.
    pub(super) fn truncated(&self, bytes: u64) -> Self {
        let mut first = Self::default();
        for piece in &self.pieces {
            let wanted = bytes.saturating_sub(piece.offset).min(piece.bytes);
            if wanted > 0 {
                first.push(piece.writer, wanted);
            }
        }
        first
    }

    /// The objects with these bytes, each with the range in it.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Piece, Range<u64>)> + '_ {
        let from = self
            .pieces
            .partition_point(|piece| piece.offset + piece.bytes <= range.start);
        let found = self.pieces.iter().skip(from);
        found
            .take_while(move |piece| piece.offset < range.end)
            .map(move |piece| {
                let end = (range.end - piece.offset).min(piece.bytes);
                (*piece, range.start.saturating_sub(piece.offset)..end)
            })
    }

    /// `None` for what is no manifest.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut manifest = Self::default();
        for group in text.split(';').filter(|group| !group.is_empty()) {
            let (writer, lengths) = group.split_once('=')?;
            let writer = u64::from_str_radix(writer, 16).ok()?;
            for length in lengths.split(',') {
                let (length, times) = length.split_once('*').unwrap_or((length, "1"));
                let (length, times) = (length.parse().ok()?, times.parse::<u32>().ok()?);
                for _ in 0..times {
                    manifest.bytes.checked_add(length)?;
                    manifest.push(writer, length);
                }
            }
        }
        Some(manifest)
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for run in self
            .pieces
            .chunk_by(|one, next| (one.writer, one.bytes) == (next.writer, next.bytes))
        {
            let Some(piece) = run.first() else { continue };
            match before {
                Some(writer) if writer == piece.writer => f.write_char(',')?,
                Some(_) => write!(f, ";{:x}=", piece.writer)?,
                None => write!(f, "{:x}=", piece.writer)?,
            }
            before = Some(piece.writer);
            write!(f, "{}", piece.bytes)?;
            if run.len() > 1 {
                write!(f, "*{}", run.len())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(pieces: &[(u64, u64)]) -> Manifest {
        let mut manifest = Manifest::default();
        for (writer, bytes) in pieces {
            manifest.push(*writer, *bytes);
        }
        manifest
    }

    #[test]
    fn a_manifest_is_short_text() {
        let first = manifest(&[(0xab, 4), (0xab, 4), (0xab, 1), (7, 4), (7, 4), (0xab, 4)]);
        assert_eq!(first.to_string(), "ab=4*2,1;7=4*2;ab=4");
        assert_eq!(Manifest::default().to_string(), "");
        for text in [
            "x",
            "ab",
            "ab=",
            "ab=4,",
            "ab=-1",
            "zz=4",
            "ab=4*",
            "ab=4*-1",
            "1=18446744073709551615*2",
        ] {
            assert_eq!(Manifest::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_ranges_keep_every_byte(
            pieces in prop::collection::vec((0..4_u64, 1..9_u64), 0..20),
            cut in 0..120_u64,
            range in (0..120_u64, 0..40_u64),
        ) {
            let all = manifest(&pieces);
            prop_assert_eq!(Manifest::parse(&all.to_string()), Some(all.clone()));
            let first = all.truncated(cut);
            prop_assert_eq!(first.bytes(), cut.min(all.bytes()));
            // Each byte by where it is.
            let place = |manifest: &Manifest| -> Vec<(String, u64)> {
                manifest.pieces().iter().flat_map(|piece| (0..piece.bytes).map(|at| (piece.object(), at))).collect()
            };
            let everywhere = place(&all);
            prop_assert_eq!(&place(&first)[..], &everywhere[..usize::try_from(first.bytes()).unwrap()]);
            let (from, to) = (range.0, range.0 + range.1);
            let found: Vec<_> = all
                .within(from..to)
                .flat_map(|(piece, inner)| inner.map(move |at| (piece.object(), at)))
                .collect();
            let clamp = |at: u64| usize::try_from(at.min(all.bytes())).unwrap();
            prop_assert_eq!(&found[..], &everywhere[clamp(from)..clamp(to)]);
        }
    }
}
