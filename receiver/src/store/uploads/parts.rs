//! What is asked of a place for videos that arrive in several requests.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::rows::{Durable, Hold};
use crate::store::row::StoredClip;
use crate::store::{Pending, StoreError};

/// The first bytes of a video, and what SHA-256 has made of them.
#[derive(Clone, Default)]
pub(crate) struct Prefix {
    sha256: Sha256,
    bytes: u64,
}

impl Prefix {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    /// As a row has it.
    pub(in crate::store) fn sha256_hex(&self) -> String {
        self.sha256().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(in crate::store) fn extend(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

/// Parts: videos that are not whole yet.
pub(crate) trait Parts: Send + Sync {
    /// Reads the first bytes of a part; `None` when there are fewer, or they can't be read any more.
    fn prefix(&self, part: String, durable: Durable) -> Pending<'_, Option<Prefix>>;

    /// Goes on after `prefix`, which the manifest is of; what came after it is cut off. Without one byte of it the part
    /// need not be there.
    fn resume(&self, hold: Hold, manifest: String, prefix: Prefix) -> Pending<'_, Box<dyn PartWriter>>;

    /// Makes a part again of what was completed and has no row. For who holds its upload, or is alone, as any change of a part.
    fn take_back(&self, part: String) -> Pending<'_, ()>;

    /// Removes a part that may be gone already.
    fn remove_part(&self, part: String) -> Pending<'_, ()>;

    fn parts(&self) -> Pending<'_, Vec<String>>;
}

/// A part that grows, on a thread that may block. Dropped, it leaves what it has.
pub(crate) trait PartWriter: Write + Send {
    /// What is there, durable or not.
    fn prefix(&self) -> &Prefix;

    /// A way to make durable, from any thread, what has been written.
    fn sync(&self) -> Result<Box<dyn PartSync>, StoreError>;

    /// Makes a clip of it: all of it durable, to be settled as any other. Where that fails, it may be half done, and is taken
    /// back.
    fn complete(self: Box<Self>) -> Result<StoredClip, StoreError>;
}

pub(crate) trait PartSync: Send + Sync {
    /// Makes the first `bytes` durable, which were written before. Fewer of them where the rest failed: the writer fails
    /// then, too.
    fn sync(&self, bytes: u64) -> Result<Durable, StoreError>;
}

/// Prefixes to remember: reading one again costs a second per gigabyte.
const REMEMBERED: usize = 1_024;

/// The prefixes of parts that were written here last. Bytes before a saved offset never change, so that what is remembered
/// for that offset holds whoever wrote meanwhile.
#[derive(Default)]
pub(in crate::store) struct Prefixes(Mutex<(HashMap<String, Prefix>, VecDeque<String>)>);

impl Prefixes {
    pub(super) fn put(&self, part: &str, prefix: Prefix) {
        let (known, order) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert(part.to_string(), prefix).is_none() {
            order.push_back(part.to_string());
        }
        while order.len() > REMEMBERED {
            if let Some(oldest) = order.pop_front() {
                known.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&self, part: &str) {
        let (known, order) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.remove(part).is_some() {
            order.retain(|other| other != part);
        }
    }

    pub(super) fn get(&self, part: &str, bytes: u64) -> Option<Prefix> {
        if bytes == 0 {
            return Some(Prefix::default());
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.get(part).filter(|prefix| prefix.bytes == bytes).cloned()
    }
}
