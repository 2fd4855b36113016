//! Videos as objects of a bucket.
//!
//! A video is a folder of objects, the pieces of it as they came, and its manifest names those that count. So nothing is
//! copied together, and who was replaced while writing changes nothing. No mark says which videos have rows: what a crash
//! leaves without one is found by its age.

mod error;
mod health;
mod leftovers;
mod manifest;
mod objects;
#[cfg(test)]
mod on_s3;
mod owner;
mod parts;
mod settings;
mod writer;

use std::collections::HashMap;
use std::future::Future;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;

use super::clips::{ClipWriter, Clips, Leftovers};
use super::{Pending, StoreError};
use error::reason;
use health::Health;
use manifest::Manifest;
use objects::Objects;
pub(crate) use settings::BucketSettings;
use writer::BucketWriter;

/// How long anything may take, all tries together: who waits gets 503 then, and not an answer that never comes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Age from which a video without a row is nobody's: longer than any request or upload is silent.
const LEFT_AFTER_MS: i64 = 24 * 3_600 * 1_000;

/// Bytes read at once, at most: half an object.
const READ_MOST: usize = 2 << 20;

/// Clips that are removed at a time.
const REMOVED_AT_A_TIME: usize = 8;

/// A place for videos that any number of receivers share.
pub(super) struct BucketClips(Arc<Bucket>);

struct Bucket {
    objects: AmazonS3,
    keys_hint: &'static str,
    settings: BucketSettings,
    /// Where threads that may wait have their requests made.
    runtime: Handle,
    health: Mutex<Health>,
    /// Videos in whose folder there may be objects that do not count, with those that do.
    untidy: Mutex<HashMap<String, Manifest>>,
    left_after_ms: i64,
}

impl BucketClips {
    /// Asks nobody: a bucket that is away comes back by itself.
    pub(super) fn open(settings: &BucketSettings) -> Result<Self, StoreError> {
        Self::leaving(settings, LEFT_AFTER_MS)
    }

    pub(super) fn leaving(settings: &BucketSettings, left_after_ms: i64) -> Result<Self, StoreError> {
        let (objects, keys_hint) = settings.connect()?;
        Ok(Self(Arc::new(Bucket {
            objects,
            keys_hint,
            settings: settings.clone(),
            runtime: Handle::current(),
            health: Mutex::default(),
            untidy: Mutex::default(),
            left_after_ms,
        })))
    }
}

/// What a move needs.
impl BucketClips {
    /// The way into a video's objects.
    pub(super) fn objects_of(&self, name: &str) -> Objects {
        Objects::new(Arc::clone(&self.0), name.to_string(), Manifest::default())
    }

    /// Removes the objects of a video that do not count.
    pub(super) async fn tidy(&self, name: &str, counted: &Manifest) {
        self.0.tidy(name, counted).await;
    }
}

impl Clips for BucketClips {
    fn begin(&self) -> Pending<'_, Box<dyn ClipWriter>> {
        Box::pin(async { Ok(Box::new(BucketWriter::begin(Arc::clone(&self.0))) as Box<dyn ClipWriter>) })
    }

    /// Which they are, time shows.
    fn unsettled(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn settle(&self, name: String, has_row: bool) -> Pending<'_, ()> {
        Box::pin(async move {
            let counted = lock(&self.0.untidy).remove(&name);
            if !has_row {
                return self.0.remove(&name).await;
            }
            if let Some(counted) = counted {
                let bucket = Arc::clone(&self.0);
                self.0.runtime.spawn(async move { bucket.tidy(&name, &counted).await });
            }
            Ok(())
        })
    }

    fn read_most(&self) -> usize {
        READ_MOST
    }

    fn read(&self, name: String, manifest: String, offset: u64, length: usize) -> Pending<'_, Vec<u8>> {
        Box::pin(async move {
            let manifest = self.0.manifest(&name, &manifest)?;
            let mut read = Vec::with_capacity(length.min(usize::try_from(manifest.bytes()).unwrap_or(length)));
            let end = offset.saturating_add(length as u64);
            for (piece, range) in manifest.within(offset..end) {
                match self.0.get(&name, &piece.object(), range).await? {
                    Some(bytes) => read.extend_from_slice(&bytes),
                    None => break,
                }
            }
            Ok(read)
        })
    }

    fn remove(&self, clips: Vec<(String, String)>) -> Pending<'_, Vec<Result<(), StoreError>>> {
        Box::pin(async move {
            let removing = clips
                .into_iter()
                .map(|(name, _)| async move { self.0.remove(&name).await });
            Ok(futures_util::stream::iter(removing)
                .buffered(REMOVED_AT_A_TIME)
                .collect()
                .await)
        })
    }

    fn check(&self) -> Pending<'_, ()> {
        Box::pin(self.0.check())
    }

    fn leftovers(&self, from: Option<String>, now_ms: i64) -> Pending<'_, Leftovers> {
        Box::pin(self.0.leftovers(from, now_ms))
    }

    fn remove_leftover(&self, name: String, now_ms: i64) -> Pending<'_, bool> {
        Box::pin(async move { self.0.remove_old(&name, now_ms).await })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    /// The folder of a video.
    fn folder(&self, name: &str) -> Path {
        self.settings.prefix.clone().join(name)
    }

    /// What all that is here begins with.
    fn listed(&self) -> String {
        match self.settings.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    fn object(&self, name: &str, object: &str) -> Path {
        self.folder(name).join(object)
    }

    fn failed(&self, reason: &str) -> StoreError {
        StoreError::Unavailable(format!("{}: {reason}", self.settings))
    }

    fn manifest(&self, name: &str, text: &str) -> Result<Manifest, StoreError> {
        let unreadable = || self.failed(&format!("{name}: its manifest is none: {}", text.escape_debug()));
        Manifest::parse(text).ok_or_else(unreadable)
    }

    /// What is there, or not, within the time that anything may take; `None` when it is not there.
    async fn ask<T>(&self, asked: impl Future<Output = object_store::Result<T>>) -> Result<Option<T>, StoreError> {
        match tokio::time::timeout(DEADLINE, asked).await {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(error @ object_store::Error::NotFound { .. })) => {
                let reason = reason(&error);
                // Without its bucket nothing is known of an object.
                if reason.contains("no such bucket") {
                    return Err(self.failed(&reason));
                }
                Ok(None)
            }
            Ok(Err(error)) => Err(self.failed(&reason(&error))),
            Err(_) => Err(self.failed(&format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn put(&self, object: Path, bytes: PutPayload) -> Result<(), StoreError> {
        let put = self.ask(self.objects.put(&object, bytes)).await;
        let put = put.and_then(|done| {
            done.map(|_| ())
                .ok_or_else(|| self.failed("nothing there takes an object"))
        });
        let mut health = lock(&self.health);
        health.asked = None;
        health.trouble = put.as_ref().err().cloned();
        put
    }

    async fn get(
        &self,
        name: &str,
        object: &str,
        range: Range<u64>,
    ) -> Result<Option<impl Deref<Target = [u8]> + Send + use<>>, StoreError> {
        let object = self.object(name, object);
        self.ask(self.objects.get_range(&object, range)).await
    }
}
