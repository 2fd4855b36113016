//! [`Leases`] on SQLite: there one receiver is alone as a rule, and the promise is the same.

use rusqlite::params;

use super::desk::SqliteDesk;
use crate::store::Pending;
use crate::store::upkeep::Leases;

const LEAD: &str = "
INSERT INTO lease (work, holder, until_ms) VALUES (?1, ?2, CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3)
ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
WHERE holder = excluded.holder OR until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// What each receiver on a folder calls itself: the folder's lock lets in one at a time, and the next one goes on with the
/// leads of the one before.
const ALONE: &str = "receiver";

/// Who is alone keeps its leads for so long: a card must not be written to every few seconds for nothing.
const ALONE_MS: i64 = 24 * 3_600_000;

const HELD: &str = "
SELECT EXISTS (SELECT 1 FROM lease WHERE work = ?1 AND holder = ?2
AND until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3)";

const RESIGN: &str = "DELETE FROM lease WHERE work = ?1 AND holder = ?2";

impl Leases for SqliteDesk {
    fn lead(&self, work: &'static str, holder: String, lease_ms: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            let mut lease_ms = lease_ms;
            if holder == ALONE {
                let asked = (work, ALONE, lease_ms);
                let held = self
                    .pool
                    .with(move |conn| conn.prepare_cached(HELD)?.query_row(asked, |row| row.get(0)));
                if held.await? {
                    return Ok(true);
                }
                lease_ms = ALONE_MS;
            }
            self.pool
                .write(move |tx| Ok(tx.prepare_cached(LEAD)?.execute(params![work, holder, lease_ms])? > 0))
                .await
        })
    }

    fn name_of_receiver(&self) -> String {
        ALONE.to_string()
    }

    fn resign(&self, work: &'static str, holder: String) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| tx.execute(RESIGN, params![work, holder]).map(drop))
                .await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_alone_keeps_its_leads_without_writing() {
        let folder = tempfile::tempdir().unwrap();
        let desk = SqliteDesk::open(folder.path()).unwrap();
        let conn = rusqlite::Connection::open(folder.path().join("receiver.db")).unwrap();
        let version = || -> i64 { conn.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
        assert!(desk.lead("a", desk.name_of_receiver(), 30_000).await.unwrap());
        let before = version();
        for _ in 0..3 {
            assert!(desk.lead("a", desk.name_of_receiver(), 30_000).await.unwrap());
        }
        assert_eq!(version(), before);
        // Not for ever.
        conn.execute("UPDATE lease SET until_ms = 0", []).unwrap();
        assert!(desk.lead("a", desk.name_of_receiver(), 30_000).await.unwrap());
        let until: i64 = conn
            .query_row("SELECT until_ms FROM lease", [], |row| row.get(0))
            .unwrap();
        assert!(until > crate::clock::unix_ms() + 3_600_000);
    }
}
