//! [`Keeping`] on PostgreSQL: each step is one statement, so that there is nothing to go on with.

use deadpool_postgres::Client;
use tokio_postgres::{Error, Row};

use super::desk::PostgresDesk;
use super::lock::AdvisoryLock;
use crate::store::upkeep::{Doom, Doomed, EventPage, Keeping, Reason, Removal, Trouble};
use crate::store::{Kind, Pending, pattern};

/// How many days it is told what was removed.
const TOLD_DAYS: i32 = 90;

/// Each half by its own index, which holds all that is asked for.
const CLIP_BYTES: &str = "
SELECT ((SELECT coalesce(sum(size_bytes), 0) FROM media WHERE NOT pinned AND removing IS NULL)
      + (SELECT coalesce(sum(size_bytes), 0) FROM media WHERE pinned AND removing IS NULL))::bigint";

/// Along `media_by_arrival`. Locked, so that who pins one of them meanwhile comes before or after.
macro_rules! doom {
    ($condition:literal, $reason:literal, $enough:literal) => {
        concat!(
            "WITH oldest AS MATERIALIZED (
                SELECT id, size_bytes, received_at FROM media WHERE NOT pinned AND removing IS NULL AND ",
            $condition,
            " ORDER BY received_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
            ), next AS (
                SELECT id FROM (
                    SELECT id, sum(size_bytes) OVER (ORDER BY received_at, id) - size_bytes AS bytes_before FROM oldest
                ) AS summed WHERE ",
            $enough,
            "), kept AS (
                INSERT INTO receipt (idempotency_key, kind, key_owner, device_id, id, date, capteur_id, size_bytes)
                SELECT idempotency_key, 'media', key_owner, device_id, id, date, capteur_id, size_bytes
                FROM media JOIN next USING (id) WHERE idempotency_key IS NOT NULL ON CONFLICT DO NOTHING
            )
            UPDATE media SET removing = '",
            $reason,
            "' FROM next WHERE media.id = next.id RETURNING size_bytes"
        )
    };
}
const DOOM_BEFORE: &str = doom!("received_at < to_timestamp($1::bigint)", "age", "true");
const DOOM_BYTES: &str = doom!("true", "space", "bytes_before < $1::bigint");

/// `media_removing`.
const DOOMED: &str = "
SELECT id, file, coalesce(manifest, ''), size_bytes, removing FROM media
WHERE removing IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";

macro_rules! noted {
    ($gone:literal, $kind:literal, $reason:literal, $bytes:literal) => {
        concat!(
            "WITH gone AS (",
            $gone,
            "), noted AS (
                INSERT INTO removal (day, device_id, kind, reason, rows, bytes, oldest, newest)
                SELECT (now() AT TIME ZONE 'UTC')::date, device_id, '",
            $kind,
            "', ",
            $reason,
            ", count(*), ",
            $bytes,
            ", min(received_at), max(received_at) FROM gone GROUP BY device_id, ",
            $reason,
            " ON CONFLICT (day, device_id, kind, reason) DO UPDATE SET rows = removal.rows + excluded.rows,
                bytes = removal.bytes + excluded.bytes, oldest = least(removal.oldest, excluded.oldest),
                newest = greatest(removal.newest, excluded.newest)
            )
            SELECT count(*) FROM gone"
        )
    };
}
const CLIPS_GONE: &str = noted!(
    "DELETE FROM media WHERE id = ANY($1) AND removing IS NOT NULL RETURNING device_id, removing, size_bytes, received_at",
    "media",
    "removing",
    "sum(size_bytes)::bigint"
);
const REMOVE_EVENTS: &str = noted!(
    "DELETE FROM evenement WHERE id = ANY($1) RETURNING device_id, 'age'::text AS reason, received_at",
    "evenement",
    "reason",
    "0"
);

/// By primary key: an index by age would cost each event that comes.
const EVENTS: &str = "
SELECT id, received_at < to_timestamp($2::bigint), received_at > now() FROM evenement WHERE id > $1 ORDER BY id LIMIT $3";

/// Committed before the rows go: who stores the same key meanwhile finds the row or this.
const KEEP_EVENTS_RECEIPTS: &str = "
INSERT INTO receipt (idempotency_key, kind, key_owner, device_id, id, date, capteur_id)
SELECT idempotency_key, 'evenement', key_owner, device_id, id, date, capteur_id FROM evenement
WHERE id = ANY($1) AND idempotency_key IS NOT NULL ON CONFLICT DO NOTHING";

const FORGET_NOTES: &str = "DELETE FROM removal WHERE day < (now() AT TIME ZONE 'UTC')::date - $1::integer";

/// `receipt_by_age`.
const FORGET_RECEIPTS: &str = "
WITH old AS (SELECT ctid FROM receipt WHERE removed_at < $1 ORDER BY removed_at LIMIT $2), gone AS (
    DELETE FROM receipt WHERE ctid = ANY(ARRAY(SELECT ctid FROM old)) RETURNING 1
) SELECT count(*) FROM gone";

const REMOVALS: &str = r#"
SELECT to_char(day, 'YYYY-MM-DD'), device_id, kind, reason, rows, bytes,
       to_char(oldest AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       to_char(newest AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
FROM removal WHERE $1::text IS NULL OR device_id LIKE $1
ORDER BY day DESC, device_id, kind, reason LIMIT $2"#;

const PUT_TROUBLE: &str = "
INSERT INTO removal_trouble (reason, since_at, last_at)
SELECT $1, extract(epoch FROM now())::bigint, extract(epoch FROM now())::bigint
ON CONFLICT (one) DO UPDATE SET reason = excluded.reason, last_at = excluded.last_at";

fn number(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn doomed(row: &Row) -> Result<Doomed, Error> {
    Ok(Doomed {
        id: row.try_get(0)?,
        file: row.try_get(1)?,
        manifest: row.try_get(2)?,
        size_bytes: number(row.try_get(3)?),
        reason: Reason::of(row.try_get(4)?),
    })
}

fn removal(row: &Row) -> Result<Removal, Error> {
    let kind: &str = row.try_get(2)?;
    Ok(Removal {
        day: row.try_get(0)?,
        device_id: row.try_get(1)?,
        kind: if kind == "media" { Kind::Clip } else { Kind::Event },
        reason: Reason::of(row.try_get(3)?),
        rows: number(row.try_get(4)?),
        bytes: number(row.try_get(5)?),
        oldest: row.try_get(6)?,
        newest: row.try_get(7)?,
    })
}

impl Keeping for PostgresDesk {
    fn clip_bytes(&self) -> Pending<'_, u64> {
        Box::pin(async move {
            let sum = async |client: &mut Client| {
                let tx = client.transaction().await?;
                AdvisoryLock::Dooming.lock(&tx).await?;
                let bytes = tx.query_one(CLIP_BYTES, &[]).await?.try_get(0);
                tx.commit().await?;
                bytes.map(number)
            };
            self.link.once(sum).await
        })
    }

    fn doom(&self, doom: Doom, limit: u32) -> Pending<'_, Vec<u64>> {
        Box::pin(async move {
            let (sql, wanted) = match doom {
                Doom::Before(before_s) => (DOOM_BEFORE, before_s),
                Doom::Bytes(bytes) => (DOOM_BYTES, i64::try_from(bytes).unwrap_or(i64::MAX)),
            };
            // Tried once: the second time it would doom as much again.
            let limit = i64::from(limit);
            let doom = async |client: &mut Client| {
                let tx = client.transaction().await?;
                AdvisoryLock::Dooming.lock(&tx).await?;
                let rows = tx.query(&tx.prepare_cached(sql).await?, &[&wanted, &limit]).await?;
                tx.commit().await?;
                rows.iter().map(|row| row.try_get(0).map(number)).collect()
            };
            self.link.once(doom).await
        })
    }

    fn doomed(&self, after: i64, limit: u32) -> Pending<'_, Vec<Doomed>> {
        Box::pin(async move { self.all(DOOMED, &[&after, &i64::from(limit)], doomed).await })
    }

    fn clips_gone(&self, ids: Vec<i64>) -> Pending<'_, ()> {
        Box::pin(async move {
            self.link.rows(CLIPS_GONE, &[&ids]).await?;
            self.link.rows(FORGET_NOTES, &[&TOLD_DAYS]).await.map(drop)
        })
    }

    fn remove_events(&self, after: i64, before_s: i64, limit: u32) -> Pending<'_, EventPage> {
        Box::pin(async move {
            let most = i64::from(limit);
            let read = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let found = self.all(EVENTS, &[&after, &before_s, &most], read).await?;
            let page = EventPage::new(&found, limit);
            if !page.old.is_empty() {
                self.link.rows(KEEP_EVENTS_RECEIPTS, &[&page.old]).await?;
                self.link.rows(REMOVE_EVENTS, &[&page.old]).await?;
                self.link.rows(FORGET_NOTES, &[&TOLD_DAYS]).await?;
            }
            Ok(page)
        })
    }

    fn forget_receipts(&self, before_s: i64, limit: u32) -> Pending<'_, usize> {
        Box::pin(async move { self.count(FORGET_RECEIPTS, &[&before_s, &i64::from(limit)]).await })
    }

    fn removals(&self, visible: Option<String>, limit: u32) -> Pending<'_, Vec<Removal>> {
        Box::pin(async move {
            let visible = visible.as_deref().map(pattern::like);
            self.all(REMOVALS, &[&visible, &i64::from(limit)], removal).await
        })
    }

    fn put_trouble(&self, reason: Option<String>) -> Pending<'_, ()> {
        Box::pin(async move {
            let put = match &reason {
                Some(reason) => self.link.rows(PUT_TROUBLE, &[reason]).await,
                None => self.link.rows("DELETE FROM removal_trouble", &[]).await,
            };
            put.map(drop)
        })
    }

    fn trouble(&self) -> Pending<'_, Option<Trouble>> {
        Box::pin(
            self.first("SELECT reason, since_at, last_at FROM removal_trouble", &[], |row| {
                Ok(Trouble {
                    reason: row.try_get(0)?,
                    since_s: row.try_get(1)?,
                    last_s: row.try_get(2)?,
                })
            }),
        )
    }
}
