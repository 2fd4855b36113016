//! From SQLite and a folder to PostgreSQL, a bucket, or both: resumable, and nothing is said to be there that was not read back.

mod clips;
mod marker;
pub(super) mod tables;

use std::path::Path;

use super::bucket::{BucketClips, BucketSettings};
use super::clips::Clips;
use super::folder::{FolderClips, FolderLock, Use};
use super::postgres::{DatabaseSettings, Link, Target};
use super::sqlite::{Source, SqliteRows};
use super::{Store, StoreError};
pub(super) use marker::Marker;

/// Where to.
pub(crate) struct Destination {
    pub(crate) database: Option<DatabaseSettings>,
    pub(crate) clips: Option<BucketSettings>,
}

/// Moves what is in a folder; `tell` hears how far it is.
///
/// # Errors
/// What stands in the way. What was moved until then stays, and the next run goes on after it.
pub(crate) async fn run(folder: &Path, to: &Destination, tell: &(dyn Fn(&str) + Sync)) -> Result<(), StoreError> {
    let database = folder.join("receiver.db");
    if !database.is_file() {
        let reason = format!("{}: there is no receiver.db to be moved", folder.display());
        return Err(StoreError::Unavailable(reason));
    }
    // No receiver writes here meanwhile.
    let _lock = FolderLock::take(folder, Use::Alone)?;
    let marker = begin(folder, to)?;
    // What a crash has left half done is ended as at a start.
    drop(
        Store::open(
            Box::new(SqliteRows::open(&database)?),
            Box::new(FolderClips::open(folder)?),
        )
        .await?,
    );
    let source = Source::open(&database)?;
    if let Some(bucket) = &to.clips {
        let bucket = BucketClips::open(bucket)?;
        // Whether it is there at all, before anything is read.
        bucket.leftovers(None).await?;
        clips::move_all(folder, &source, &bucket, tell).await?;
    }
    if let Some(settings) = &to.database {
        let link = Link::new(settings.clone())?;
        link.prepare_to_fill().await?;
        let target = Target::new(link);
        target.begin(&marker.id).await?;
        tables::move_all(&source, &target, tell).await?;
    }
    source.close()?;
    let finished = Marker {
        is_finished: true,
        ..marker
    };
    finished.write(folder)
}

/// Marks the folder, and refuses what does not fit an earlier move.
fn begin(folder: &Path, to: &Destination) -> Result<Marker, StoreError> {
    let (database, clips) = (
        to.database.as_ref().map(ToString::to_string),
        to.clips.as_ref().map(ToString::to_string),
    );
    let marker = match Marker::read(folder)? {
        None => Marker {
            id: uuid::Uuid::new_v4().to_string(),
            is_finished: false,
            database,
            clips,
        },
        Some(marker) if !marker.is_finished && (&marker.database, &marker.clips) == (&database, &clips) => marker,
        // The clips first, the rows another time.
        Some(marker) if marker.is_finished && marker.database.is_none() && clips.is_none() => Marker {
            is_finished: false,
            database,
            ..marker
        },
        Some(marker) => {
            let reason = marker
                .objection(folder, false)
                .unwrap_or_else(|| "it was moved before".to_string());
            return Err(StoreError::Unavailable(format!("{}: {reason}", folder.display())));
        }
    };
    marker.write(folder)?;
    Ok(marker)
}
