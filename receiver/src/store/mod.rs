//! Where rows and clips end up, behind one trait.

pub mod local;

use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::answer::Stored;
use crate::record;

/// Our own trouble: the request may be tried again.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// A file or folder.
    File(PathBuf, Arc<io::Error>),
    /// The database. Rows committed together share its error.
    Database(Arc<rusqlite::Error>),
    /// Another process uses the folder.
    Taken,
    /// The database did nothing within the time that the question had.
    Slow,
    /// The thread that should have answered is gone.
    Ended,
}

impl StoreError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::File(path.to_path_buf(), Arc::new(error))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(error) => write!(f, "database: {error}"),
            Self::Taken => f.write_str("another sync-receiver uses this folder"),
            Self::Slow => f.write_str("database: it gets nothing done, though nothing fails"),
            Self::Ended => f.write_str("the database's thread ended"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Which of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// `evenement`.
    Event,
    /// `media`.
    Media,
}

impl Table {
    /// Its name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "evenement",
            Self::Media => "media",
        }
    }
}

/// A key that makes a request repeatable: the same from the same owner is the same request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The device whose token was shown. Without tokens nobody can be told apart: a key is then one for all devices.
    pub owner: Option<String>,
    /// `Idempotency-Key`.
    pub key: String,
}

/// A clip that is being written. Dropped before it is stored, it leaves nothing behind.
pub trait Clip: Write + Send + 'static {}

/// Everything that is kept. A first implementation is [`local::LocalStore`]; PostgreSQL and object storage fit the
/// same calls.
pub trait Store: Send + Sync + 'static {
    /// A clip on its way in.
    type Clip: Clip;

    /// The answer that was given for a key, if it was.
    fn answered(&self, table: Table, key: &Key) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// Stores an event, durably; for a key that was seen, gives the first answer and stores nothing.
    fn add_event(
        &self,
        event: record::Event,
        key: Option<Key>,
    ) -> impl Future<Output = Result<Stored, StoreError>> + Send;

    /// Begins a clip.
    ///
    /// # Errors
    /// There is no place to write it.
    fn begin_clip(&self) -> Result<Self::Clip, StoreError>;

    /// Stores a clip with its fields, durably; for a key that was seen, gives the first answer and stores nothing.
    /// Not to be dropped half-way: the caller sees to that.
    fn add_media(
        &self,
        clip: record::Clip,
        video: Self::Clip,
        bytes: u64,
        key: Option<Key>,
    ) -> impl Future<Output = Result<Stored, StoreError>> + Send;

    /// Whether rows and clips can be stored; writes nothing to find out while all is well.
    fn healthy(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
