//! Whether the bucket can be used: asked at the start, and by who asks for the receiver's health.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::{ObjectStoreExt, PutPayload};

use super::{Bucket, BucketClips, lock};
use crate::store::StoreError;

/// How long the check of the bucket's health takes at most: who asks has no more than a second. How often it is asked.
const CHECK_TIMEOUT: Duration = Duration::from_millis(700);
const CHECK_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Health {
    /// Why the last object could not be written, unless one could since.
    pub(super) trouble: Option<StoreError>,
    /// When the bucket was asked, and what came of it.
    pub(super) asked: Option<(Instant, Result<(), StoreError>)>,
}

impl BucketClips {
    /// Says in one line if the bucket does not answer, once; waits for nothing.
    pub(in crate::store) fn try_it(&self) {
        let bucket = Arc::clone(&self.0);
        self.0.runtime.spawn(async move {
            if let Err(error) = bucket.list_one().await {
                let keys = bucket.keys_hint;
                log::warn!(
                    "{error}{keys}; look at RECEIVER_CLIPS_URL and the AWS_* variables: until it answers, clips get 503"
                );
            }
        });
    }
}

impl Bucket {
    /// Whether clips can be stored: nothing is written to find out, unless the last one could not.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let failed = {
            let health = lock(&self.health);
            match &health.asked {
                Some((asked, answer)) if asked.elapsed() < CHECK_EVERY => return answer.clone(),
                _ => health.trouble.is_some(),
            }
        };
        let asked = async {
            if failed {
                return self.probe().await;
            }
            self.list_one().await
        };
        let answer = tokio::time::timeout(CHECK_TIMEOUT, asked).await;
        let answer = answer.unwrap_or_else(|_| Err(self.failed("no answer")));
        lock(&self.health).asked = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn list_one(&self) -> Result<(), StoreError> {
        let one = PaginatedListOptions {
            max_keys: Some(1),
            ..Default::default()
        };
        // Keys that may do no more than they need list below the prefix alone.
        let prefix = self.listed();
        let list = self.objects.list_paginated(Some(&prefix), one);
        let listed = self.ask(list).await?;
        listed.map(|_| ()).ok_or_else(|| self.failed("there is nothing"))
    }

    /// Writes an object and removes it.
    async fn probe(&self) -> Result<(), StoreError> {
        let object = self.object("probe", &uuid::Uuid::new_v4().simple().to_string());
        self.put(object.clone(), PutPayload::from_static(b"x")).await?;
        self.ask(self.objects.delete(&object)).await.map(|_| ())
    }
}
