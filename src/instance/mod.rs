//! One instance per database, and what the running one tells the others.
//!
//! A file beside the database is locked with `flock(2)` for as long as the process lives, so that no kill leaves
//! a stale lock. It is not the database itself: opening that a second time and closing it again would drop
//! SQLite's own POSIX locks (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).

mod lock;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use lock::{Lock, Refused};

/// What the running service tells `status`; not durable, and worth nothing once the lock is free.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct InstanceInfo {
    /// Process id (in its own PID namespace).
    pub pid: u32,
    /// Host name, which tells containers apart.
    pub host: String,
    /// `SYNC_MODE`.
    pub mode: String,
    /// The backend in use.
    pub backend: String,
    /// When the last pass ended, in Unix seconds.
    pub last_pass: Option<i64>,
    /// When the next pass begins, in Unix seconds; `None` during one.
    pub next_pass: Option<i64>,
    /// When the service last made progress, in Unix seconds.
    pub alive: i64,
    /// Why the service waits, if it is in trouble.
    pub trouble: Option<String>,
    /// `SYNC_MAX_RATE_KBPS`, if it is set.
    pub max_rate: Option<String>,
    /// `SYNC_PRUNE_AFTER_DAYS`, if it is set.
    pub prune_after_days: Option<u64>,
    /// `SYNC_PRUNE_KEEP_FREE_MB`, if it is set.
    pub prune_keep_free_mb: Option<u64>,
}

/// The longest file that is read: what lies there may be anybody's.
const LONGEST_BYTES: u64 = 64 << 10;

/// A sign of life is written this often: `status --health` needs it, and a card wears with every write.
const ALIVE_EVERY: Duration = Duration::from_secs(60);

/// The lock of this process, if it holds one, and what it tells the others. Clones are the same lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Instance(Arc<Mutex<Option<Held>>>);

#[derive(Debug)]
struct Held {
    lock: Lock,
    _name: Option<OwnedFd>,
    info: InstanceInfo,
    written: Instant,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum InstanceError {
    /// Another process has it; the info it left, if it could be read.
    Held(Option<Box<InstanceInfo>>),
    /// What lies in the lock file's place is no regular file.
    NotAFile(PathBuf),
    /// The file can't be made or locked.
    Io(PathBuf, std::io::Error),
}

impl From<Refused> for InstanceError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Held(file) => InstanceError::Held(file.and_then(|mut file| read(&mut file)).map(Box::new)),
            Refused::NotAFile(path) => InstanceError::NotAFile(path),
            Refused::Io(path, error) => InstanceError::Io(path, error),
        }
    }
}

impl std::fmt::Display for InstanceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InstanceError::Held(Some(info)) if info.pid != 0 => write!(
                f,
                "Une autre instance synchronise déjà cette base: processus {} sur {}; arrêtez-la d'abord",
                info.pid, info.host
            ),
            InstanceError::Held(_) => f.write_str("Une autre instance synchronise déjà cette base; arrêtez-la d'abord"),
            InstanceError::NotAFile(path) => write!(
                f,
                "{} est un lien ou n'est pas un fichier ordinaire: supprimez-le, le service y met son verrou",
                path.display()
            ),
            InstanceError::Io(path, error) => write!(
                f,
                "Impossible de créer {} ({error}): le service doit pouvoir écrire dans le dossier de la base",
                path.display()
            ),
        }
    }
}

impl std::error::Error for InstanceError {}

/// The lock file of a database: the same for every path that leads to it.
#[must_use]
pub(crate) fn lock_path(database: &Path) -> PathBuf {
    let mut path = std::fs::canonicalize(database)
        .unwrap_or_else(|_| database.to_path_buf())
        .into_os_string();
    path.push(".sync-service");
    PathBuf::from(path)
}

impl Instance {
    /// Takes the lock of a database; one that is held, and that others still find in their way, is kept.
    ///
    /// # Errors
    /// Another process holds it, or the file can't be made.
    pub(crate) fn acquire(&self, database: &Path) -> Result<(), InstanceError> {
        let path = lock_path(database);
        let mut held = self.held();
        match held.as_mut() {
            Some(held) if held.lock.stands() => {}
            // Deleted under us: what is locked is found by nobody any more.
            Some(held) => match Lock::take(&path) {
                Ok(lock) => {
                    held.lock = lock;
                    held.write();
                }
                Err(refused @ Refused::Held(_)) => return Err(refused.into()),
                Err(refused) => log::warn!("{}", InstanceError::from(refused)),
            },
            None => {
                *held = Some(Held {
                    lock: Lock::take(&path)?,
                    _name: lock::reserve(database)?,
                    info: InstanceInfo::default(),
                    written: Instant::now(),
                });
            }
        }
        Ok(())
    }

    /// Leaves an info for `status`.
    pub(crate) fn tell(&self, info: InstanceInfo) {
        if let Some(held) = self.held().as_mut() {
            held.info = info;
            held.write();
        }
    }

    /// Shows a sign of life at `now` (Unix seconds), if the last one is old.
    pub(crate) fn touch(&self, now: i64) {
        if let Some(held) = self
            .held()
            .as_mut()
            .filter(|held| held.written.elapsed() >= ALIVE_EVERY)
        {
            held.info.alive = now;
            held.write();
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A full disk is no reason to stop: the old info stays.
    fn write(&mut self) {
        self.written = Instant::now();
        if let Err(error) = self.try_write() {
            log::debug!("cannot write the instance file: {error}");
        }
    }

    fn try_write(&mut self) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(&self.info)?;
        text.push(b'\n');
        let file = &mut self.lock.file;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)?;
        file.set_len(text.len() as u64)
    }
}

/// The info of the running service; `None` when none runs.
#[must_use]
pub(crate) fn running(database: &Path) -> Option<InstanceInfo> {
    let mut file = lock::open(&lock_path(database), false).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        // Nobody holds it; closing the file gives it back.
        Ok(()) => None,
        Err(_) => Some(read(&mut file).unwrap_or_default()),
    }
}

fn read(file: &mut File) -> Option<InstanceInfo> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LONGEST_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
