//! Clips: a few files, each time with a last box of its own, so that no two clips of a run have the same bytes.

use std::collections::VecDeque;
use std::path::PathBuf;

use hyper::body::Bytes;
use sha2::{Digest, Sha256};

/// Bytes of a clip when no file is given.
const MADE_BYTES: usize = 300_000;

/// Longest file: all of them are held in memory.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// Bytes of a clip that leave at a time.
const PIECE_BYTES: usize = 64 << 10;

/// The files, read once.
pub(crate) struct Films(Vec<Film>);

struct Film {
    bytes: Bytes,
    hash: Sha256,
}

/// A clip of a device.
#[derive(Clone)]
pub(crate) struct Clip {
    file: Bytes,
    last_box: Bytes,
    hash: Sha256,
}

impl Films {
    /// # Errors
    /// A file that can't be read, or is too long.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, String> {
        let mut films = Vec::new();
        for path in paths {
            let wrong = |why: &dyn std::fmt::Display| format!("--clip {}: {why}", path.display());
            let length = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
            if length > FILE_MAX_BYTES {
                return Err(wrong(&format!("more than {FILE_MAX_BYTES} bytes")));
            }
            films.push(Film::new(std::fs::read(path).map_err(|error| wrong(&error))?));
        }
        if films.is_empty() {
            let mut random = fastrand::Rng::with_seed(0);
            films.push(Film::new((0..MADE_BYTES).map(|_| random.u8(..)).collect()));
        }
        Ok(Self(films))
    }

    /// The clip of this number of a device: always the same.
    pub(crate) fn clip(&self, run: &str, device: u32, number: u32) -> Clip {
        let film = &self.0[(device as usize + number as usize) % self.0.len()];
        let says = format!("sync-fleet {run} {device} {number}");
        // A box of MP4 that players pass over.
        let mut last_box = u32::try_from(8 + says.len()).unwrap_or(8).to_be_bytes().to_vec();
        last_box.extend_from_slice(b"free");
        last_box.extend_from_slice(says.as_bytes());
        let mut hash = film.hash.clone();
        hash.update(&last_box);
        Clip {
            file: film.bytes.clone(),
            last_box: last_box.into(),
            hash,
        }
    }
}

impl Film {
    fn new(bytes: Vec<u8>) -> Self {
        let mut hash = Sha256::new();
        hash.update(&bytes);
        Self {
            bytes: bytes.into(),
            hash,
        }
    }
}

impl Clip {
    pub(crate) fn len(&self) -> u64 {
        (self.file.len() + self.last_box.len()) as u64
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// What comes from `offset` on, in pieces, without a copy.
    pub(crate) fn pieces(&self, offset: u64) -> VecDeque<Bytes> {
        let mut pieces = VecDeque::new();
        let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for part in [&self.file, &self.last_box] {
            let mut left = part.slice(skip.min(part.len())..);
            skip = skip.saturating_sub(part.len());
            while !left.is_empty() {
                pieces.push_back(left.split_to(left.len().min(PIECE_BYTES)));
            }
        }
        pieces
    }

    /// SHA-256 of the first bytes.
    pub(crate) fn prefix_sha256(&self, length: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        for part in [&self.file, &self.last_box] {
            let take = left.min(part.len());
            hash.update(&part[..take]);
            left -= take;
        }
        hash.finalize().into()
    }

    /// All of it, for a server that takes it in JSON alone.
    pub(crate) fn whole(&self) -> Vec<u8> {
        [&self.file[..], &self.last_box[..]].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_the_same_in_one_and_in_pieces_and_like_no_other() {
        let films = Films::read(&[]).unwrap();
        let (clip, other) = (films.clip("run", 1, 2), films.clip("run", 2, 1));
        assert_ne!(clip.sha256(), other.sha256());
        let whole = clip.whole();
        assert_eq!(clip.sha256(), <[u8; 32]>::from(Sha256::digest(&whole)));
        for offset in [0, 1, PIECE_BYTES as u64, 299_999, 300_000, 300_001, clip.len()] {
            let pieces: Vec<u8> = clip.pieces(offset).iter().flat_map(|piece| piece.to_vec()).collect();
            let offset_index = usize::try_from(offset).unwrap();
            assert_eq!(pieces, whole[offset_index..], "{offset}");
            let digest = Sha256::digest(&whole[..offset_index]);
            assert_eq!(clip.prefix_sha256(offset), <[u8; 32]>::from(digest), "{offset}");
        }
    }
}
