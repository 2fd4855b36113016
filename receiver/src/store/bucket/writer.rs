//! A clip from its first byte to its last object.

use std::io::{self, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Bucket;
use super::manifest::Manifest;
use super::objects::Objects;
use crate::store::StoreError;
use crate::store::clips::ClipWriter;
use crate::store::row::StoredClip;

pub(super) struct BucketWriter {
    name: String,
    /// Gone when it is complete.
    objects: Option<Objects>,
    hash: Sha256,
    size_bytes: u64,
}

impl BucketWriter {
    pub(super) fn begin(bucket: Arc<Bucket>) -> Self {
        // Version 7: names that sort by arrival, and tell their age.
        let name = Uuid::now_v7().to_string();
        Self {
            objects: Some(Objects::new(bucket, name.clone(), Manifest::default())),
            name,
            hash: Sha256::new(),
            size_bytes: 0,
        }
    }
}

impl Drop for BucketWriter {
    fn drop(&mut self) {
        if let Some(objects) = self.objects.take() {
            objects.take_away();
        }
    }
}

impl ClipWriter for BucketWriter {
    fn complete(mut self: Box<Self>) -> Result<StoredClip, StoreError> {
        let manifest = match &mut self.objects {
            Some(objects) => {
                objects.flush()?;
                objects.manifest().to_string()
            }
            None => String::new(),
        };
        self.objects = None;
        Ok(StoredClip {
            name: std::mem::take(&mut self.name),
            size_bytes: self.size_bytes,
            sha256: format!("{:x}", std::mem::take(&mut self.hash).finalize()),
            manifest,
        })
    }
}

impl Write for BucketWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(objects) = &mut self.objects {
            objects.write(bytes)?;
        }
        self.hash.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
