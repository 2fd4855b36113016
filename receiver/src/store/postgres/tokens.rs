//! Devices' tokens on PostgreSQL.

use deadpool_postgres::Client;

use super::desk::{PostgresDesk, clean};
use super::lock::AdvisoryLock;
use crate::store::Pending;
use crate::store::people::{Fingerprint, TOKENS_MOST, TokenRow, Tokens};

const ADD: &str = "
INSERT INTO token (device_id, sha256) SELECT $1, $2 WHERE (SELECT count(*) FROM token WHERE device_id = $1) < $3 RETURNING id";

const LIST: &str = r#"
SELECT id, device_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM token ORDER BY device_id, id"#;

/// By the fingerprint's index: of a secret of 256 bits, how far a look-up got tells nothing.
const DEVICE: &str = "SELECT EXISTS (SELECT FROM token), (SELECT device_id FROM token WHERE sha256 = $1)";

impl Tokens for PostgresDesk {
    fn add_token(&self, device_id: String, token: Fingerprint) -> Pending<'_, Option<i64>> {
        Box::pin(async move {
            let (device_id, most) = (clean(&device_id), i64::from(TOKENS_MOST));
            let add = async |client: &mut Client| {
                let tx = client.transaction().await?;
                AdvisoryLock::AddingToken.lock(&tx).await?;
                let row = tx.query_opt(ADD, &[&device_id, &token.as_slice(), &most]).await?;
                tx.commit().await?;
                row.map(|row| row.try_get(0)).transpose()
            };
            self.link.once(add).await
        })
    }

    fn tokens(&self) -> Pending<'_, Vec<TokenRow>> {
        Box::pin(self.all(LIST, &[], |row| {
            Ok(TokenRow {
                id: row.try_get(0)?,
                device_id: row.try_get(1)?,
                created_at: row.try_get(2)?,
            })
        }))
    }

    fn revoke_token(&self, id: i64) -> Pending<'_, bool> {
        Box::pin(async move { Ok(self.change("DELETE FROM token WHERE id = $1", &[&id]).await? == 1) })
    }

    fn token_device(&self, token: Option<Fingerprint>) -> Pending<'_, (bool, Option<String>)> {
        Box::pin(async move {
            let token = token.as_ref().map(<[u8; 32]>::as_slice);
            let found = self
                .first(DEVICE, &[&token], |row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .await?;
            Ok(found.unwrap_or_default())
        })
    }
}
