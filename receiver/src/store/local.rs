//! The default, which needs nothing else: SQLite and videos in one folder.

use std::path::Path;
use std::sync::Arc;

use super::folder::FolderClips;
use super::sqlite::{SqliteDesk, SqliteRows};
use super::{Desk, Store, StoreError};

/// Opens a folder, makes what is missing, and ends what a crash left half done.
pub(crate) async fn open_local(folder: &Path) -> Result<Store, StoreError> {
    // First: it takes the folder's lock.
    let clips = FolderClips::open(folder)?;
    let rows = SqliteRows::open(&folder.join("receiver.db"))?;
    Store::open(Box::new(rows), Box::new(clips)).await
}

/// Opens the database in a folder for people, also while a receiver runs on it; makes it, so that they can be added before
/// its first start.
pub(crate) fn open_desk(folder: &Path) -> Result<Arc<dyn Desk>, StoreError> {
    Ok(Arc::new(SqliteDesk::open(folder)?))
}
