//! The lock: a file beside the database, and a name that goes with the process and that nobody can delete.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use uuid::Uuid;

/// Who only looks (`status`) holds the file for a moment: it is tried again for so long.
const READERS_MOMENT: Duration = Duration::from_millis(300);
const TRY_EVERY: Duration = Duration::from_millis(10);

/// A lock file that is locked until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    pub file: File,
    path: PathBuf,
    identity: (u64, u64),
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another process has it; its file, to read who.
    Held(Option<File>),
    /// What lies there is no file of ours.
    NotAFile(PathBuf),
    Io(PathBuf, std::io::Error),
}

impl Lock {
    /// Takes the lock file at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, Refused> {
        let io = |error: std::io::Error| Refused::Io(path.to_path_buf(), error);
        let deadline = Instant::now() + READERS_MOMENT;
        loop {
            let file = open(path, true)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    #[allow(clippy::disallowed_methods, reason = "at the start, for at most 300 ms")]
                    std::thread::sleep(TRY_EVERY);
                    continue;
                }
                Err(Errno::WOULDBLOCK) => return Err(Refused::Held(Some(file))),
                Err(error) => return Err(io(error.into())),
            }
            let metadata = file.metadata().map_err(io)?;
            let identity = (metadata.dev(), metadata.ino());
            // A file that was deleted since it was opened locks nobody out.
            if identity_at(path) != Some(identity) {
                continue;
            }
            return Ok(Self {
                file,
                path: path.to_path_buf(),
                identity,
            });
        }
    }

    /// Whether the file that is locked is still the one that others find.
    pub(super) fn stands(&self) -> bool {
        identity_at(&self.path) == Some(self.identity)
    }
}

/// Opens a lock file; neither a link nor anything but a regular file is touched, since this may be root.
pub(super) fn open(path: &Path, create: bool) -> Result<File, Refused> {
    let is_other = std::fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_other {
        return Err(Refused::NotAFile(path.to_path_buf()));
    }
    let io = |error| Refused::Io(path.to_path_buf(), error);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(create)
        .create(create)
        .truncate(false)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(io)?;
    if file.metadata().map_err(io)?.is_file() {
        Ok(file)
    } else {
        Err(Refused::NotAFile(path.to_path_buf()))
    }
}

fn identity_at(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Reserves the name of a database: an abstract socket (unix(7)), for folder and file name. A file can be deleted
/// under the process that has locked it, and the next one would lock its successor. `None` where another user's process
/// squats on the name.
pub(super) fn reserve(database: &Path) -> Result<Option<OwnedFd>, Refused> {
    let io = |error: Errno| Refused::Io(database.to_path_buf(), error.into());
    let Some(name) = name_of(database) else { return Ok(None) };
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(io)?;
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(io)
    };
    let ours = socket()?;
    match rustix::net::bind(&ours, &address) {
        Ok(()) => {
            rustix::net::listen(&ours, 1).map_err(io)?;
            Ok(Some(ours))
        }
        Err(Errno::ADDRINUSE) => {
            // Anybody may take a name; only root and our own user are believed.
            let theirs = socket()?;
            let holder = rustix::net::connect(&theirs, &address)
                .and_then(|()| rustix::net::sockopt::socket_peercred(&theirs))
                .map(|peer| peer.uid);
            match holder {
                Ok(uid) if !uid.is_root() && uid != rustix::process::geteuid() => {
                    log::warn!(
                        "a process of user {} has taken the name of this database's lock",
                        uid.as_raw()
                    );
                    Ok(None)
                }
                _ => Err(Refused::Held(None)),
            }
        }
        Err(error) => Err(io(error)),
    }
}

fn name_of(database: &Path) -> Option<String> {
    let database = std::fs::canonicalize(database).ok()?;
    let folder = std::fs::metadata(database.parent()?).ok()?;
    let file = Uuid::new_v5(&Uuid::NAMESPACE_OID, database.file_name()?.as_encoded_bytes());
    Some(format!("sync-service/{:x}/{:x}/{file}", folder.dev(), folder.ino()))
}
