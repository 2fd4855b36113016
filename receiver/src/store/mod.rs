//! Where rows and clips end up, behind one trait.

pub mod local;
mod rows;

use std::future::Future;
use std::io::Write;

use crate::answer::Stored;
use crate::event::Fields;

/// Our own trouble: the request may be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
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

/// A key that makes a request repeatable: the same from the same owner is the same request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The device whose token was shown; empty without tokens.
    pub owner: String,
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
    fn add_event(&self, fields: Fields, key: Option<Key>) -> impl Future<Output = Result<Stored, StoreError>> + Send;

    /// Begins a clip.
    ///
    /// # Errors
    /// There is no place to write it.
    fn begin_clip(&self) -> Result<Self::Clip, StoreError>;

    /// Stores a clip with its fields, durably; for a key that was seen, gives the first answer and stores nothing.
    fn add_media(
        &self,
        fields: Fields,
        clip: Self::Clip,
        bytes: u64,
        key: Option<Key>,
    ) -> impl Future<Output = Result<Stored, StoreError>> + Send;

    /// Whether rows can be stored.
    fn healthy(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
