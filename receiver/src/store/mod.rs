//! Where events and clips end up: [`Store`] keeps rows and videos in step, [`Rows`] and [`Clips`] are what it asks of a
//! database and of a place for videos.

#[cfg(feature = "fleet")]
mod bucket;
mod clips;
#[cfg(test)]
mod contract;
mod counted;
mod error;
mod folder;
mod local;
mod modes;
#[cfg(feature = "fleet")]
pub(crate) mod moving;
mod owner;
mod pattern;
pub(crate) mod people;
#[cfg(feature = "fleet")]
mod postgres;
pub(crate) mod reading;
mod refusal;
mod row;
mod rows;
mod sqlite;
#[cfg(feature = "fleet")]
mod tables;
pub(crate) mod upkeep;
mod uploads;

use std::fs::File;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

#[cfg(feature = "fleet")]
pub(crate) use bucket::BucketSettings;
pub(crate) use clips::ClipWriter;
use clips::Clips;
pub(crate) use error::StoreError;
use folder::FolderLock;
pub(crate) use local::{OpenError, OpenedDesk, Places, command, open, open_desk};
#[cfg(feature = "fleet")]
pub(crate) use postgres::DatabaseSettings;
use row::{Content, NewRow};
pub(crate) use row::{Key, Kind, NewStatus, Receipt};
pub(crate) use rows::Load;
use rows::Rows;

pub(crate) use uploads::{Durable, Held, NewUpload, PartSync, PartWriter, Prefix, Saved, Then, Upload, Why, Wish};
use uploads::{Holders, Prefixes};

use crate::clock;
use crate::metrics::StoreMetrics;
use crate::record::{Clip, Event};

/// An answer that takes its time.
type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What people read and keep, beside the rows' writer.
pub(crate) trait Desk:
    reading::Reading + people::People + people::Tokens + upkeep::Leases + upkeep::Keeping + upkeep::Alerting
{
}

impl<D> Desk for D where
    D: reading::Reading + people::People + people::Tokens + upkeep::Leases + upkeep::Keeping + upkeep::Alerting
{
}

/// A clip that is read in pieces.
pub(crate) struct OpenClip {
    pub(crate) name: String,
    manifest: Option<String>,
}

/// Everything that is kept.
pub(crate) struct Store {
    rows: Box<dyn Rows>,
    clips: Box<dyn Clips>,
    holders: Holders,
    prefixes: Prefixes,
    metrics: StoreMetrics,
    /// Of the folder, where it is this receiver's alone.
    _lock: Option<FolderLock>,
}

impl Store {
    /// Asks nobody: what a crash left half done, its age shows.
    fn new(rows: Box<dyn Rows>, clips: Box<dyn Clips>) -> Self {
        Self {
            rows,
            clips,
            holders: Holders::default(),
            prefixes: Prefixes::default(),
            metrics: StoreMetrics::default(),
            _lock: None,
        }
    }

    /// Ends what a crash left half done.
    async fn open(rows: Box<dyn Rows>, clips: Box<dyn Clips>) -> Result<Self, StoreError> {
        let store = Self::new(rows, clips);
        let Self { rows, clips, .. } = &store;
        let (unsettled, parts) = (clips.unsettled().await?, clips.parts().await?);
        // A bucket has neither, and may be away.
        let owns_clips = (unsettled.is_empty() && parts.is_empty()) || store.owns_clips().await?;
        for name in unsettled {
            let has_row = rows.names_clip(name.clone()).await?;
            // A clip's name begins with its part's.
            let part = name.split('.').next().unwrap_or_default().to_string();
            if !has_row && rows.awaits_part(part.clone()).await? {
                clips.take_back(part).await?;
                continue;
            }
            if !has_row && !owns_clips {
                continue;
            }
            clips.settle(name.clone(), has_row).await?;
            if !has_row {
                log::info!("removed {name}: its request did not end before the last stop");
            }
        }
        store.expire_uploads().await?;
        if owns_clips {
            store.sweep_parts().await?;
        }
        Ok(store)
    }

    /// Keeps a lock for as long as it is open.
    fn holding(self, lock: FolderLock) -> Self {
        let _lock = Some(lock);
        Self { _lock, ..self }
    }

    /// The receipt that was given for a key, if one was.
    pub(crate) async fn receipt(&self, kind: Kind, key: Key) -> Result<Option<Receipt>, StoreError> {
        self.of_rows(self.rows.receipt(kind, key).await)
    }

    /// Stores an event, durably; for a key that was seen, gives the first receipt and stores nothing.
    pub(crate) async fn add_event(&self, event: Event, key: Option<Key>) -> Result<Receipt, StoreError> {
        let content = Content::Event(event);
        let added = self.of_rows(self.rows.add(NewRow { content, key }).await)?;
        self.metrics.events.inc_by(u64::from(added.is_new));
        Ok(added.receipt)
    }

    /// Stores events, durably, in one commit: all of them, or none; for keys that were seen, as for a single one.
    pub(crate) async fn add_events(&self, events: Vec<(Event, Key)>) -> Result<Vec<Receipt>, StoreError> {
        let rows = events.into_iter().map(|(event, key)| NewRow {
            content: Content::Event(event),
            key: Some(key),
        });
        let added = self.of_rows(self.rows.add_all(rows.collect()).await)?;
        let new = added.iter().filter(|added| added.is_new).count();
        self.metrics.events.inc_by(new as u64);
        Ok(added.into_iter().map(|added| added.receipt).collect())
    }

    /// Keeps what a device tells of itself, in place of what it told before.
    pub(crate) async fn put_status(&self, status: NewStatus) -> Result<(), StoreError> {
        self.of_rows(self.rows.put_status(status).await)
    }

    pub(crate) async fn begin_clip(&self) -> Result<Box<dyn ClipWriter>, StoreError> {
        self.of_clips(self.clips.begin().await)
    }

    /// Stores a clip whose video is written, durably; for a key that was seen, gives the first receipt and stores
    /// nothing. Not to be dropped half-way: the caller sees to that.
    pub(crate) async fn add_clip(
        &self,
        clip: Clip,
        video: Box<dyn ClipWriter>,
        key: Option<Key>,
    ) -> Result<Receipt, StoreError> {
        let stored = self.of_clips(blocking(move || video.complete()).await)?;
        let (name, size_bytes) = (stored.name.clone(), stored.size_bytes);
        let content = Content::Clip(clip, stored);
        let added = self.of_rows(self.rows.add(NewRow { content, key }).await);
        let has_row = match &added {
            Ok(added) => added.is_new,
            Err(StoreError::Unavailable(_)) => false,
            // The next start looks, and keeps or removes the video.
            Err(StoreError::Uncertain(_)) => return added.map(|added| added.receipt),
        };
        if has_row {
            self.clip_stored(size_bytes);
        }
        // The row decides what is answered. A video that is left over is the next start's.
        if let Err(error) = self.of_clips(self.clips.settle(name, has_row).await) {
            log::warn!("{error}");
        }
        added.map(|added| added.receipt)
    }

    /// A stored clip to be read; one that has no row any more has no bytes.
    pub(crate) async fn open_clip(&self, name: String) -> Result<OpenClip, StoreError> {
        let manifest = self.of_rows(self.rows.manifest(name.clone()).await)?;
        Ok(OpenClip { name, manifest })
    }

    /// The most that it is wise to read of a clip at once.
    pub(crate) fn read_most(&self) -> usize {
        self.clips.read_most()
    }

    /// As much of a clip as there is of `length` bytes from `offset`; nothing of one that is gone.
    pub(crate) async fn read_clip(&self, clip: &OpenClip, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        match &clip.manifest {
            Some(manifest) => {
                let (name, manifest) = (clip.name.clone(), manifest.clone());
                self.of_clips(self.clips.read(name, manifest, offset, length).await)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Removes the bytes of clips, for good; says of each what stood in the way.
    pub(crate) async fn remove_clips(&self, clips: Vec<(String, String)>) -> Vec<Result<(), StoreError>> {
        let count = clips.len();
        let removed = self.clips.remove(clips).await;
        let removed = removed.unwrap_or_else(|error| vec![Err(error); count]);
        removed.into_iter().map(|one| self.of_clips(one)).collect()
    }

    /// The time by the clock that stamps rows, in milliseconds since 1970.
    pub(crate) async fn now_ms(&self) -> Result<i64, StoreError> {
        self.of_rows(self.rows.now_ms().await)
    }

    /// Removes what crashes left of clips long ago: a page of what there is, and where the next begins. Nothing in a place
    /// that is another database's, and nothing that is young by the database's clock or by ours: either may be wrong.
    pub(crate) async fn sweep(&self, from: Option<String>) -> Result<Option<String>, StoreError> {
        if !self.owns_clips().await? {
            return Ok(None);
        }
        let now_ms = self.now_ms().await?.min(clock::unix_ms());
        let page = self.of_clips(self.clips.leftovers(from, now_ms).await)?;
        let owned = self.rows.owned(page.names.clone()).await?;
        for name in page.names {
            if !owned.contains(&name) && self.clips.remove_leftover(name.clone(), now_ms).await? {
                log::info!("removed {name}: it has had no row for a day");
            }
        }
        Ok(page.next)
    }

    /// Whether rows, and whether clips can be stored; writes nothing to find out while all is well.
    pub(crate) async fn check(&self) -> (Result<(), StoreError>, Result<(), StoreError>) {
        let (rows, clips) = tokio::join!(self.rows.check(), self.clips.check());
        (self.of_rows(rows), self.of_clips(clips))
    }

    /// How much the database has to do for those who store.
    pub(crate) fn load(&self) -> Load {
        self.rows.load()
    }
}

/// Runs what waits for a disk on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| rows::lost("a thread"))?
}

/// Makes a folder's names durable.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::file(folder))
}

/// Lets every row of a SQLite have come so many days earlier.
#[cfg(test)]
pub(crate) fn age_days(data: &Path, days: i32) {
    sqlite::SqliteRows::age_days(&data.join("receiver.db"), days);
}
