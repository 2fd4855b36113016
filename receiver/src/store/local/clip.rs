//! A clip from its first byte to its row.
//!
//! `incoming/NAME.part` is written and synced; an empty `incoming/NAME` says that the file is about to have a row; the
//! file moves to `clips/NAME`; the row is committed; `incoming/NAME` goes. So no row is ever without its file, and after
//! a crash `incoming/` alone says what is to be looked at, however many clips there are. A file that gets no row is
//! durably gone from `clips/` before its mark goes: after a power cut nothing else would lead to it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::Access;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::rows::ClipFile;
use super::{StoreError, modes, sync_folder};
use crate::store::Clip;

const WRITE_BUFFER: usize = 64 << 10;

/// Bytes after which the disk is made to keep up: a large clip must not be synced all at once at its end, while its
/// sender waits for the answer.
const SYNC_EVERY: u64 = 64 << 20;

/// Suffix of a clip that is not complete.
const PART: &str = "part";

/// How often it is tried, at most, whether writing works again. Who asks for the health may ask more often.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The two folders.
pub struct Folders {
    incoming: PathBuf,
    clips: PathBuf,
    /// Why the last clip could not be written, and when that was found, unless one could since.
    trouble: Mutex<Option<(StoreError, Option<Instant>)>>,
}

impl Folders {
    /// Makes what is missing below `folder`.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folders = Self {
            incoming: folder.join("incoming"),
            clips: folder.join("clips"),
            trouble: Mutex::new(None),
        };
        for path in [&folders.incoming, &folders.clips] {
            modes::make_folder(path).map_err(StoreError::file(path))?;
        }
        Ok(folders)
    }

    /// Ends what a crash left half done: `has_row` tells whether a row names a file.
    pub fn recover(&self, has_row: impl Fn(&str) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        let mut done = Vec::new();
        let mut removed = false;
        for entry in fs::read_dir(&self.incoming).map_err(StoreError::file(&self.incoming))? {
            let path = entry.map_err(StoreError::file(&self.incoming))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_none_or(|extension| extension != PART) && !has_row(&name)? {
                remove(&self.clips.join(&name))?;
                removed = true;
                log::info!("removed {name}: its request did not end before the last stop");
            }
            done.push(path);
        }
        if removed {
            sync_folder(&self.clips)?;
        }
        done.iter().try_for_each(|path| remove(path))
    }

    /// Whether a clip could be stored: nothing is written to find out, unless the last one could not.
    pub fn check(&self) -> Result<(), StoreError> {
        for path in [&self.incoming, &self.clips] {
            let usable = rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK);
            usable.map_err(|error| StoreError::file(path)(error.into()))?;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.take() {
            None => Ok(()),
            Some((error, Some(probed))) if probed.elapsed() < PROBE_EVERY => {
                *trouble = Some((error.clone(), Some(probed)));
                Err(error)
            }
            Some(_) => self
                .probe()
                .inspect_err(|error| *trouble = Some((error.clone(), Some(Instant::now())))),
        }
    }

    /// Writes a file and removes it.
    fn probe(&self) -> Result<(), StoreError> {
        let path = self.incoming.join(format!("{}.{PART}", Uuid::now_v7()));
        let written = modes::new_file(&path).and_then(|mut file| {
            file.write_all(&[0; 4096])?;
            file.sync_data()
        });
        remove(&path)?;
        written.map_err(StoreError::file(&path))
    }

    /// Remembers why a clip could not be written, or that one could.
    fn written<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let error = result.as_ref().err().cloned();
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = error.map(|error| (error, None));
        result
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file(path)(error)),
        _ => Ok(()),
    }
}

/// A clip being written.
pub struct LocalClip {
    file: BufWriter<File>,
    part: Part,
    id: Uuid,
    hash: Sha256,
    start: Vec<u8>,
    unsynced: u64,
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
        let kept = io::Error::from(error.kind());
        let _ = self.folders.written::<()>(Err(StoreError::file(&self.path)(kept)));
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

impl LocalClip {
    /// Opens a new file.
    pub fn begin(folders: Arc<Folders>) -> Result<Self, StoreError> {
        // Version 7: names that sort by arrival.
        let id = Uuid::now_v7();
        let path = folders.incoming.join(format!("{id}.{PART}"));
        let file = modes::new_file(&path)
            .map_err(StoreError::file(&path))
            .or_else(|error| folders.written(Err(error)))?;
        Ok(Self {
            file: BufWriter::with_capacity(WRITE_BUFFER, file),
            part: Part {
                folders,
                path,
                moved: false,
            },
            id,
            hash: Sha256::new(),
            start: Vec::with_capacity(START),
            unsynced: 0,
        })
    }

    /// Makes the complete file durable in `clips/`, before a row names it.
    pub fn place(self) -> Result<Placed, StoreError> {
        let folders = Arc::clone(&self.part.folders);
        folders.written(self.into_place())
    }

    fn into_place(self) -> Result<Placed, StoreError> {
        let Self { file, mut part, .. } = self;
        let path = part.path.clone();
        let error = |error| StoreError::file(&path)(error);
        let file = file.into_inner().map_err(|failed| error(failed.into_error()))?;
        file.sync_all().map_err(error)?;

        let name = format!("{}.{}", self.id, extension(&self.start));
        let placed = Placed {
            mark: part.folders.incoming.join(&name),
            path: part.folders.clips.join(&name),
            clips: part.folders.clips.clone(),
            name,
            sha256: format!("{:x}", self.hash.finalize()),
        };
        let mut place = || {
            modes::new_file(&placed.mark).map_err(StoreError::file(&placed.mark))?;
            sync_folder(&part.folders.incoming)?;
            fs::rename(&path, &placed.path).map_err(error)?;
            part.moved = true;
            sync_folder(&part.folders.clips)
        };
        match place() {
            Ok(()) => Ok(placed),
            // No row was asked for yet: all of it is taken back.
            Err(error) => {
                placed.settle(false)?;
                Err(error)
            }
        }
    }
}

impl Clip for LocalClip {}

impl Write for LocalClip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes).map_err(|error| self.part.failed(error))?;
        let written = bytes.get(..count).unwrap_or_default();
        self.hash.update(written);
        let missing = START - self.start.len();
        self.start.extend(written.iter().take(missing));
        self.unsynced += count as u64;
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.file
                .get_ref()
                .sync_data()
                .map_err(|error| self.part.failed(error))?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A complete clip that waits for its row.
pub struct Placed {
    mark: PathBuf,
    path: PathBuf,
    clips: PathBuf,
    name: String,
    sha256: String,
}

impl Placed {
    /// What the row says of the file.
    pub fn file(&self, bytes: u64) -> ClipFile {
        ClipFile {
            name: self.name.clone(),
            size_bytes: bytes,
            sha256: self.sha256.clone(),
        }
    }

    /// The row is there, or will never be.
    pub fn settle(self, has_row: bool) -> Result<(), StoreError> {
        if !has_row {
            remove(&self.path)?;
            sync_folder(&self.clips)?;
        }
        remove(&self.mark)
    }
}

/// First bytes that tell what a clip is.
const START: usize = 12;

/// The ending of a clip's name, so that a click opens it: by its first bytes, since the contract does not say.
fn extension(start: &[u8]) -> &'static str {
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

    fn folders() -> (tempfile::TempDir, Arc<Folders>) {
        let data = tempfile::tempdir().unwrap();
        let folders = Arc::new(Folders::open(data.path()).unwrap());
        (data, folders)
    }

    #[test]
    fn a_clip_that_lost_its_race_keeps_its_mark_until_its_removal_is_durable() {
        let (_data, folders) = folders();
        let placed = LocalClip::begin(Arc::clone(&folders)).unwrap().place().unwrap();
        let mark = placed.mark.clone();
        // A folder that is gone can't be synced.
        fs::remove_dir_all(&folders.clips).unwrap();
        assert!(placed.settle(false).is_err());
        assert!(mark.exists());
    }

    #[test]
    fn a_start_after_a_crash_keeps_marks_until_the_removals_are_durable() {
        let (_data, folders) = folders();
        let placed = LocalClip::begin(Arc::clone(&folders)).unwrap().place().unwrap();
        let clips = folders.clips.with_extension("away");
        fs::rename(&folders.clips, &clips).unwrap();
        assert!(folders.recover(|_| Ok(false)).is_err());
        assert!(placed.mark.exists());
        fs::rename(&clips, &folders.clips).unwrap();
        folders.recover(|_| Ok(false)).unwrap();
        assert!(!placed.mark.exists() && !placed.path.exists());
    }

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
