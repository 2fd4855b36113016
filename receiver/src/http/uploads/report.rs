//! What the database is told of an upload while it comes: how much is durable, and that its holder is alive.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::conflict;
use super::handover::Giver;
use crate::answer::Refusal;
use crate::http::App;
use crate::http::body::BodyReader;
use crate::store::{Durable, Held, PartSync, Prefix, Receipt, Saved, StoreError, Then, Upload, Why};

/// Bytes and time after which what came is made durable while more comes: a power cut costs no more than that.
const SAVE_EVERY_BYTES: u64 = 32 << 20;
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// Age at which a lease is renewed before anything is written: a third of it, so that a slow commit is no loss.
const RENEW_AFTER: Duration = Duration::from_secs(5);

/// Who is asked to stop takes what has arrived already, as a line that broke may have left it: until nothing comes for so
/// long, and no longer than this.
const STOP_SILENT: Duration = Duration::from_millis(20);
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// Why no more is written.
pub(super) enum End {
    /// The body is over.
    Body,
    Refused(Refusal),
    Asked(Why),
    /// Somebody else holds the upload.
    Lost,
    /// The writer has the reason.
    Writer,
}

/// How far an upload has come.
pub(super) enum Reached {
    Part(Prefix),
    Whole(Receipt),
}

/// A save on its way, and what it tells.
type Saving = JoinHandle<Result<(Saved, Durable), StoreError>>;

/// What the database is told of an upload.
pub(super) struct Report {
    pub(super) app: Arc<App>,
    pub(super) upload: Upload,
    pub(super) sync: Option<Arc<dyn PartSync>>,
    /// Bytes that are in the part, durable or not.
    pub(super) written: Arc<AtomicU64>,
    /// Whether bytes count before the request is over.
    tells: bool,
    /// What the database was told.
    pub(super) saved: Durable,
    /// When the last save began that succeeded.
    saved_at: Instant,
    pub(super) saving: Option<Saving>,
    /// Where, and when, the last save began.
    begun_bytes: u64,
    begun: Instant,
    /// Why it must end, and by when.
    stopping: Option<(Why, Instant)>,
}

impl Report {
    pub(super) fn new(app: Arc<App>, upload: Upload, tells: bool) -> Self {
        let (now, bytes) = (Instant::now(), upload.durable.bytes);
        let saved = upload.durable.clone();
        Self {
            app,
            upload,
            sync: None,
            written: Arc::new(AtomicU64::new(bytes)),
            tells,
            saved,
            saved_at: now,
            saving: None,
            begun_bytes: bytes,
            begun: now,
            stopping: None,
        }
    }

    fn begin_save(&mut self) {
        self.begun = Instant::now();
        self.begun_bytes = self.written.load(Ordering::Acquire);
        let bytes = self.begun_bytes;
        let (app, hold) = (Arc::clone(&self.app), self.upload.hold());
        // The last byte is told with the row alone.
        let moves = self.tells && bytes > self.saved.bytes && bytes < self.upload.length_bytes;
        let sync = self.sync.clone().filter(|_| moves);
        let mut durable = self.saved.clone();
        self.saving = Some(tokio::spawn(async move {
            if let Some(sync) = sync {
                let synced = tokio::task::spawn_blocking(move || sync.sync(bytes)).await;
                durable = synced.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))?;
            }
            let saved = app.store.save_upload(hold, durable.clone(), Then::GoesOn).await?;
            Ok((saved, durable))
        }));
    }

    /// Waits for the save on its way, for ever when there is none.
    pub(super) async fn saved(&mut self) -> Result<(), End> {
        let Some(saving) = &mut self.saving else {
            return pending().await;
        };
        let saved = saving.await;
        self.saving = None;
        let unavailable = |error: &dyn std::fmt::Display| End::Refused(Refusal::unavailable(error));
        let saved = saved.map_err(|error| unavailable(&error))?;
        let (saved, durable) = saved.map_err(|error| unavailable(&error))?;
        self.saved_at = self.begun;
        self.saved = durable;
        match saved {
            Saved::Kept => Ok(()),
            Saved::Wanted => Err(End::Asked(Why::Wanted)),
            Saved::Lost => Err(End::Lost),
        }
    }

    /// Nothing is written under a lease that may be over.
    pub(super) async fn renew(&mut self) -> Result<(), End> {
        while self.saved_at.elapsed() >= RENEW_AFTER {
            if self.saving.is_none() {
                self.begin_save();
            }
            self.saved().await?;
        }
        Ok(())
    }

    /// When what came is to be saved, though nothing more comes.
    fn due(&self) -> Option<Instant> {
        let is_saved = self.written.load(Ordering::Acquire) == self.begun_bytes;
        (self.saving.is_none() && !is_saved).then(|| self.begun + SAVE_EVERY)
    }

    pub(super) async fn next(&mut self, pieces: &mut BodyReader, held: &mut Held) -> Result<Option<Bytes>, End> {
        let mut next = pin!(pieces.next());
        loop {
            let due = self.due();
            let stopping = self.stopping;
            if let Some((why, _)) = stopping.filter(|(_, end)| Instant::now() >= *end) {
                return Err(End::Asked(why));
            }
            tokio::select! {
                biased;
                why = held.stop.asked(), if stopping.is_none() => {
                    self.stopping = Some((why, Instant::now() + STOP_TIMEOUT));
                }
                saved = self.saved() => saved?,
                next = &mut next => return next.map_err(End::Refused),
                () = tokio::time::sleep(STOP_SILENT), if stopping.is_some() => {
                    return Err(stopping.map_or(End::Lost, |(why, _)| End::Asked(why)));
                }
                () = at(due) => self.begin_save(),
            }
        }
    }

    /// Passes a body on until it ends, or must.
    pub(super) async fn feed(
        &mut self,
        mut next: Option<Bytes>,
        pieces: &mut BodyReader,
        mut giver: Giver,
        held: &mut Held,
    ) -> End {
        while let Some(piece) = next {
            if let Err(end) = self.renew().await {
                return end;
            }
            if !giver.give(piece).await {
                return End::Writer;
            }
            let unsaved_bytes = self.written.load(Ordering::Acquire) - self.begun_bytes;
            if self.saving.is_none() && unsaved_bytes >= SAVE_EVERY_BYTES {
                self.begin_save();
            }
            next = match self.next(pieces, held).await {
                Ok(next) => next,
                Err(end) => return end,
            };
        }
        End::Body
    }

    /// Makes durable what is there, and leaves the upload to the next request.
    pub(super) async fn let_go(self, prefix: Prefix, end: End) -> Result<Reached, Refusal> {
        if matches!(end, End::Lost) {
            return Err(lost(&self.app, &self.upload).await);
        }
        let (bytes, mut durable) = (prefix.bytes(), self.saved);
        let mut trouble = None;
        if let Some(sync) = self.sync.filter(|_| bytes > durable.bytes) {
            let synced = tokio::task::spawn_blocking(move || sync.sync(bytes)).await;
            match synced.map_err(Refusal::unavailable)? {
                Ok(synced) => durable = synced,
                Err(error) => trouble = Some(Refusal::unavailable(error)),
            }
            if durable.bytes < bytes && trouble.is_none() {
                trouble = Some(reason(End::Writer));
            }
        }
        let (app, upload) = (self.app, self.upload);
        let saved = app.store.save_upload(upload.hold(), durable, Then::LetsGo);
        let saved = saved.await.map_err(Refusal::unavailable)?;
        if saved == Saved::Lost {
            return Err(lost(&app, &upload).await);
        }
        if let Some(refusal) = trouble {
            return Err(refusal);
        }
        app.store.remember(&upload, prefix.clone());
        match end {
            End::Body => Ok(Reached::Part(prefix)),
            end => Err(reason(end)),
        }
    }
}

/// The upload is another's: nothing of what was written stays behind.
pub(super) async fn lost(app: &App, upload: &Upload) -> Refusal {
    app.store.abandon(upload).await;
    reason(End::Lost)
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}

pub(super) fn reason(end: End) -> Refusal {
    match end {
        End::Refused(refusal) => refusal,
        End::Asked(Why::Wanted) | End::Lost => conflict("une autre requête continue cet envoi"),
        End::Asked(Why::Ending) => Refusal::busy("le serveur s'arrête", 5),
        End::Body | End::Writer => Refusal::busy("l'écriture a échoué", 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_come_again_is_told_when() {
        for end in [End::Body, End::Writer, End::Asked(Why::Ending)] {
            let refusal = reason(end);
            assert_eq!((refusal.status.as_u16(), refusal.retry_after_s), (503, Some(5)));
        }
    }
}
