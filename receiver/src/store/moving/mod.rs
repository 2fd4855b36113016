//! From SQLite and a folder to PostgreSQL, a bucket, or both: resumable, and nothing is said to be there that was not read back.

mod clips;
mod marker;
mod rows;

use std::path::Path;

use super::bucket::{BucketClips, BucketSettings};
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
    let marker = marker(folder, to)?;
    // What a crash has left half done is ended as at a start.
    drop(
        Store::open(
            Box::new(SqliteRows::open(&database)?),
            Box::new(FolderClips::open(folder)?),
        )
        .await?,
    );
    let source = Source::open(&database)?;
    let target = match &to.database {
        Some(settings) => Some(target(settings, &marker.id).await?),
        None => None,
    };
    // Last: it takes the bucket.
    let bucket = match &to.clips {
        Some(settings) => Some(bucket(settings, &database).await?),
        None => None,
    };
    // A move that is refused until here has left nothing behind.
    marker.write(folder)?;
    if let Some(target) = &target {
        // Before the clips, which may take hours: no receiver starts on it meanwhile.
        target.begin(&marker.id).await?;
        target.set_installation(&source.installation()?).await?;
    }
    if let Some(bucket) = &bucket {
        clips::move_all(folder, &source, bucket, tell).await?;
    }
    if let Some(target) = &target {
        rows::move_all(&source, target, tell).await?;
    }
    source.close()?;
    let finished = Marker {
        is_finished: true,
        ..marker
    };
    finished.write(folder)
}

/// A bucket that is there, and is this database's from now on.
async fn bucket(settings: &BucketSettings, database: &Path) -> Result<BucketClips, StoreError> {
    let open = || BucketClips::open(settings);
    let store = Store::new(Box::new(SqliteRows::open(database)?), Box::new(open()?));
    if !store.owns_clips().await? {
        let reason = format!("{settings}: another database has its clips there: move to a bucket or prefix of its own");
        return Err(StoreError::Unavailable(reason));
    }
    open()
}

/// A database that takes what is in the folder with this id.
async fn target(settings: &DatabaseSettings, id: &str) -> Result<Target, StoreError> {
    let link = Link::new(settings.clone())?;
    link.prepare_to_fill().await?;
    let target = Target::new(link);
    target.check(id).await?;
    Ok(target)
}

/// The folder's mark while it is moved; refuses what does not fit an earlier move.
fn marker(folder: &Path, to: &Destination) -> Result<Marker, StoreError> {
    let (database, clips) = (
        to.database.as_ref().map(ToString::to_string),
        to.clips.as_ref().map(ToString::to_string),
    );
    Ok(match Marker::read(folder)? {
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
    })
}
