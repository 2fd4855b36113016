//! Devices' tokens on SQLite.

use rusqlite::{OptionalExtension, params};

use super::desk::SqliteDesk;
use crate::store::Pending;
use crate::store::people::{Fingerprint, TOKENS_MOST, TokenRow, Tokens};

impl Tokens for SqliteDesk {
    fn add_token(&self, device_id: String, token: Fingerprint) -> Pending<'_, Option<i64>> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    let live: u32 =
                        tx.query_row("SELECT count(*) FROM token WHERE device_id = ?1", [&device_id], |row| {
                            row.get(0)
                        })?;
                    if live >= TOKENS_MOST {
                        return Ok(None);
                    }
                    tx.execute(
                        "INSERT INTO token (device_id, sha256) VALUES (?1, ?2)",
                        params![device_id, token],
                    )?;
                    Ok(Some(tx.last_insert_rowid()))
                })
                .await
        })
    }

    fn tokens(&self) -> Pending<'_, Vec<TokenRow>> {
        Box::pin(async move {
            self.pool
                .with(|conn| {
                    let mut statement =
                        conn.prepare("SELECT id, device_id, created_at FROM token ORDER BY device_id, id")?;
                    let rows = statement.query_map([], |row| {
                        Ok(TokenRow {
                            id: row.get(0)?,
                            device_id: row.get(1)?,
                            created_at: row.get(2)?,
                        })
                    })?;
                    rows.collect()
                })
                .await
        })
    }

    fn revoke_token(&self, id: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .write(move |tx| Ok(tx.execute("DELETE FROM token WHERE id = ?1", [id])? == 1))
                .await
        })
    }

    fn token_device(&self, token: Option<Fingerprint>) -> Pending<'_, (bool, Option<String>)> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    let any = conn
                        .prepare_cached("SELECT EXISTS (SELECT 1 FROM token)")?
                        .query_row([], |row| row.get(0))?;
                    // By the fingerprint's index: of a secret of 256 bits, how far a look-up got tells nothing.
                    let device = conn
                        .prepare_cached("SELECT device_id FROM token WHERE sha256 = ?1")?
                        .query_row([token], |row| row.get(0))
                        .optional()?;
                    Ok((any, device))
                })
                .await
        })
    }
}
