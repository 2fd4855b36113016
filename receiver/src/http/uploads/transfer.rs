//! Bytes of an upload on their way to its part. What came before a break is kept, and durable before its offset is told.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::checksum::Checksum;
use super::handover::{Taker, handover};
use super::headers;
use super::report::{End, Reached, Report, lost, reason};
use crate::answer::Refusal;
use crate::http::App;
use crate::http::body::BodyReader;
use crate::store::{Held, Key, PartWriter, Prefix, Then};

/// Bytes that go on an upload.
pub(super) struct Transfer {
    pub(super) app: Arc<App>,
    pub(super) held: Held,
    /// What is there.
    pub(super) prefix: Prefix,
    pub(super) checksum: Option<Checksum>,
    pub(super) key: Option<Key>,
}

impl Transfer {
    /// Takes a body. Not to be dropped half-way: the caller sees to that.
    pub(super) async fn run(mut self, pieces: &mut BodyReader) -> Result<Reached, Refusal> {
        let start = self.prefix.clone();
        let upload = self.held.upload.clone();
        let mut report = Report::new(Arc::clone(&self.app), upload.clone(), self.checksum.is_none());
        // Not before the first bytes are there: many connections that send nothing must not make as many files.
        let first = report.next(pieces, &mut self.held).await;
        let first = match first {
            Ok(first) if first.is_some() || upload.length_bytes == 0 => first,
            Ok(_) => return report.let_go(start, End::Body).await,
            Err(end) => return report.let_go(start, end).await,
        };
        if let Err(end) = report.renew().await {
            return report.let_go(start, end).await;
        }
        let opened = self.app.store.resume(&upload, self.prefix).await;
        let opened = opened.and_then(|writer| Ok((writer.sync()?, writer)));
        let (sync, writer) = match opened {
            Ok(opened) => opened,
            Err(error) => return report.let_go(start, End::Refused(Refusal::unavailable(error))).await,
        };
        report.sync = Some(Arc::from(sync));
        let (giver, taker) = handover();
        let (written, checksum) = (Arc::clone(&report.written), self.checksum);
        let writing = tokio::task::spawn_blocking(move || write(writer, taker, checksum, &written));
        let end = report.feed(first, pieces, giver, &mut self.held).await;
        let done = writing.await.map_err(Refusal::unavailable)?;
        report.finish(start, done, end, self.key).await
    }
}

/// What the writing thread leaves.
struct Done {
    writer: Box<dyn PartWriter>,
    checksum: Option<Checksum>,
    written: std::io::Result<()>,
}

fn write(mut writer: Box<dyn PartWriter>, pieces: Taker, mut checksum: Option<Checksum>, count: &AtomicU64) -> Done {
    let written = pieces.each(|piece| {
        let written = writer.write_all(piece);
        count.store(writer.prefix().bytes(), Ordering::Release);
        written?;
        if let Some(checksum) = &mut checksum {
            checksum.update(piece);
        }
        Ok(())
    });
    Done {
        writer,
        checksum,
        written,
    }
}

impl Report {
    async fn finish(mut self, start: Prefix, done: Done, mut end: End, key: Option<Key>) -> Result<Reached, Refusal> {
        if self.saving.is_some() {
            if let Err(other) = self.saved().await {
                end = other;
            }
        }
        if let Err(error) = done.written {
            end = End::Refused(Refusal::unavailable(error));
        }
        if let Some(checksum) = done.checksum {
            if matches!(end, End::Body) {
                end = checksum.check().map_or_else(End::Refused, |()| End::Body);
            }
            if !matches!(end, End::Body) {
                return self.let_go(start, end).await;
            }
        }
        let prefix = done.writer.prefix().clone();
        let is_whole = prefix.bytes() == self.upload.length_bytes;
        if is_whole && !matches!(end, End::Lost) {
            return self.complete(done.writer, key).await;
        }
        self.let_go(prefix, end).await
    }

    async fn complete(mut self, writer: Box<dyn PartWriter>, key: Option<Key>) -> Result<Reached, Refusal> {
        if let Err(end) = self.renew().await {
            return Err(match end {
                End::Lost => lost(&self.app, &self.upload).await,
                end => reason(end),
            });
        }
        let clip = headers::clip(&self.upload.metadata)?;
        let stored = self.app.store.complete_upload(&self.upload, writer, clip, key).await;
        match stored {
            Ok(Some(receipt)) => {
                self.app.committed();
                Ok(Reached::Whole(receipt))
            }
            Ok(None) => Err(lost(&self.app, &self.upload).await),
            Err(error) => {
                let hold = self.upload.hold();
                let let_go = self.app.store.save_upload(hold, self.saved, Then::LetsGo);
                if let Err(error) = let_go.await {
                    log::warn!("{error}");
                }
                Err(Refusal::unavailable(error))
            }
        }
    }
}
