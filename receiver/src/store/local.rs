//! From the settings to what keeps rows and videos. The default needs nothing else: SQLite and videos in one folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "fleet")]
use super::bucket::{BucketClips, BucketSettings};
use super::clips::Clips;
use super::folder::{FolderClips, FolderLock, Use};
#[cfg(feature = "fleet")]
use super::postgres::{DatabaseSettings, Link, PostgresDesk, PostgresRows, Unready};
use super::sqlite::{SqliteDesk, SqliteRows};
use super::{Desk, Store, StoreError, refusal};

/// Where everything is kept, unless it is in the folder.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// A PostgreSQL for the rows.
    #[cfg(feature = "fleet")]
    pub(crate) database: Option<DatabaseSettings>,
    /// A bucket for the clips.
    #[cfg(feature = "fleet")]
    pub(crate) clips: Option<BucketSettings>,
}

/// Why nothing can be kept, and which setting is to be looked at.
#[derive(Debug)]
pub(crate) struct OpenError {
    /// `VARIABLE=value`.
    pub(crate) setting: String,
    pub(crate) reason: String,
}

/// What a command on the same database begins with; without a secret.
pub(crate) fn command(data: &Path, places: &Places) -> String {
    #[cfg(feature = "fleet")]
    if places.database.is_some() {
        return "sync-receiver".to_string();
    }
    #[cfg(not(feature = "fleet"))]
    let _ = places;
    format!("sync-receiver --data {}", absolute(data).display())
}

fn absolute(data: &Path) -> PathBuf {
    std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf())
}

/// Opens what the settings name, and makes what is missing. What a crash left half done is ended now, or by its age where
/// other receivers are about.
pub(crate) async fn open(data: &Path, places: &Places) -> Result<(Store, Arc<dyn Desk>), OpenError> {
    #[cfg(feature = "fleet")]
    if let Some(database) = &places.database {
        return open_postgres(data, places, database).await;
    }
    let of_data = of_data(data);
    let lock = FolderLock::take(data, Use::Alone).map_err(&of_data)?;
    #[cfg(feature = "fleet")]
    if let Some(marker) = super::moving::Marker::read(data).map_err(&of_data)? {
        if let Some(objection) = marker.objection(data, places.clips.is_some()) {
            return Err(of_data(StoreError::Unavailable(objection)));
        }
    }
    let bucket = bucket(places)?;
    let is_here = bucket.is_none();
    let clips = match bucket {
        Some(clips) => clips,
        None => Box::new(FolderClips::open(data).map_err(&of_data)?),
    };
    let rows = SqliteRows::open(&data.join("receiver.db")).map_err(&of_data)?;
    let store = Store::open(Box::new(rows), clips).await.map_err(&of_data)?;
    if is_here {
        // An empty folder is owned before anything is in it. A bucket may be away: it is looked at later.
        store.owns_clips().await.map_err(&of_data)?;
    }
    let desk = SqliteDesk::open(data).map_err(&of_data)?;
    Ok((store.holding(lock), Arc::new(desk)))
}

fn of_data(data: &Path) -> impl Fn(StoreError) -> OpenError {
    move |error| OpenError {
        setting: format!("RECEIVER_DATA={}", data.display()),
        reason: error.to_string(),
    }
}

#[cfg(feature = "fleet")]
fn bucket(places: &Places) -> Result<Option<Box<dyn Clips>>, OpenError> {
    let open = |bucket: &BucketSettings| match BucketClips::open(bucket) {
        Ok(clips) => {
            clips.try_it();
            Ok(Box::new(clips) as Box<dyn Clips>)
        }
        Err(error) => Err(OpenError {
            setting: format!("RECEIVER_CLIPS_URL={bucket}"),
            reason: error.to_string(),
        }),
    };
    places.clips.as_ref().map(open).transpose()
}

#[cfg(not(feature = "fleet"))]
fn bucket(_places: &Places) -> Result<Option<Box<dyn Clips>>, OpenError> {
    Ok(None)
}

#[cfg(feature = "fleet")]
fn of_database(error: impl std::fmt::Display) -> OpenError {
    OpenError {
        setting: "RECEIVER_DATABASE_URL".to_string(),
        reason: error.to_string(),
    }
}

/// A database that is away comes back by itself; one that refuses us does not.
#[cfg(feature = "fleet")]
async fn open_postgres(
    data: &Path,
    places: &Places,
    database: &DatabaseSettings,
) -> Result<(Store, Arc<dyn Desk>), OpenError> {
    let (clips, lock) = match bucket(places)? {
        Some(clips) => (clips, None),
        None => {
            let lock = FolderLock::take(data, Use::Shared).map_err(of_data(data))?;
            let clips = FolderClips::shared(data).map_err(of_data(data))?;
            (Box::new(clips) as Box<dyn Clips>, Some(lock))
        }
    };
    let link = Link::new(database.clone()).map_err(of_database)?;
    let desk = PostgresDesk::beside(&link).map_err(of_database)?;
    match link.prepare().await {
        Ok(()) => {}
        Err(Unready::Away(why)) => {
            log::error!("{why}; requests get 503 until it is there");
            link.prepare_when_there();
        }
        Err(Unready::Never(why)) => return Err(of_database(why)),
    }
    let store = Store::new(Box::new(PostgresRows::new(link)), clips);
    let store = match lock {
        Some(lock) => store.holding(lock),
        None => store,
    };
    Ok((store, desk))
}

/// A database as people use it.
pub(crate) struct OpenedDesk {
    pub(crate) desk: Arc<dyn Desk>,
    /// Which it is, without a secret.
    pub(crate) place: String,
    pub(crate) is_new: bool,
}

/// Opens the database for people, also while a receiver runs on it. One that is missing is made only where that is meant, so
/// that people can be added before the first start: whoever names the wrong folder is to know.
pub(crate) async fn open_desk(data: &Path, places: &Places, may_make: bool) -> Result<OpenedDesk, OpenError> {
    #[cfg(feature = "fleet")]
    if let Some(database) = &places.database {
        let link = Link::new(database.clone()).map_err(of_database)?;
        let desk = PostgresDesk::beside(&link).map_err(of_database)?;
        link.prepare().await.map_err(of_database)?;
        return Ok(OpenedDesk {
            desk,
            place: "the database of RECEIVER_DATABASE_URL".to_string(),
            is_new: false,
        });
    }
    #[cfg(not(feature = "fleet"))]
    let _ = places;
    refusal::check_database(data, may_make).map_err(of_data(data))?;
    let database = absolute(data).join("receiver.db");
    let is_new = !database.exists();
    Ok(OpenedDesk {
        desk: Arc::new(SqliteDesk::open(data).map_err(of_data(data))?),
        place: database.display().to_string(),
        is_new,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_folder_is_owned_before_anything_is_in_it() {
        let data = tempfile::tempdir().unwrap();
        let (store, _) = open(data.path(), &Places::default()).await.unwrap();
        assert!(data.path().join("owner").exists());
        std::fs::write(data.path().join("clips/notes.txt"), "mine").unwrap();
        assert!(store.owns_clips().await.unwrap());
    }
}
