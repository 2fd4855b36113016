//! A clip from its first byte to its place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Folders, PART, remove};
use crate::store::clips::ClipWriter;
use crate::store::row::StoredClip;
use crate::store::{StoreError, modes, sync_folder};

const WRITE_BUFFER_BYTES: usize = 64 << 10;

/// Bytes after which the disk is made to keep up: a large clip must not be synced all at once at its end, while its
/// sender waits for the answer.
const SYNC_EVERY_BYTES: u64 = 64 << 20;

/// First bytes that tell what a clip is.
pub(super) const START_BYTES: usize = 12;

pub(super) struct FileWriter {
    file: BufWriter<File>,
    part: Part,
    id: Uuid,
    hash: Sha256,
    start: Vec<u8>,
    size_bytes: u64,
    unsynced_bytes: u64,
}

/// The file of a clip that is not complete; removed when it is dropped.
struct Part {
    folders: Arc<Folders>,
    path: PathBuf,
    moved: bool,
}

impl Part {
    /// Remembers an error of the file.
    fn failed(&self, error: io::Error) -> io::Error {
        let _ = self.folders.written::<()>(Err(StoreError::file(&self.path)(&error)));
        error
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.moved {
            return;
        }
        if let Err(error) = remove(&self.path) {
            log::warn!("{error}");
        }
    }
}

impl FileWriter {
    pub(super) fn begin(folders: Arc<Folders>) -> Result<Self, StoreError> {
        // Version 7: names that sort by arrival.
        let id = Uuid::now_v7();
        let path = folders.incoming.join(format!("{id}.{PART}"));
        let file = modes::new_file(&path)
            .map_err(StoreError::file(&path))
            .or_else(|error| folders.written(Err(error)))?;
        Ok(Self {
            file: BufWriter::with_capacity(WRITE_BUFFER_BYTES, file),
            part: Part {
                folders,
                path,
                moved: false,
            },
            id,
            hash: Sha256::new(),
            start: Vec::with_capacity(START_BYTES),
            size_bytes: 0,
            unsynced_bytes: 0,
        })
    }

    /// Makes the complete file durable in `clips/`, before a row names it.
    pub(super) fn place(self) -> Result<StoredClip, StoreError> {
        let Self { file, mut part, .. } = self;
        let failed = |error: io::Error| StoreError::file(&part.path)(error);
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;

        let name = format!("{}.{}", self.id, extension(&self.start));
        match part.move_to(&name) {
            Ok(()) => Ok(StoredClip {
                name,
                size_bytes: self.size_bytes,
                sha256: format!("{:x}", self.hash.finalize()),
                manifest: String::new(),
            }),
            // No row was asked for yet: all of it is taken back.
            Err(error) => {
                part.folders.settle(&name, false)?;
                Err(error)
            }
        }
    }
}

impl Part {
    fn move_to(&mut self, name: &str) -> Result<(), StoreError> {
        let mark = self.folders.incoming.join(name);
        modes::new_file(&mark).map_err(StoreError::file(&mark))?;
        sync_folder(&self.folders.incoming)?;
        fs::rename(&self.path, self.folders.clips.join(name)).map_err(StoreError::file(&self.path))?;
        self.moved = true;
        sync_folder(&self.folders.clips)
    }
}

impl ClipWriter for FileWriter {
    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError> {
        let folders = Arc::clone(&self.part.folders);
        folders.written(self.place())
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes).map_err(|error| self.part.failed(error))?;
        let written = bytes.get(..count).unwrap_or_default();
        self.hash.update(written);
        let missing = START_BYTES - self.start.len();
        self.start.extend(written.iter().take(missing));
        self.size_bytes += count as u64;
        self.unsynced_bytes += count as u64;
        if self.unsynced_bytes >= SYNC_EVERY_BYTES {
            self.unsynced_bytes = 0;
            let synced = self.file.get_ref().sync_data();
            synced.map_err(|error| self.part.failed(error))?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The ending of a clip's name, so that a click opens it: by its first bytes, since the contract does not say.
pub(super) fn extension(start: &[u8]) -> &'static str {
    match start {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "mkv",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' '] => "avi",
        [0, 0, 0, 1, ..] | [0, 0, 1, ..] => "h264",
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_named_by_its_first_bytes() {
        for (start, expected) in [
            (&b"\0\0\0\x20ftypisom"[..], "mp4"),
            (b"\0\0\0\x01\x67\x42\0\x1f\0\0\0\0", "h264"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", "jpg"),
            (b"RIFF\x01\x02\x03\x04AVI ", "avi"),
            (b"", "bin"),
            (b"hello", "bin"),
        ] {
            assert_eq!(extension(start), expected);
        }
    }
}
