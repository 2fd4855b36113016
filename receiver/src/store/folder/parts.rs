//! Videos that arrive in several requests: `incoming/NAME.upload`, which grows and then goes the way of any other clip.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use super::writer::{START_BYTES, extension};
use super::{FolderClips, Folders, PART, remove};
use crate::store::row::StoredClip;
use crate::store::uploads::{Durable, Hold, PartSync, PartWriter, Parts, Prefix};
use crate::store::{Pending, StoreError, modes, sync_folder};

/// Suffix of a part.
pub(super) const UPLOAD: &str = "upload";

/// Bytes of a prefix read at a time.
const READ_BYTES: usize = 256 << 10;

impl Parts for FolderClips {
    fn prefix(&self, part: String, durable: Durable) -> Pending<'_, Option<Prefix>> {
        self.run(move |folders| {
            let path = folders.part(&part);
            match read_prefix(&path, durable.bytes) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                // It would be so for ever.
                Err(error) if is_unreadable(&error) => {
                    log::error!("{}: {error}: what is here of an upload is given up", path.display());
                    Ok(None)
                }
                read => read.map_err(StoreError::file(&path)),
            }
        })
    }

    fn resume(&self, hold: Hold, _manifest: String, prefix: Prefix) -> Pending<'_, Box<dyn PartWriter>> {
        self.run(|folders| {
            let part = hold.part;
            let path = folders.part(&part);
            let file = open(&path, prefix.bytes()).map_err(StoreError::file(&path));
            let file = file.or_else(|error| folders.written(Err(error)))?;
            let (synced_name, path) = (Arc::new(AtomicBool::new(prefix.bytes() > 0)), Arc::new(path));
            Ok(Box::new(FilePart {
                folders,
                part,
                path,
                file,
                prefix,
                synced_name,
            }) as Box<dyn PartWriter>)
        })
    }

    fn take_back(&self, part: String) -> Pending<'_, ()> {
        self.run(move |folders| folders.take_back(&part))
    }

    fn remove_part(&self, part: String) -> Pending<'_, ()> {
        self.run(move |folders| remove(&folders.part(&part)))
    }

    fn parts(&self) -> Pending<'_, Vec<String>> {
        self.run(|folders| {
            let mut paths = folders.list_incoming()?;
            paths.retain(|path| has_suffix(path, UPLOAD));
            let name = |path: &PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned());
            Ok(paths.iter().filter_map(name).collect())
        })
    }
}

impl Folders {
    fn part(&self, part: &str) -> PathBuf {
        self.incoming.join(format!("{part}.{UPLOAD}"))
    }

    fn take_back(&self, part: &str) -> Result<(), StoreError> {
        let path = self.part(part);
        for mark in self.list_incoming()? {
            if mark.file_stem().is_none_or(|stem| stem != part) || is_unfinished(&mark) {
                continue;
            }
            let clip = self.clips.join(mark.file_name().unwrap_or_default());
            if clip.exists() && !path.exists() {
                fs::rename(&clip, &path).map_err(StoreError::file(&clip))?;
            }
            // Both, before the mark goes: a power cut must not leave it where nobody looks.
            sync_folder(&self.incoming)?;
            sync_folder(&self.clips)?;
            remove(&mark)?;
        }
        Ok(())
    }
}

pub(super) fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.extension().is_some_and(|extension| extension == suffix)
}

/// Whether a name in `incoming/` has bytes, and is no mark.
pub(super) fn is_unfinished(path: &Path) -> bool {
    has_suffix(path, PART) || has_suffix(path, UPLOAD)
}

/// Whether the disk has lost what was written.
fn is_unreadable(error: &io::Error) -> bool {
    let errors = [Errno::IO, Errno::UCLEAN, Errno::BADMSG].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| errors.contains(&number))
}

fn read_prefix(path: &Path, bytes: u64) -> io::Result<Option<Prefix>> {
    let mut prefix = Prefix::default();
    let mut file = File::open(path)?.take(bytes);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((prefix.bytes() == bytes).then_some(prefix)),
            count => prefix.extend(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Opens a part at the end of its first `bytes`, and cuts off the rest.
fn open(path: &Path, bytes: u64) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(bytes == 0)
        .truncate(false)
        .mode(modes::FILE)
        .open(path)?;
    let length = file.metadata()?.len();
    if length < bytes {
        let reason = format!("{length} bytes are there of {bytes}");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
    }
    if length > bytes {
        file.set_len(bytes)?;
    }
    file.seek(SeekFrom::Start(bytes))?;
    Ok(file)
}

struct FilePart {
    folders: Arc<Folders>,
    part: String,
    path: Arc<PathBuf>,
    file: File,
    prefix: Prefix,
    /// Whether the file's name is durable.
    synced_name: Arc<AtomicBool>,
}

impl FilePart {
    fn place(&self) -> Result<StoredClip, StoreError> {
        let failed = |error: io::Error| StoreError::file(&self.path)(error);
        self.file.sync_all().map_err(failed)?;
        let mut start = [0; START_BYTES];
        let count = self.file.read_at(&mut start, 0).map_err(failed)?;
        let name = format!("{}.{}", self.part, extension(start.get(..count).unwrap_or_default()));
        let mark = self.folders.incoming.join(&name);
        modes::make_file(&mark).map_err(StoreError::file(&mark))?;
        sync_folder(&self.folders.incoming)?;
        fs::rename(&*self.path, self.folders.clips.join(&name)).map_err(failed)?;
        sync_folder(&self.folders.clips)?;
        Ok(StoredClip {
            name,
            size_bytes: self.prefix.bytes(),
            sha256: self.prefix.sha256_hex(),
            manifest: String::new(),
        })
    }
}

impl PartWriter for FilePart {
    fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn sync(&self) -> Result<Box<dyn PartSync>, StoreError> {
        Ok(Box::new(FileSync {
            folders: Arc::clone(&self.folders),
            file: self.file.try_clone().map_err(StoreError::file(&self.path))?,
            path: Arc::clone(&self.path),
            synced_name: Arc::clone(&self.synced_name),
        }))
    }

    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError> {
        self.folders.written(self.place())
    }
}

impl Write for FilePart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).inspect_err(|error| {
            let _ = self.folders.written::<()>(Err(StoreError::file(&self.path)(error)));
        });
        let count = written?;
        self.prefix.extend(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct FileSync {
    folders: Arc<Folders>,
    file: File,
    path: Arc<PathBuf>,
    synced_name: Arc<AtomicBool>,
}

impl PartSync for FileSync {
    fn sync(&self, bytes: u64) -> Result<Durable, StoreError> {
        let sync = || {
            self.file.sync_data().map_err(StoreError::file(&self.path))?;
            if !self.synced_name.load(Ordering::Relaxed) {
                sync_folder(&self.folders.incoming)?;
                self.synced_name.store(true, Ordering::Relaxed);
            }
            Ok(Durable {
                bytes,
                manifest: String::new(),
            })
        };
        self.folders.written(sync())
    }
}
