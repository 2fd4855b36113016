//! An upload's end: its clip's row and its own in one commit.

use std::time::Duration;

use tokio_postgres::Error;

use super::error::is_over;
use super::link::{Link, STATEMENT_TIMEOUT};
use super::{insert, receipts};
use crate::store::StoreError;
use crate::store::row::{Added, Content, NewRow};
use crate::store::uploads::{Hold, KEPT_MS};

const HOLD: &str = "SELECT media_id FROM upload WHERE part = $1 AND epoch = $2 FOR UPDATE";

const COMPLETE: &str = "
UPDATE upload SET offset_bytes = length_bytes, manifest = '', media_id = $2, lease_until_ms = 0, expires_ms = $3
WHERE part = $1";

/// Tries at a commit whose answer is lost.
const TRIES: u32 = 4;

pub(super) async fn run(link: &Link, hold: &Hold, row: &NewRow, now_ms: i64) -> Result<Option<Added>, StoreError> {
    // Whether an earlier try may have been the one.
    let mut is_lost = false;
    let mut tries = 0;
    loop {
        tries += 1;
        let failed = match link.client().await {
            Err(error) => error.to_string(),
            Ok(mut client) => {
                let mut committing = false;
                let tried = complete_in(&mut client, hold, row, now_ms, is_lost, &mut committing);
                let tried = tokio::time::timeout(STATEMENT_TIMEOUT, tried).await;
                match tried {
                    Ok(Ok(added)) => return Ok(added),
                    Ok(Err(error)) => {
                        let why = link.said(&error);
                        is_lost |= committing && is_over(&error);
                        link.failed(client, &error);
                        why
                    }
                    Err(_) => {
                        is_lost |= committing;
                        link.silent(client).to_string()
                    }
                }
            }
        };
        if tries >= TRIES {
            return Err(if is_lost {
                StoreError::Uncertain(failed)
            } else {
                StoreError::Unavailable(failed)
            });
        }
        tokio::time::sleep(Duration::from_millis(100 << tries)).await;
    }
}

async fn complete_in(
    client: &mut deadpool_postgres::Client,
    hold: &Hold,
    row: &NewRow,
    now_ms: i64,
    is_lost: bool,
    committing: &mut bool,
) -> Result<Option<Added>, Error> {
    let tx = client.transaction().await?;
    let statement = tx.prepare_cached(HOLD).await?;
    let Some(held) = tx.query_opt(&statement, &[&hold.part, &hold.epoch]).await? else {
        return Ok(None);
    };
    if let Some(id) = held.get::<_, Option<i64>>(0) {
        // It is complete: by nobody else, when we have tried before.
        let found = if is_lost {
            receipts::of_clip(&tx, id).await?
        } else {
            None
        };
        return Ok(found.map(|found| Added {
            is_new: matches!((&row.content, &found.file), (Content::Clip(_, ours), Some(file)) if ours.name == *file),
            receipt: found.receipt,
        }));
    }
    let added = insert::run(&tx, std::slice::from_ref(row)).await;
    let Some(added) = added.map_err(|failed| failed.error)?.pop().flatten() else {
        return Ok(None);
    };
    let expires_ms = now_ms + KEPT_MS;
    tx.execute(
        &tx.prepare_cached(COMPLETE).await?,
        &[&hold.part, &added.receipt.id, &expires_ms],
    )
    .await?;
    *committing = true;
    tx.commit().await?;
    Ok(Some(added))
}
