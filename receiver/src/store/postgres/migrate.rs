//! The tables, as numbered files make them: each in a transaction of its own, by one receiver at a time.

use std::fmt;

use deadpool_postgres::Client;
use tokio_postgres::Error;

use crate::store::StoreError;

/// Number 1 first. What was published is never changed, only added to; an older receiver may run beside a newer one while
/// they are exchanged, so that what is there stays of use to it.
const MIGRATIONS: [(&str, &str); 4] = [
    ("tables", include_str!("../../../migrations/postgres/0001_tables.sql")),
    ("upkeep", include_str!("../../../migrations/postgres/0002_upkeep.sql")),
    ("seen", include_str!("../../../migrations/postgres/0003_seen.sql")),
    ("alerts", include_str!("../../../migrations/postgres/0004_alerts.sql")),
];

/// Whose turn it is to migrate; the number is anybody's guess.
const TURN: &str = "SELECT pg_advisory_xact_lock(7308324465)";

const VERSIONS: &str = "
CREATE TABLE IF NOT EXISTS schema_migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// A backup that is restored elsewhere brings transactions that have not happened there: those who follow what is stored
/// would wait for them.
const RESTORED: &str = "
UPDATE evenement SET xid = '1' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot());
UPDATE media SET xid = '1' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot());
UPDATE person_seen SET media_xid = NULL WHERE media_xid >= pg_snapshot_xmax(pg_current_snapshot());
";

/// Why a database can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Unready {
    /// It may come.
    Away(String),
    /// Somebody has to change something.
    Never(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) | Self::Never(why) => f.write_str(why),
        }
    }
}

impl From<Unready> for StoreError {
    fn from(unready: Unready) -> Self {
        Self::Unavailable(unready.to_string())
    }
}

pub(super) enum Failure {
    /// A person has to do something, which it says.
    Refused(String),
    Database(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Applies what is missing.
pub(super) async fn run(client: &mut Client) -> Result<(), Failure> {
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    loop {
        let tx = client.transaction().await?;
        // However long the others take, and the change itself.
        tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
        tx.batch_execute(TURN).await?;
        tx.batch_execute(VERSIONS).await?;
        let row = tx
            .query_one("SELECT coalesce(max(version), 0) FROM schema_migration", &[])
            .await?;
        let version: i32 = row.get(0);
        if version > known {
            return Err(Failure::Refused(format!(
                "its tables are of version {version}, and this program knows {known}: a newer sync-receiver was here; update this one"
            )));
        }
        let next = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done));
        let Some((name, sql)) = next else {
            tx.batch_execute(RESTORED).await?;
            return Ok(tx.commit().await?);
        };
        tx.batch_execute(sql).await?;
        tx.execute(
            "INSERT INTO schema_migration (version, name) VALUES ($1, $2)",
            &[&(version + 1), name],
        )
        .await?;
        tx.commit().await?;
    }
}

/// Refuses a database that another one is being moved into: half of it is nobody's to serve, and rows that come meanwhile
/// would take the ids of those that are still to be moved.
pub(super) async fn refuse_half(client: &Client) -> Result<(), Failure> {
    let has_been = client
        .query_one("SELECT to_regclass('moved_from') IS NOT NULL", &[])
        .await?;
    if !has_been.get::<_, bool>(0) {
        return Ok(());
    }
    let half = "SELECT EXISTS (SELECT 1 FROM moved_from WHERE NOT is_finished)";
    if client.query_one(half, &[]).await?.get(0) {
        return Err(Failure::Refused(
            "a receiver's folder is being moved into it: run the same `sync-receiver move` again until it says `moved`, or empty it to begin anew"
                .to_string(),
        ));
    }
    Ok(())
}
