//! Clips that arrive in several requests: one holder at a time writes a part, tells how much of it is durable, and in the
//! end makes a clip of it like any other.

mod holders;
mod parts;
mod rows;

use std::time::Duration;

use uuid::Uuid;

use super::row::{Added, Content, NewRow};
use super::{Key, Receipt, Store, StoreError, blocking};
use crate::clock;
use crate::record::Clip;
pub(super) use holders::Holders;
pub(crate) use holders::{Stop, Why};
pub(super) use parts::Prefixes;
pub(crate) use parts::{PartSync, PartWriter, Parts, Prefix};
pub(crate) use rows::{Claim, Created, Durable, Hold, KEPT_MS, LEASE_MS, NewUpload, Saved, Then, Upload, UploadRows};

/// How long the next one waits for a holder that was asked to save and stop.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it looks.
const CLAIM_POLL: Duration = Duration::from_millis(20);

/// An upload that is the caller's to write.
pub(crate) struct Held {
    pub(crate) upload: Upload,
    /// Says when somebody else waits for it.
    pub(crate) stop: Stop,
}

/// What came of the wish for an upload.
pub(crate) enum Wish {
    Held(Held),
    /// It is not to be written: it is complete, or was only to be seen.
    Seen(Upload),
    Gone,
    /// Its holder does not let it go.
    Locked,
}

impl Store {
    /// Creates an upload, or finds the one that is there.
    pub(crate) async fn create_upload(&self, new: NewUpload) -> Result<Created, StoreError> {
        // Version 7: names that sort by arrival.
        let (id, part) = (new.id.clone(), Uuid::now_v7().to_string());
        let created = self.of_rows(self.rows.create_upload(new, part, clock::unix_ms()).await)?;
        if let Some(part) = &created.dropped_part {
            self.holders.ask_to_stop(&id);
            self.remove_part(part.clone()).await;
        }
        Ok(created)
    }

    pub(crate) async fn upload(&self, id: &str) -> Result<Option<Upload>, StoreError> {
        self.rows.upload(id.to_string(), clock::unix_ms()).await
    }

    /// Takes an upload; who holds it is asked to save and stop.
    pub(crate) async fn claim_upload(&self, id: &str) -> Result<Wish, StoreError> {
        let wait = async {
            loop {
                // One of this receiver must be gone whatever its lease says: two must never write one file.
                let claim = if self.holders.ask_to_stop(id) {
                    Claim::Held
                } else {
                    self.rows.claim_upload(id.to_string(), clock::unix_ms()).await?
                };
                match claim {
                    Claim::Gone => return Ok(Wish::Gone),
                    Claim::Taken(upload) if upload.is_complete => return Ok(Wish::Seen(upload)),
                    Claim::Taken(upload) => {
                        let stop = self.holders.add(&upload.hold(), id);
                        return Ok(Wish::Held(Held { upload, stop }));
                    }
                    Claim::Held => tokio::time::sleep(CLAIM_POLL).await,
                }
            }
        };
        let claimed = tokio::time::timeout(CLAIM_TIMEOUT, wait).await;
        claimed.unwrap_or(Ok(Wish::Locked))
    }

    /// An upload as it is when nobody writes it.
    pub(crate) async fn quiet_upload(&self, id: &str) -> Result<Wish, StoreError> {
        let now_ms = clock::unix_ms();
        match self.rows.upload(id.to_string(), now_ms).await? {
            None => return Ok(Wish::Gone),
            Some(upload) if upload.is_complete => return Ok(Wish::Seen(upload)),
            Some(upload) if upload.lease_until_ms <= now_ms && !self.holders.ask_to_stop(id) => {
                return Ok(Wish::Seen(upload));
            }
            Some(_) => {}
        }
        let wish = self.claim_upload(id).await?;
        let Wish::Held(Held { upload, stop: _ }) = wish else {
            return Ok(wish);
        };
        self.save_upload(upload.hold(), upload.durable.clone(), Then::LetsGo)
            .await?;
        Ok(Wish::Seen(upload))
    }

    /// What is there of an upload that nobody seems to write; `None` where that can't be told now.
    pub(crate) async fn prefix_seen(&self, upload: &Upload) -> Result<Option<Prefix>, StoreError> {
        let read = self.read_prefix(upload).await?;
        if read.is_some() {
            return Ok(read);
        }
        // Its holder may only be slow: nothing is touched that is not held.
        let Wish::Held(Held { upload, stop: _stop }) = self.claim_upload(&upload.id).await? else {
            return Ok(None);
        };
        let prefix = self.prefix(&upload).await?;
        if prefix.is_some() {
            self.save_upload(upload.hold(), upload.durable.clone(), Then::LetsGo)
                .await?;
        }
        Ok(prefix)
    }

    /// What is there of an upload that is held. One whose bytes are gone is forgotten: then there is none.
    pub(crate) async fn prefix(&self, upload: &Upload) -> Result<Option<Prefix>, StoreError> {
        let mut prefix = self.read_prefix(upload).await?;
        if prefix.is_none() {
            // An answer that was lost may have left it complete without a row.
            if !self.take_back(upload).await? {
                return Ok(None);
            }
            prefix = self.read_prefix(upload).await?;
        }
        if prefix.is_none() {
            log::error!("{}: the bytes of an upload are gone; it begins anew", upload.part);
            self.delete_upload(upload).await?;
        }
        Ok(prefix)
    }

    async fn read_prefix(&self, upload: &Upload) -> Result<Option<Prefix>, StoreError> {
        if let Some(prefix) = self.prefixes.get(&upload.part, upload.durable.bytes) {
            return Ok(Some(prefix));
        }
        let prefix = self.clips.prefix(upload.part.clone(), upload.durable.clone()).await?;
        if let Some(prefix) = &prefix {
            self.prefixes.put(&upload.part, prefix.clone());
        }
        Ok(prefix)
    }

    /// Makes a part again of what was completed; `false` where the upload is not the caller's any more. While it is, no row
    /// names the clip, and nobody else can store one.
    async fn take_back(&self, upload: &Upload) -> Result<bool, StoreError> {
        let saved = self.save_upload(upload.hold(), upload.durable.clone(), Then::GoesOn);
        if saved.await? == Saved::Lost {
            return Ok(false);
        }
        self.clips.take_back(upload.part.clone()).await?;
        Ok(true)
    }

    /// Goes on writing a part after its durable bytes.
    pub(crate) async fn resume(&self, upload: &Upload, prefix: Prefix) -> Result<Box<dyn PartWriter>, StoreError> {
        let manifest = upload.durable.manifest.clone();
        let resumed = self.of_clips(self.clips.resume(upload.hold(), manifest, prefix).await);
        if resumed.is_err() {
            self.prefixes.forget(&upload.part);
        }
        resumed
    }

    /// Tells how much of an upload is durable.
    pub(crate) async fn save_upload(&self, hold: Hold, durable: Durable, then: Then) -> Result<Saved, StoreError> {
        self.of_rows(self.rows.save_upload(hold, durable, then, clock::unix_ms()).await)
    }

    /// Remembers what is there at a saved offset.
    pub(crate) fn remember(&self, upload: &Upload, prefix: Prefix) {
        self.prefixes.put(&upload.part, prefix);
    }

    /// Makes a clip of an upload that is whole; `None` when the upload is not the caller's any more. Not to be dropped
    /// half-way: the caller sees to that.
    pub(crate) async fn complete_upload(
        &self,
        upload: &Upload,
        video: Box<dyn PartWriter>,
        clip: Clip,
        key: Option<Key>,
    ) -> Result<Option<Receipt>, StoreError> {
        self.prefixes.forget(&upload.part);
        let stored = match self.of_clips(blocking(move || video.complete()).await) {
            Ok(stored) => stored,
            Err(error) => {
                // No row was asked for yet: it may still be gone on with.
                if let Err(error) = self.take_back(upload).await {
                    log::warn!("{error}");
                }
                return Err(error);
            }
        };
        let (name, size_bytes) = (stored.name.clone(), stored.size_bytes);
        let content = Content::Clip(clip, stored);
        let row = NewRow { content, key };
        let added = self.of_rows(self.rows.complete_upload(upload.hold(), row, clock::unix_ms()).await);
        if matches!(added, Ok(Some(Added { is_new: true, .. }))) {
            self.clip_stored(size_bytes);
        }
        let settled = match &added {
            Ok(Some(Added { is_new, .. })) => self.clips.settle(name, *is_new).await,
            // Another one holds it, and takes it back or completes it; or it is ended.
            Ok(None) => self.settle_ended(upload, name).await,
            Err(StoreError::Unavailable(_)) => self.take_back(upload).await.map(drop),
            // Who asks next finds out.
            Err(StoreError::Uncertain(_)) => Ok(()),
        };
        if let Err(error) = settled {
            log::warn!("{error}");
        }
        Ok(added?.map(|added| added.receipt))
    }

    /// Removes what was completed of an upload that is no more.
    async fn settle_ended(&self, upload: &Upload, name: String) -> Result<(), StoreError> {
        // In this order: an upload that is not awaited any more has its row already.
        if self.rows.awaits_part(upload.part.clone()).await? || self.rows.names_clip(name.clone()).await? {
            return Ok(());
        }
        self.clips.settle(name, false).await
    }

    /// Forgets an upload that is held, and its bytes; `false` when it is not the caller's any more.
    pub(crate) async fn delete_upload(&self, upload: &Upload) -> Result<bool, StoreError> {
        let deleted = self.rows.delete_upload(upload.hold()).await?;
        if deleted {
            self.remove_part(upload.part.clone()).await;
        }
        Ok(deleted)
    }

    /// A holder lost its upload: what it wrote since is nobody's, if another part took its place or the upload was ended.
    pub(crate) async fn abandon(&self, upload: &Upload) {
        match self.rows.awaits_part(upload.part.clone()).await {
            Ok(true) => {}
            Ok(false) => self.remove_part(upload.part.clone()).await,
            // The next start's.
            Err(error) => log::warn!("{error}"),
        }
    }

    /// Forgets uploads that nobody continued.
    pub(crate) async fn expire_uploads(&self) -> Result<(), StoreError> {
        for part in self.rows.expire_uploads(clock::unix_ms()).await? {
            log::info!("{part}: nobody continued this upload, it is forgotten");
            self.remove_part(part).await;
        }
        Ok(())
    }

    /// Removes parts whose upload is forgotten. A part comes after its upload, so that one without is nobody's.
    pub(super) async fn sweep_parts(&self) -> Result<(), StoreError> {
        for part in self.clips.parts().await? {
            if !self.rows.awaits_part(part.clone()).await? {
                self.clips.remove_part(part).await?;
            }
        }
        Ok(())
    }

    /// Uploads that somebody writes here now.
    pub(crate) fn uploads_held(&self) -> usize {
        self.holders.count()
    }

    /// Asks all holders to save and stop.
    pub(crate) fn end_uploads(&self) {
        self.holders.end();
    }

    async fn remove_part(&self, part: String) {
        self.prefixes.forget(&part);
        // What is left over is the next start's.
        if let Err(error) = self.clips.remove_part(part).await {
            log::warn!("{error}");
        }
    }
}
