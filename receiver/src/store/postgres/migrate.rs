//! The tables, as numbered files make them: each in a transaction of its own, by one receiver at a time. Where that would
//! keep the others from storing rows, its statements come one by one instead.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::Error;

use super::lock::AdvisoryLock;
use crate::store::StoreError;

/// Number 1 first. What was published is never changed, only added to; an older receiver may run beside a newer one while
/// they are exchanged, so that what is there stays of use to it.
const MIGRATIONS: [Migration; 6] = [
    whole("tables", include_str!("../../../migrations/postgres/0001_tables.sql")),
    whole("upkeep", include_str!("../../../migrations/postgres/0002_upkeep.sql")),
    whole("seen", include_str!("../../../migrations/postgres/0003_seen.sql")),
    whole("alerts", include_str!("../../../migrations/postgres/0004_alerts.sql")),
    Migration {
        is_whole: false,
        ..whole("sensors", include_str!("../../../migrations/postgres/0005_sensors.sql"))
    },
    whole(
        "installation",
        include_str!("../../../migrations/postgres/0006_installation.sql"),
    ),
];

#[derive(Debug, Clone, Copy)]
struct Migration {
    name: &'static str,
    sql: &'static str,
    /// Whether all of it happens at once. What does not can be begun anew.
    is_whole: bool,
}

const fn whole(name: &'static str, sql: &'static str) -> Migration {
    let is_whole = true;
    Migration { name, sql, is_whole }
}

/// The lock for what is not whole is asked for again and again: who waits for a lock within a statement is waited for by an
/// index that is made beside others.
const TRY_LOCK_EVERY: Duration = Duration::from_millis(200);

const VERSIONS: &str = "
CREATE TABLE IF NOT EXISTS schema_migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

const HAS_ROWS: &str = "SELECT EXISTS (SELECT FROM evenement)";

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
    while let Some(next) = step(client).await? {
        one_by_one(client, next).await?;
    }
    Ok(())
}

/// Applies what is whole, up to the next that is not: its place.
async fn step(client: &mut Client) -> Result<Option<usize>, Failure> {
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    loop {
        let tx = client.transaction().await?;
        // However long the others take, and the change itself.
        tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
        AdvisoryLock::Migrating.lock(&tx).await?;
        tx.batch_execute(VERSIONS).await?;
        let version = version(&tx).await?;
        if version > known {
            return Err(Failure::Refused(format!(
                "its tables are of version {version}, and this program knows {known}: a newer sync-receiver was here; update this one"
            )));
        }
        let done = usize::try_from(version).unwrap_or(0);
        let Some(next) = MIGRATIONS.get(done) else {
            tx.batch_execute(RESTORED).await?;
            tx.commit().await?;
            return Ok(None);
        };
        if !next.is_whole {
            tx.commit().await?;
            return Ok(Some(done));
        }
        tx.batch_execute(next.sql).await?;
        applied(&tx, version + 1, next).await?;
        tx.commit().await?;
    }
}

/// Applies the one at a place statement by statement, unless somebody else has meanwhile. A connection on which that fails is
/// not used again: it has the turn.
async fn one_by_one(client: &Client, place: usize) -> Result<(), Failure> {
    let Some(next) = MIGRATIONS.get(place) else {
        return Ok(());
    };
    let number = i32::try_from(place + 1).unwrap_or(i32::MAX);
    while !AdvisoryLock::MigratingStepwise.try_lock(client).await? {
        tokio::time::sleep(TRY_LOCK_EVERY).await;
    }
    if version(client).await? < number {
        let limit: String = client.query_one("SHOW statement_timeout", &[]).await?.get(0);
        client.batch_execute("SET statement_timeout = 0").await?;
        if client.query_one(HAS_ROWS, &[]).await?.get(0) {
            log::warn!("PostgreSQL: its tables become version {number}, which takes minutes where there are many rows");
        }
        for statement in next.sql.split_inclusive(";\n") {
            client.batch_execute(statement).await?;
        }
        applied(client, number, next).await?;
        client
            .batch_execute(&format!("SET statement_timeout = '{limit}'"))
            .await?;
    }
    AdvisoryLock::MigratingStepwise.unlock(client).await?;
    Ok(())
}

async fn version(client: &impl GenericClient) -> Result<i32, Error> {
    let sql = "SELECT coalesce(max(version), 0) FROM schema_migration";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn applied(client: &impl GenericClient, number: i32, migration: &Migration) -> Result<(), Error> {
    let sql = "INSERT INTO schema_migration (version, name) VALUES ($1, $2)";
    client.execute(sql, &[&number, &migration.name]).await?;
    Ok(())
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
