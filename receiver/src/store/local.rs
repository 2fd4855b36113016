//! From the settings to what keeps rows and videos. The default needs nothing else: SQLite and videos in one folder.

use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "fleet")]
use super::bucket::BucketClips;
use super::clips::Clips;
use super::folder::{FolderClips, FolderLock};
use super::sqlite::{SqliteDesk, SqliteRows};
use super::{Desk, Store, StoreError};
use crate::config::Places;

/// Why nothing can be kept, and which setting is to be looked at.
#[derive(Debug)]
pub(crate) struct OpenError {
    /// `VARIABLE=value`.
    pub(crate) setting: String,
    pub(crate) reason: String,
}

/// Opens what the settings name, makes what is missing, and ends what a crash left half done.
pub(crate) async fn open(data: &Path, places: &Places) -> Result<Store, OpenError> {
    let of_data = |error: StoreError| OpenError {
        setting: format!("RECEIVER_DATA={}", data.display()),
        reason: error.to_string(),
    };
    let lock = FolderLock::take(data).map_err(of_data)?;
    let clips = open_clips(data, places)?;
    let rows = SqliteRows::open(&data.join("receiver.db")).map_err(of_data)?;
    let store = Store::open(Box::new(rows), clips).await.map_err(of_data)?;
    Ok(store.holding(lock))
}

fn open_clips(data: &Path, places: &Places) -> Result<Box<dyn Clips>, OpenError> {
    #[cfg(feature = "fleet")]
    if let Some(bucket) = &places.clips {
        let clips = BucketClips::open(bucket).map_err(|error| OpenError {
            setting: format!("RECEIVER_CLIPS_URL={bucket}"),
            reason: error.to_string(),
        })?;
        return Ok(Box::new(clips));
    }
    #[cfg(not(feature = "fleet"))]
    let _ = places;
    let clips = FolderClips::open(data).map_err(|error| OpenError {
        setting: format!("RECEIVER_DATA={}", data.display()),
        reason: error.to_string(),
    })?;
    Ok(Box::new(clips))
}

/// Opens the database in a folder for people, also while a receiver runs on it; makes it, so that they can be added before
/// its first start.
pub(crate) fn open_desk(folder: &Path) -> Result<Arc<dyn Desk>, StoreError> {
    Ok(Arc::new(SqliteDesk::open(folder)?))
}
