//! Work that one at a time may do, of all receivers on a database.

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::Error;

/// The numbers are anybody's guess; that two are the same does not compile.
#[derive(Debug, Clone, Copy)]
#[repr(i64)]
pub(super) enum AdvisoryLock {
    Migrating = 7_308_324_465,
    /// Two at a time would each find room for one more.
    AddingToken = 7_308_324_466,
    /// Many guesses at a time are one after another.
    SigningIn = 7_308_324_467,
    /// What is to go is added up when nobody dooms any more: one whose answer was lost may still be at it.
    Dooming = 7_308_324_468,
    /// What is not whole, and takes long.
    MigratingStepwise = 7_308_324_469,
}

impl AdvisoryLock {
    /// Waits for it, and has it until the end of the transaction.
    pub(super) async fn lock(self, tx: &Transaction<'_>) -> Result<(), Error> {
        let sql = format!("SELECT pg_advisory_xact_lock({})", self as i64);
        tx.batch_execute(&sql).await
    }

    /// Takes it where nobody has it, until it is let go or the connection ends.
    pub(super) async fn try_lock(self, client: &Client) -> Result<bool, Error> {
        let sql = format!("SELECT pg_try_advisory_lock({})", self as i64);
        client.query_one(&sql, &[]).await?.try_get(0)
    }

    pub(super) async fn unlock(self, client: &Client) -> Result<(), Error> {
        let sql = format!("SELECT pg_advisory_unlock({})", self as i64);
        client.batch_execute(&sql).await
    }
}
