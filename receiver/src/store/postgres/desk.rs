//! The database as people use it: they read rows, sign in, make tokens.

use std::sync::Arc;

use deadpool_postgres::Client;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::Link;
use crate::store::{StoreError, pattern};

/// A statement's parameters.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Parameters that a statement owns.
pub(super) type Own = Vec<Box<dyn ToSql + Sync + Send>>;

pub(super) fn borrowed(own: &Own) -> Vec<&(dyn ToSql + Sync)> {
    own.iter().map(|one| &**one as &(dyn ToSql + Sync)).collect()
}

/// The pattern and its range.
pub(super) fn push_pattern(own: &mut Own, visible: &str) {
    let (start, end) = pattern::range(visible);
    own.push(Box::new(pattern::like(visible)));
    own.push(Box::new(start));
    own.push(Box::new(end));
}

/// Rows to read, people and tokens to keep.
pub(in crate::store) struct PostgresDesk {
    pub(super) link: Link,
}

impl PostgresDesk {
    /// With connections of its own to the same database.
    pub(in crate::store) fn beside(link: &Link) -> Result<Arc<Self>, StoreError> {
        let link = link.of_people()?;
        Ok(Arc::new(Self { link }))
    }

    /// The rows that a statement gives which changes nothing, or nothing more when it comes twice.
    pub(super) async fn all<T>(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        read: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.link.rows(sql, parameters).await?;
        rows.iter().map(|row| self.read(read(row))).collect()
    }

    /// The first of them.
    pub(super) async fn first<T>(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        read: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Option<T>, StoreError> {
        let rows = self.link.rows(sql, parameters).await?;
        rows.first().map(|row| self.read(read(row))).transpose()
    }

    /// The number that such a statement gives.
    pub(super) async fn count(&self, sql: &str, parameters: Parameters<'_>) -> Result<usize, StoreError> {
        let count: Option<i64> = self.first(sql, parameters, |row| row.try_get(0)).await?;
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
    }

    /// Rows that a statement changed, which is tried once: its answer would be another one the second time.
    pub(super) async fn change(&self, sql: &str, parameters: Parameters<'_>) -> Result<u64, StoreError> {
        let change = async |client: &mut Client| {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, parameters).await
        };
        self.link.once(change).await
    }

    pub(super) fn read<T>(&self, found: Result<T, Error>) -> Result<T, StoreError> {
        found.map_err(|error| StoreError::Unavailable(self.link.said(&error)))
    }
}

/// Text that may be asked for: PostgreSQL's has no character U+0000, and refuses it.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
