//! The default, which needs nothing else: SQLite and videos in one folder.

use std::path::Path;

use super::folder::FolderClips;
use super::sqlite::SqliteRows;
use super::{Store, StoreError};

/// Opens a folder, makes what is missing, and ends what a crash left half done.
pub(crate) async fn open_local(folder: &Path) -> Result<Store, StoreError> {
    // First: it takes the folder's lock.
    let clips = FolderClips::open(folder)?;
    let rows = SqliteRows::open(&folder.join("receiver.db"))?;
    Store::open(Box::new(rows), Box::new(clips)).await
}
