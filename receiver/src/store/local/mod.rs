//! SQLite and a folder: `receiver.db`, `clips/`, and `incoming/` for clips on their way.

mod clip;
mod modes;
mod rows;
mod sql;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use clip::Folders;
pub use clip::LocalClip;
use rows::{NewRow, Rows};

use super::{Key, Store, StoreError, Table};
use crate::answer::Stored;
use crate::record;

/// Everything below one folder.
pub struct LocalStore {
    rows: Rows,
    folders: Arc<Folders>,
    /// Locked: another receiver would take our clips on their way for leftovers.
    _folder: File,
}

impl LocalStore {
    /// Opens a folder, makes what is missing, and ends what a crash left half done.
    ///
    /// # Errors
    /// The folder or the database can't be used, or another process does.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        modes::make_folder(folder).map_err(StoreError::file(folder))?;
        let handle = File::open(folder).map_err(StoreError::file(folder))?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StoreError::Taken),
            Err(error) => return Err(StoreError::file(folder)(error.into())),
        }
        modes::tighten(folder);
        let folders = Folders::open(folder)?;
        let database = folder.join("receiver.db");
        // SQLite gives the files beside it the same mode.
        modes::make_file(&database).map_err(StoreError::file(&database))?;
        // The names of the two folders and of ours.
        handle.sync_all().map_err(StoreError::file(folder))?;
        sync_parent(folder)?;
        let (rows, reader) = Rows::open(&database)?;
        folders.recover(|name| sql::has_file(&reader, name))?;
        Ok(Self {
            rows: rows.with_reader(reader)?,
            folders: Arc::new(folders),
            _folder: handle,
        })
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

impl Store for LocalStore {
    type Clip = LocalClip;

    async fn answered(&self, table: Table, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.rows.answered(table, key.clone()).await
    }

    async fn add_event(&self, event: record::Event, key: Option<Key>) -> Result<Stored, StoreError> {
        Ok(self.rows.add(NewRow::Event(event), key).await?.answer)
    }

    fn begin_clip(&self) -> Result<LocalClip, StoreError> {
        LocalClip::begin(Arc::clone(&self.folders))
    }

    async fn add_media(
        &self,
        clip: record::Clip,
        video: LocalClip,
        bytes: u64,
        key: Option<Key>,
    ) -> Result<Stored, StoreError> {
        let placed = blocking(move || video.place()).await?;
        let row = NewRow::Clip(clip, placed.file(bytes));
        let added = self.rows.add(row, key).await;
        let has_row = match &added {
            Ok(added) => added.is_new,
            // Nobody knows: the next start looks, and keeps or removes the file.
            Err(error) if sql::may_be_stored(error) => return Err(error.clone()),
            Err(_) => false,
        };
        // The row decides what is answered. A file that is left over is the next start's.
        if let Err(error) = blocking(move || placed.settle(has_row)).await {
            log::warn!("{error}");
        }
        added.map(|added| added.answer)
    }

    async fn healthy(&self) -> Result<(), StoreError> {
        let folders = Arc::clone(&self.folders);
        blocking(move || folders.check()).await?;
        self.rows.check().await
    }
}

/// Runs what waits for a disk on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Ended)?
}

/// Makes a folder's names durable.
fn sync_folder(folder: &PathBuf) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::file(folder))
}
