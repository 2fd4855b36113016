//! What is removed: objects of a video that will have no row, and those that do not count.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use uuid::Uuid;

use super::Bucket;
use super::manifest::{Manifest, Piece};
use crate::store::StoreError;
use crate::store::clips::Leftovers;

impl Bucket {
    async fn list(&self, name: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let listing = self.objects.list(Some(&self.folder(name)));
        let listed = self.ask(listing.try_collect::<Vec<_>>()).await?;
        Ok(listed.unwrap_or_default())
    }

    async fn delete(&self, objects: Vec<Path>) -> Result<(), StoreError> {
        if objects.is_empty() {
            return Ok(());
        }
        let deleting = self.objects.delete_stream(stream::iter(objects).map(Ok).boxed());
        let gone = deleting.filter(|deleted| {
            let is_gone = matches!(deleted, Err(object_store::Error::NotFound { .. }));
            std::future::ready(!is_gone)
        });
        self.ask(gone.try_for_each(|_| std::future::ready(Ok(())))).await?;
        Ok(())
    }

    /// Removes a video that may be gone already.
    pub(super) async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let found = self.list(name).await?;
        self.delete(found.into_iter().map(|object| object.location).collect())
            .await
    }

    /// Removes the objects of a stored video that do not count: of somebody who was replaced while writing.
    pub(super) async fn tidy(&self, name: &str, counted: &Manifest) {
        let counted: HashSet<String> = counted.pieces().iter().map(Piece::object).collect();
        let tidied = async {
            let mut found = self.list(name).await?;
            found.retain(|object| {
                object
                    .location
                    .filename()
                    .is_some_and(|object| !counted.contains(object))
            });
            self.delete(found.into_iter().map(|object| object.location).collect())
                .await
        };
        if let Err(error) = tidied.await {
            log::warn!("{error}");
        }
    }

    /// The folders whose names tell that they are old. What was not named here is nobody's business.
    pub(super) async fn leftovers(&self, from: Option<String>, now_ms: i64) -> Result<Leftovers, StoreError> {
        let (mut names, next) = self.folders(from).await?;
        names.retain(|name| self.is_old(written_at(name), now_ms));
        Ok(Leftovers { names, next })
    }

    /// A page of the folders' names, in their order, and where the next begins.
    pub(super) async fn folders(&self, from: Option<String>) -> Result<(Vec<String>, Option<String>), StoreError> {
        let prefix = self.listed();
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            page_token: from,
            ..Default::default()
        };
        let page = self.ask(self.objects.list_paginated(Some(&prefix), options)).await?;
        let Some(page) = page else {
            return Ok((Vec::new(), None));
        };
        let folders = page.result.common_prefixes;
        let names = folders.iter().filter_map(|folder| folder.filename());
        Ok((names.map(str::to_string).collect(), page.page_token))
    }

    /// Removes a video unless one of its objects is young; `false` when it stays.
    pub(super) async fn remove_old(&self, name: &str, now_ms: i64) -> Result<bool, StoreError> {
        let found = self.list(name).await?;
        if !found
            .iter()
            .all(|object| self.is_old(Some(object.last_modified.timestamp_millis()), now_ms))
        {
            return Ok(false);
        }
        self.delete(found.into_iter().map(|object| object.location).collect())
            .await?;
        Ok(true)
    }

    fn is_old(&self, unix_ms: Option<i64>, now_ms: i64) -> bool {
        unix_ms.is_some_and(|at| now_ms - at >= self.left_after_ms)
    }
}

/// When a name was made, in milliseconds since 1970; `None` for one that is not ours.
pub(super) fn written_at(name: &str) -> Option<i64> {
    let id = Uuid::parse_str(name.split('.').next()?).ok()?;
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    let ms = i64::try_from(seconds).ok()? * 1_000 + i64::from(nanoseconds / 1_000_000);
    (id.get_version_num() == 7).then_some(ms)
}
