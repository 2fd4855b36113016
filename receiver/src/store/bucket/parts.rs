//! Videos that arrive in several requests, to whichever receiver: each goes on where the manifest ends.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::objects::{OBJECT_BYTES, Objects};
use super::{Bucket, BucketClips, lock};
use crate::store::row::StoredClip;
use crate::store::uploads::{Durable, Hold, PartSync, PartWriter, Parts, Prefix};
use crate::store::{Pending, StoreError, blocking};

/// Videos that are remembered to be untidy; of more, some stay so until they are deleted.
const UNTIDY_MOST: usize = 10_000;

impl Parts for BucketClips {
    fn prefix(&self, part: String, durable: Durable) -> Pending<'_, Option<Prefix>> {
        Box::pin(async move {
            let manifest = self.0.manifest(&part, &durable.manifest)?;
            let mut prefix = Prefix::default();
            for (piece, range) in manifest.within(0..durable.bytes) {
                let Some(bytes) = self.0.get(&part, &piece.object(), range).await? else {
                    return Ok(None);
                };
                let extending = move || {
                    prefix.extend(&bytes);
                    Ok(prefix)
                };
                prefix = blocking(extending).await?;
            }
            Ok((prefix.bytes() == durable.bytes).then_some(prefix))
        })
    }

    fn resume(&self, hold: Hold, manifest: String, prefix: Prefix) -> Pending<'_, Box<dyn PartWriter>> {
        Box::pin(async move {
            let manifest = self.0.manifest(&hold.part, &manifest)?.truncated(prefix.bytes());
            if manifest.bytes() != prefix.bytes() {
                return Err(self.0.failed(&format!("{}: its manifest has not all bytes", hold.part)));
            }
            let objects = Objects::new(Arc::clone(&self.0), hold.part.clone(), manifest);
            Ok(Box::new(BucketPart {
                bucket: Arc::clone(&self.0),
                hold,
                objects: Arc::new(Mutex::new(objects)),
                prefix,
            }) as Box<dyn PartWriter>)
        })
    }

    /// Its bytes are where they were.
    fn take_back(&self, part: String) -> Pending<'_, ()> {
        lock(&self.0.untidy).remove(&part);
        Box::pin(async { Ok(()) })
    }

    fn remove_part(&self, part: String) -> Pending<'_, ()> {
        Box::pin(async move { self.0.remove(&part).await })
    }

    /// Which they are, the database knows.
    fn parts(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct BucketPart {
    bucket: Arc<Bucket>,
    hold: Hold,
    objects: Arc<Mutex<Objects>>,
    prefix: Prefix,
}

impl PartWriter for BucketPart {
    fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn sync(&self) -> Result<Box<dyn PartSync>, StoreError> {
        Ok(Box::new(BucketSync(Arc::clone(&self.objects))))
    }

    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError> {
        let mut objects = lock(&self.objects);
        objects.flush()?;
        // Somebody held it before, and may have left objects behind.
        if self.hold.epoch > 1 {
            let mut untidy = lock(&self.bucket.untidy);
            if untidy.len() < UNTIDY_MOST {
                untidy.insert(self.hold.part.clone(), objects.manifest().clone());
            }
        }
        Ok(StoredClip {
            name: self.hold.part.clone(),
            size_bytes: self.prefix.bytes(),
            sha256: self.prefix.sha256_hex(),
            manifest: objects.manifest().to_string(),
        })
    }
}

impl Write for BucketPart {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // No more at a time than what is told to be there when a piece fails.
        let bytes = bytes.get(..OBJECT_BYTES).unwrap_or(bytes);
        let count = lock(&self.objects).write(bytes)?;
        self.prefix.extend(bytes);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct BucketSync(Arc<Mutex<Objects>>);

impl PartSync for BucketSync {
    fn sync(&self, bytes: u64) -> Result<Durable, StoreError> {
        let mut objects = lock(&self.0);
        let flushed = objects.flush();
        let manifest = objects.manifest().truncated(bytes);
        if manifest.bytes() == 0 {
            flushed?;
        }
        Ok(Durable {
            bytes: manifest.bytes(),
            manifest: manifest.to_string(),
        })
    }
}
