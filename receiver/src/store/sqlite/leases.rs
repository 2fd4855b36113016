//! [`Leases`] on SQLite: there one receiver is alone as a rule, and the promise is the same.

use rusqlite::params;

use super::desk::SqliteDesk;
use crate::store::Pending;
use crate::store::upkeep::Leases;

const LEAD: &str = "
INSERT INTO lease (work, holder, until_ms) VALUES (?1, ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3)
ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
WHERE holder = excluded.holder OR until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)";

const RESIGN: &str = "DELETE FROM lease WHERE work = ?1 AND holder = ?2";

impl Leases for SqliteDesk {
    fn lead(&self, work: &'static str, holder: String, lease_ms: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .write(move |tx| Ok(tx.prepare_cached(LEAD)?.execute(params![work, holder, lease_ms])? > 0))
                .await
        })
    }

    fn name_of_receiver(&self) -> String {
        // The folder's lock sees to that.
        "receiver".to_string()
    }

    fn resign(&self, work: &'static str, holder: String) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| tx.execute(RESIGN, params![work, holder]).map(drop))
                .await
        })
    }
}
