//! Whose clips a bucket has, or a part of one: an object beside them says it.

use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::leftovers::written_at;
use super::{Bucket, BucketClips};
use crate::store::clips::Owned;
use crate::store::{Pending, StoreError};

/// More than any id has.
const ID_MOST_BYTES: u64 = 200;

impl Owned for BucketClips {
    fn owner(&self) -> Pending<'_, Option<String>> {
        Box::pin(self.0.owner())
    }

    fn owner_place(&self) -> String {
        format!("{}/owner", self.0.settings)
    }

    fn set_owner(&self, id: String) -> Pending<'_, ()> {
        Box::pin(async move { self.0.set_owner(&id).await })
    }

    fn oldest(&self) -> Pending<'_, Vec<String>> {
        Box::pin(self.0.oldest())
    }
}

impl Bucket {
    pub(super) fn owner_path(&self) -> Path {
        self.settings.prefix.clone().join("owner")
    }

    async fn owner(&self) -> Result<Option<String>, StoreError> {
        let path = self.owner_path();
        let asked = async {
            let found = self.objects.get(&path).await?;
            if found.meta.size > ID_MOST_BYTES {
                return Ok(format!("{} bytes", found.meta.size));
            }
            let text = found.bytes().await?;
            Ok(String::from_utf8_lossy(&text).trim().to_string())
        };
        self.ask(asked).await
    }

    async fn set_owner(&self, id: &str) -> Result<(), StoreError> {
        let path = self.owner_path();
        let text = PutPayload::from(format!("{id}\n"));
        let asked = async {
            match self.objects.put_opts(&path, text.clone(), PutMode::Create.into()).await {
                Ok(_) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
                // Not every server knows such a condition.
                Err(_) => match self.objects.head(&path).await {
                    Err(Error::NotFound { .. }) => self.objects.put(&path, text).await.map(drop),
                    found => found.map(drop),
                },
            }
        };
        self.ask(asked).await.map(drop)
    }

    /// Of the first page that has any: names sort by arrival.
    async fn oldest(&self) -> Result<Vec<String>, StoreError> {
        let mut from = None;
        loop {
            let (mut names, next) = self.folders(from).await?;
            names.retain(|name| written_at(name).is_some());
            if !names.is_empty() || next.is_none() {
                return Ok(names);
            }
            from = next;
        }
    }
}
