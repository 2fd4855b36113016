//! A video on its way into its objects: one is filled while the one before it is sent.

use std::io;
use std::sync::Arc;

use object_store::PutPayloadMut;
use tokio::task::JoinHandle;

use super::Bucket;
use super::manifest::Manifest;
use crate::store::StoreError;

/// Bytes of an object. Two of them are what a clip on its way costs: one that is filled, and one that is sent.
pub(super) const OBJECT_BYTES: usize = 4 << 20;

/// Bytes in one piece of memory: a small clip needs no more.
const CHUNK_BYTES: usize = 256 << 10;

fn empty() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(CHUNK_BYTES)
}

/// Used on threads that may wait.
pub(in crate::store) struct Objects {
    bucket: Arc<Bucket>,
    name: String,
    writer: u64,
    /// What is there.
    manifest: Manifest,
    buffer: PutPayloadMut,
    /// What is sent, and how much that is.
    sending: Option<(JoinHandle<Result<(), StoreError>>, u64)>,
    /// Why no more is taken: a gap would be the end of it.
    failed: Option<StoreError>,
}

impl Objects {
    /// Goes on after what is there.
    pub(super) fn new(bucket: Arc<Bucket>, name: String, manifest: Manifest) -> Self {
        Self {
            bucket,
            name,
            writer: uuid::Uuid::new_v4().as_u64_pair().1,
            manifest,
            buffer: empty(),
            sending: None,
            failed: None,
        }
    }

    /// Takes bytes, and waits where they come faster than the bucket takes them.
    pub(in crate::store) fn write(&mut self, mut bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len();
        while !bytes.is_empty() {
            // No more than the end of a block: what goes over it would make a block of any size.
            let filled = self.buffer.content_length();
            let (now, rest) = bytes.split_at(bytes.len().min(CHUNK_BYTES - filled % CHUNK_BYTES));
            self.buffer.extend_from_slice(now);
            bytes = rest;
            if self.buffer.content_length() >= OBJECT_BYTES {
                self.send().map_err(io::Error::other)?;
            }
        }
        Ok(count)
    }

    /// Waits for what is sent, then sends what is buffered.
    fn send(&mut self) -> Result<(), StoreError> {
        self.wait()?;
        let payload = std::mem::replace(&mut self.buffer, empty()).freeze();
        let bytes = payload.content_length() as u64;
        let mut next = self.manifest.clone();
        next.push(self.writer, bytes);
        let Some(object) = next.pieces().last().map(super::manifest::Piece::object) else {
            return Ok(());
        };
        let (bucket, object) = (Arc::clone(&self.bucket), self.bucket.object(&self.name, &object));
        let sending = self
            .bucket
            .runtime
            .spawn(async move { bucket.put(object, payload).await });
        self.sending = Some((sending, bytes));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), StoreError> {
        if let Some((sending, bytes)) = self.sending.take() {
            let sent = self.bucket.runtime.block_on(sending);
            match sent.unwrap_or_else(|_| Err(self.bucket.failed("this receiver ends"))) {
                Ok(()) => self.manifest.push(self.writer, bytes),
                Err(error) => self.failed = Some(error),
            }
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Makes all durable that was taken.
    pub(in crate::store) fn flush(&mut self) -> Result<(), StoreError> {
        if self.buffer.content_length() > 0 {
            self.send()?;
        }
        self.wait()
    }

    /// What is durable.
    pub(in crate::store) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Removes what this writer has sent, once that has come to its end; waits for nothing.
    pub(super) fn take_away(mut self) {
        if self.sending.is_none() && self.manifest.bytes() == 0 {
            return;
        }
        let runtime = self.bucket.runtime.clone();
        runtime.spawn(async move {
            if let Some((sending, _)) = self.sending.take() {
                let _ = sending.await;
            }
            // What is left over is found by its age.
            if let Err(error) = self.bucket.remove(&self.name).await {
                log::warn!("{error}");
            }
        });
    }
}
