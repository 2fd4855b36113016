//! Videos as files.
//!
//! `incoming/NAME.part` is written and synced; an empty `incoming/NAME` says that the file is about to have a row; the
//! file moves to `clips/NAME`; the row is committed; `incoming/NAME` goes. So no row is ever without its file, and after
//! a crash `incoming/` alone says what is to be looked at, however many clips there are.

mod owner;
mod parts;
mod shared;
mod writer;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Access, FlockOperation, flock};
use rustix::io::Errno;
use uuid::Uuid;

use super::clips::{ClipWriter, Clips, Leftovers};
use super::refusal::refused;
use super::{Pending, StoreError, blocking, modes, sync_folder};
use parts::{has_suffix, is_unfinished};
use shared::LEFT_AFTER;
use writer::FileWriter;

/// Suffix of a clip that is not complete.
const PART: &str = "part";

/// How often it is tried, at most, whether writing works again. Who asks for the health may ask more often.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// `clips/` and `incoming/` in a folder that no other process uses, or other receivers on the same database.
pub(super) struct FolderClips(Arc<Folders>);

/// A folder that no other receiver uses, which would take our clips on their way for leftovers; or no other one than
/// those that share it.
pub(super) struct FolderLock(#[expect(dead_code, reason = "the lock ends with it")] File);

impl FolderLock {
    /// Makes the folder if it is missing.
    pub(super) fn take(folder: &Path, kind: Use) -> Result<Self, StoreError> {
        modes::make_folder(folder).map_err(refused(folder))?;
        let lock = File::open(folder).map_err(refused(folder))?;
        let operation = match kind {
            Use::Alone => FlockOperation::NonBlockingLockExclusive,
            Use::Shared => FlockOperation::NonBlockingLockShared,
        };
        flock(&lock, operation).map_err(|error| match error {
            Errno::WOULDBLOCK => StoreError::Unavailable("another sync-receiver uses this folder".to_string()),
            error => StoreError::file(folder)(error),
        })?;
        modes::tighten(folder);
        lock.sync_all().map_err(StoreError::file(folder))?;
        sync_parent(folder)?;
        Ok(Self(lock))
    }
}

/// Who uses a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// One receiver, whose rows are in it too.
    Alone,
    /// All receivers on one database elsewhere.
    Shared,
}

struct Folders {
    incoming: PathBuf,
    clips: PathBuf,
    /// Why the last clip could not be written, and when that was found, unless one could since.
    trouble: Mutex<Option<(StoreError, Option<Instant>)>>,
    kind: Use,
    left_after: Duration,
}

impl FolderClips {
    /// Makes what is missing, and removes what a crash left incomplete.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let folders = Folders::open(folder, Use::Alone, LEFT_AFTER)?;
        for path in folders.list_incoming()? {
            if has_suffix(&path, PART) {
                remove(&path)?;
            }
        }
        Ok(Self(Arc::new(folders)))
    }

    /// Makes what is missing; removes nothing, since others may be at work in it.
    #[cfg_attr(
        not(feature = "fleet"),
        expect(dead_code, reason = "rows elsewhere are of that feature")
    )]
    pub(super) fn shared(folder: &Path) -> Result<Self, StoreError> {
        Self::leaving(folder, LEFT_AFTER)
    }

    pub(super) fn leaving(folder: &Path, left_after: Duration) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Folders::open(folder, Use::Shared, left_after)?)))
    }

    /// Runs what waits for the disk.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Folders>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'static, T> {
        let folders = Arc::clone(&self.0);
        Box::pin(blocking(move || work(folders)))
    }
}

impl Clips for FolderClips {
    fn begin(&self) -> Pending<'_, Box<dyn ClipWriter>> {
        self.run(|folders| Ok(Box::new(FileWriter::begin(folders)?) as Box<dyn ClipWriter>))
    }

    fn unsettled(&self) -> Pending<'_, Vec<String>> {
        self.run(|folders| {
            if folders.kind == Use::Shared {
                // Which they are, time shows.
                return Ok(Vec::new());
            }
            let mut marks = folders.list_incoming()?;
            marks.retain(|path| !is_unfinished(path));
            let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
            Ok(marks.iter().filter_map(name).collect())
        })
    }

    fn settle(&self, name: String, has_row: bool) -> Pending<'_, ()> {
        self.run(move |folders| folders.settle(&name, has_row))
    }

    fn read(&self, name: String, _manifest: String, offset: u64, length: usize) -> Pending<'_, Vec<u8>> {
        self.run(move |folders| read(&folders.clips.join(name), offset, length))
    }

    fn remove(&self, clips: Vec<(String, String)>) -> Pending<'_, Vec<Result<(), StoreError>>> {
        self.run(move |folders| folders.remove_all(&clips))
    }

    fn check(&self) -> Pending<'_, ()> {
        self.run(|folders| folders.check())
    }

    fn leftovers(&self, _from: Option<String>, now_ms: i64) -> Pending<'_, Leftovers> {
        self.run(move |folders| match folders.kind {
            Use::Alone => Ok(Leftovers::default()),
            Use::Shared => folders.leftovers(now_ms),
        })
    }

    fn remove_leftover(&self, name: String, now_ms: i64) -> Pending<'_, bool> {
        self.run(move |folders| folders.remove_leftover(&name, now_ms))
    }
}

impl Folders {
    fn open(folder: &Path, kind: Use, left_after: Duration) -> Result<Self, StoreError> {
        let (incoming, clips) = (folder.join("incoming"), folder.join("clips"));
        for path in [&incoming, &clips] {
            modes::make_folder(path).map_err(refused(folder))?;
        }
        sync_folder(folder)?;
        Ok(Self {
            incoming,
            clips,
            trouble: Mutex::new(None),
            kind,
            left_after,
        })
    }

    fn list_incoming(&self) -> Result<Vec<PathBuf>, StoreError> {
        let list = || {
            fs::read_dir(&self.incoming)?
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<_>>()
        };
        list().map_err(StoreError::file(&self.incoming))
    }

    fn settle(&self, name: &str, has_row: bool) -> Result<(), StoreError> {
        if !has_row {
            remove(&self.clips.join(name))?;
            // Before the mark goes: a power cut must not bring back the one without the other.
            sync_folder(&self.clips)?;
        }
        remove(&self.incoming.join(name))
    }

    /// Removes clips; what is said to be gone stays so after a power cut.
    fn remove_all(&self, clips: &[(String, String)]) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let removed = clips.iter().map(|(name, _)| remove(&self.clips.join(name)));
        let removed: Vec<_> = removed.collect();
        sync_folder(&self.clips)?;
        Ok(removed)
    }

    /// Whether a clip could be stored: nothing is written to find out, unless the last one could not.
    fn check(&self) -> Result<(), StoreError> {
        for path in [&self.incoming, &self.clips] {
            rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(StoreError::file(path))?;
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

fn read(path: &Path, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        bytes.reserve_exact(length);
        file.take(length as u64).read_to_end(&mut bytes)
    });
    match read {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file(path)(error)),
        _ => Ok(bytes),
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file(path)(error)),
        _ => Ok(()),
    }
}

fn sync_parent(folder: &Path) -> Result<(), StoreError> {
    let absolute = fs::canonicalize(folder).map_err(StoreError::file(folder))?;
    // A parent that is not ours to open was not made by us either.
    match absolute.parent().map(File::open) {
        Some(Ok(parent)) => parent.sync_all().map_err(StoreError::file(folder)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::uploads::Parts;
    use super::*;

    #[tokio::test]
    async fn a_part_is_not_gone_on_with_where_it_is_not() {
        let data = tempfile::tempdir().unwrap();
        let clips = FolderClips::open(data.path()).unwrap();
        let mut prefix = super::super::Prefix::default();
        prefix.extend(b"12345");
        let hold = super::super::uploads::Hold {
            part: "a".to_string(),
            epoch: 1,
        };
        assert!(clips.resume(hold, String::new(), prefix).await.is_err());
    }

    #[test]
    fn a_mark_stays_until_the_removal_of_its_clip_is_durable() {
        let data = tempfile::tempdir().unwrap();
        let FolderClips(folders) = FolderClips::open(data.path()).unwrap();
        let stored = FileWriter::begin(Arc::clone(&folders)).unwrap().place().unwrap();
        let mark = folders.incoming.join(&stored.name);
        // A folder that is gone can't be synced.
        let away = folders.clips.with_extension("away");
        fs::rename(&folders.clips, &away).unwrap();
        assert!(folders.settle(&stored.name, false).is_err());
        assert!(mark.exists());
        fs::rename(&away, &folders.clips).unwrap();
        folders.settle(&stored.name, false).unwrap();
        assert!(!mark.exists() && !folders.clips.join(&stored.name).exists());
    }
}
