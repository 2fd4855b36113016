//! A database that fails.

use std::collections::HashSet;

use crate::store::row::{Added, Key, Kind, NewRow, NewStatus, Receipt};
use crate::store::rows::Rows;
use crate::store::uploads::{Claim, Created, Durable, Hold, NewUpload, Saved, Then, Upload, UploadRows};
use crate::store::{Pending, StoreError};

/// A database that stores a row, or does not, and says that it failed.
pub(super) struct Failing<R>(pub(super) R, pub(super) StoreError);

impl UploadRows for Failing<Box<dyn Rows>> {
    fn create_upload(&self, new: NewUpload, part: String, now_ms: i64) -> Pending<'_, Created> {
        self.0.create_upload(new, part, now_ms)
    }

    fn upload(&self, id: String, now_ms: i64) -> Pending<'_, Option<Upload>> {
        self.0.upload(id, now_ms)
    }

    fn claim_upload(&self, id: String, now_ms: i64) -> Pending<'_, Claim> {
        self.0.claim_upload(id, now_ms)
    }

    fn save_upload(&self, hold: Hold, durable: Durable, then: Then, now_ms: i64) -> Pending<'_, Saved> {
        self.0.save_upload(hold, durable, then, now_ms)
    }

    fn complete_upload(&self, hold: Hold, row: NewRow, now_ms: i64) -> Pending<'_, Option<Added>> {
        Box::pin(async move {
            if matches!(self.1, StoreError::Uncertain(_)) {
                self.0.complete_upload(hold, row, now_ms).await?;
            }
            Err(self.1.clone())
        })
    }

    fn delete_upload(&self, hold: Hold) -> Pending<'_, bool> {
        self.0.delete_upload(hold)
    }

    fn expire_uploads(&self, now_ms: i64) -> Pending<'_, Vec<String>> {
        self.0.expire_uploads(now_ms)
    }

    fn awaits_part(&self, part: String) -> Pending<'_, bool> {
        self.0.awaits_part(part)
    }
}

impl Rows for Failing<Box<dyn Rows>> {
    fn receipt(&self, kind: Kind, key: Key) -> Pending<'_, Option<Receipt>> {
        self.0.receipt(kind, key)
    }

    fn add_all(&self, rows: Vec<NewRow>) -> Pending<'_, Vec<Added>> {
        Box::pin(async {
            if matches!(self.1, StoreError::Uncertain(_)) {
                self.0.add_all(rows).await?;
            }
            Err(self.1.clone())
        })
    }

    fn put_status(&self, status: NewStatus) -> Pending<'_, ()> {
        self.0.put_status(status)
    }

    fn manifest(&self, name: String) -> Pending<'_, Option<String>> {
        self.0.manifest(name)
    }

    fn owned(&self, names: Vec<String>) -> Pending<'_, HashSet<String>> {
        self.0.owned(names)
    }

    fn now_ms(&self) -> Pending<'_, i64> {
        self.0.now_ms()
    }

    fn installation(&self) -> Pending<'_, String> {
        self.0.installation()
    }

    fn check(&self) -> Pending<'_, ()> {
        self.0.check()
    }
}
