//! What is asked of a database for clips that arrive in several requests. Times are milliseconds since 1970 by the
//! caller's clock.

use crate::store::Pending;
use crate::store::row::{Added, NewRow};

/// How long a holder keeps an upload to itself without saying more.
pub(crate) const LEASE_MS: i64 = 15_000;

/// How long an upload is kept that nobody continues.
pub(crate) const KEPT_MS: i64 = sync_protocol::uploads::KEPT_DAYS as i64 * 24 * 3_600 * 1_000;

#[derive(Debug, Clone)]
pub(crate) struct NewUpload {
    /// What its address ends with.
    pub(crate) id: String,
    pub(crate) device_id: String,
    /// `Idempotency-Key`.
    pub(crate) key: Option<String>,
    /// `Upload-Metadata`.
    pub(crate) metadata: String,
    pub(crate) length_bytes: u64,
}

/// The first bytes of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Durable {
    pub(crate) bytes: u64,
    /// Where they are, in words of the place for videos alone. The database keeps it as it comes.
    pub(crate) manifest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) device_id: String,
    pub(crate) key: Option<String>,
    pub(crate) metadata: String,
    pub(crate) length_bytes: u64,
    /// Name of its bytes in the place for videos, and the beginning of its clip's.
    pub(crate) part: String,
    /// Never less than before.
    pub(crate) durable: Durable,
    /// Whether its clip has a row.
    pub(crate) is_complete: bool,
    pub(crate) epoch: i64,
    pub(crate) lease_until_ms: i64,
    pub(crate) expires_ms: i64,
}

impl Upload {
    /// What its holder shows.
    pub(crate) fn hold(&self) -> Hold {
        Hold {
            part: self.part.clone(),
            epoch: self.epoch,
        }
    }
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) upload: Upload,
    /// `false` when it was there before, with the same metadata and length.
    pub(crate) is_new: bool,
    /// The bytes of the one it takes the place of, which nobody needs any more.
    pub(crate) dropped_part: Option<String>,
}

/// Who may write an upload: one at a time, until somebody else gets a later epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    /// Not the id: one that was deleted may be created again.
    pub(crate) part: String,
    pub(crate) epoch: i64,
}

/// What became of the wish to write an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is the caller's; a complete one is nobody's, and only shown.
    Taken(Upload),
    /// Another one holds it, and is asked to let it go.
    Held,
    /// There is none, or it has expired.
    Gone,
}

/// What became of a holder's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    Kept,
    /// Kept, and somebody else waits for the upload.
    Wanted,
    /// Somebody else holds it, or it is gone: nothing was changed.
    Lost,
}

/// Whether a holder goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoesOn,
    LetsGo,
}

/// Uploads: who may write one, how much of it is there, until when it is kept.
pub(crate) trait UploadRows: Send + Sync {
    /// Creates an upload, or finds the one with its id. One with other metadata or another length, one that has expired,
    /// and a complete one whose clip is gone give their place to the new one. No other part has the name of its `part`.
    fn create_upload(&self, new: NewUpload, part: String, now_ms: i64) -> Pending<'_, Created>;

    /// An upload that has not expired.
    fn upload(&self, id: String, now_ms: i64) -> Pending<'_, Option<Upload>>;

    /// Takes an upload that nobody holds, or whose holder said nothing for the length of its lease.
    fn claim_upload(&self, id: String, now_ms: i64) -> Pending<'_, Claim>;

    /// Tells which bytes are durable, and that the holder is alive or lets go. Where as many were told before, number and
    /// manifest stay.
    fn save_upload(&self, hold: Hold, durable: Durable, then: Then, now_ms: i64) -> Pending<'_, Saved>;

    /// Stores the row of a clip that is whole, and its upload as complete, in one commit; `None` when the upload is not the
    /// caller's any more.
    fn complete_upload(&self, hold: Hold, row: NewRow, now_ms: i64) -> Pending<'_, Option<Added>>;

    /// Forgets an upload that is not complete; `false` when it is not the caller's any more.
    fn delete_upload(&self, hold: Hold) -> Pending<'_, bool>;

    /// Forgets what has expired; the parts of those that were not complete.
    fn expire_uploads(&self, now_ms: i64) -> Pending<'_, Vec<String>>;

    /// Whether an upload that is not complete has its bytes in this part.
    fn awaits_part(&self, part: String) -> Pending<'_, bool>;
}
