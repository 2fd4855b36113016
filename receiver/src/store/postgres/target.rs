//! The database as it is filled when all of another one moves into it: no receiver uses it yet.

use std::time::Duration;

use super::Link;
use crate::store::StoreError;
use crate::store::tables::{FOLLOWED, TABLES, Table, Type};

/// Whose rows these are, and whether all are there.
const PROGRESS: &str = "
CREATE TABLE IF NOT EXISTS moved_from (
    one         integer PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    source      text NOT NULL,
    is_finished boolean NOT NULL DEFAULT false
)";

/// The place of the last event that was followed, in the order of this database: events are moved in theirs.
const FOLLOW: &str = r"
UPDATE alert_watch SET followed = coalesce((
    SELECT 'c' || xid || '.e' || id FROM evenement WHERE id <= split_part(followed, '.', 1)::bigint ORDER BY id DESC LIMIT 1
), 'c0.e0') WHERE followed ~ '^\d+\.\d+$'";

/// Another one of this program.
const OTHERS: &str = "
SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name IN ('sync-receiver', current_setting('application_name')))";

/// How often that is looked for before it is believed.
const LISTED_LOOKS: u32 = 15;
const LISTED_EVERY: Duration = Duration::from_millis(200);

pub(in crate::store) struct Target(Link);

impl Target {
    /// A database whose tables are those of this program.
    pub(in crate::store) fn new(link: Link) -> Self {
        Self(link)
    }

    async fn run(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<(), StoreError> {
        self.0.rows(sql, parameters).await.map(drop)
    }

    async fn one<T>(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<T, StoreError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let rows = self.0.rows(sql, parameters).await?;
        let row = rows.first().ok_or_else(|| refusal("a question without an answer"))?;
        row.try_get(0).map_err(|error| refusal(&error.to_string()))
    }

    /// Refuses a database that a source can't be moved into.
    pub(in crate::store) async fn check(&self, source: &str) -> Result<(), StoreError> {
        if !self.has_begun(source).await? && self.is_used().await? {
            return Err(self.in_use());
        }
        Ok(())
    }

    /// Whether a move of this source has begun; refuses one that would not begin in an empty database.
    async fn has_begun(&self, source: &str) -> Result<bool, StoreError> {
        self.run(PROGRESS, &[]).await?;
        let begun = "SELECT EXISTS (SELECT 1 FROM moved_from WHERE source = $1 AND NOT is_finished)";
        if self.one(begun, &[&source]).await? {
            return Ok(true);
        }
        let is_free: bool = self.one("SELECT NOT EXISTS (SELECT 1 FROM moved_from)", &[]).await?;
        let tables = TABLES.iter().filter(|table| table.name != FOLLOWED);
        let none_of: Vec<_> = tables
            .map(|table| format!("NOT EXISTS (SELECT 1 FROM {})", table.name))
            .collect();
        let is_empty = format!("SELECT {}", none_of.join(" AND "));
        if !is_free || !self.one::<bool>(&is_empty, &[]).await? {
            return Err(refusal("the database has rows already: a move goes into an empty one"));
        }
        Ok(false)
    }

    /// Takes an empty database for a source, or goes on with what was begun of it.
    pub(in crate::store) async fn begin(&self, source: &str) -> Result<(), StoreError> {
        if self.has_begun(source).await? {
            return Ok(());
        }
        // Nothing was followed that is of use here.
        self.run("DELETE FROM alert_watch", &[]).await?;
        self.run("INSERT INTO moved_from (source) VALUES ($1)", &[&source])
            .await?;
        // Whoever starts from now on sees that; whoever runs does not.
        if self.is_used().await? {
            self.run("DELETE FROM moved_from", &[]).await?;
            return Err(self.in_use());
        }
        Ok(())
    }

    /// Who owned the clips goes on owning them.
    pub(in crate::store) async fn set_installation(&self, id: &str) -> Result<(), StoreError> {
        self.run("UPDATE installation SET id = $1", &[&id]).await
    }

    fn in_use(&self) -> StoreError {
        refusal(&format!(
            "{}: a sync-receiver uses it: stop it, and start it when everything is there",
            self.0.settings()
        ))
    }

    /// Whether a receiver is connected. One that has just ended may still be listed.
    async fn is_used(&self) -> Result<bool, StoreError> {
        for _ in 0..LISTED_LOOKS {
            if !self.one(OTHERS, &[]).await? {
                return Ok(false);
            }
            tokio::time::sleep(LISTED_EVERY).await;
        }
        Ok(true)
    }

    pub(in crate::store) async fn finish(&self) -> Result<(), StoreError> {
        self.run(FOLLOW, &[]).await?;
        self.run("UPDATE moved_from SET is_finished = true", &[]).await
    }

    pub(in crate::store) async fn last_id(&self, table: &Table) -> Result<i64, StoreError> {
        self.one(
            &format!("SELECT coalesce(max(id), -9223372036854775808) FROM {}", table.name),
            &[],
        )
        .await
    }

    pub(in crate::store) async fn count(&self, table: &Table) -> Result<i64, StoreError> {
        self.one(&format!("SELECT count(*) FROM {}", table.name), &[]).await
    }

    /// Adds rows, each an object of JSON; those that are there already stay as they are.
    pub(in crate::store) async fn insert(&self, table: &Table, rows: &[String]) -> Result<(), StoreError> {
        let names: Vec<_> = table.columns.iter().map(|(name, ..)| format!("\"{name}\"")).collect();
        let types = table.columns.iter().map(|(name, _, of)| {
            let of = match of {
                Type::Value | Type::Text | Type::Sorted | Type::Bytes => "text",
                Type::Integer => "bigint",
                Type::Flag => "boolean",
                Type::Time => "timestamptz",
                Type::Day => "date",
            };
            format!("\"{name}\" {of}")
        });
        let values = table.columns.iter().map(|(name, _, of)| match of {
            Type::Value => format!("\"{name}\"::json"),
            Type::Bytes => format!("decode(\"{name}\", 'hex')"),
            _ => format!("\"{name}\""),
        });
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM json_to_recordset($1::text::json) AS moved ({}) ON CONFLICT DO NOTHING",
            table.name,
            names.join(", "),
            values.collect::<Vec<_>>().join(", "),
            types.collect::<Vec<_>>().join(", ")
        );
        self.run(&sql, &[&format!("[{}]", rows.join(","))]).await
    }

    /// The next id is beyond `last`.
    pub(in crate::store) async fn go_on_after(&self, table: &Table, last: i64) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{0}', 'id'), greatest($1, 1, (SELECT max(id) FROM {0})),
                           $1 > 0 OR EXISTS (SELECT 1 FROM {0}))",
            table.name
        );
        self.run(&sql, &[&last]).await
    }
}

fn refusal(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_string())
}
