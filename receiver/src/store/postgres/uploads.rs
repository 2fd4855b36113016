//! Uploads in PostgreSQL. Statements that may come twice, since an answer can be lost: the second finds what the first left.

use deadpool_postgres::Client;
use tokio_postgres::{Error, Row};

use super::desk::clean;
use super::link::Link;
use crate::store::StoreError;
use crate::store::uploads::{Claim, Created, Durable, Hold, KEPT_MS, LEASE_MS, NewUpload, Saved, Then, Upload};

macro_rules! columns {
    () => {
        "id, device_id, idempotency_key, metadata, length_bytes, part, offset_bytes, media_id IS NOT NULL, epoch,
         lease_until_ms, expires_ms, manifest"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM upload WHERE id = $1");

const FIND_FOR_UPDATE: &str = concat!("SELECT ", columns!(), " FROM upload WHERE id = $1 FOR UPDATE");

const CREATE: &str = concat!(
    "INSERT INTO upload (id, device_id, idempotency_key, metadata, length_bytes, part, expires_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING ",
    columns!()
);

/// In the place of an older one, whose holder finds its epoch gone.
const REPLACE: &str = concat!(
    "UPDATE upload SET device_id = $2, idempotency_key = $3, metadata = $4, length_bytes = $5, part = $6, offset_bytes = 0,
        manifest = '', media_id = NULL, epoch = epoch + 1, lease_until_ms = 0, wanted = false, expires_ms = $7
     WHERE id = $1 RETURNING ",
    columns!()
);

const HAS_CLIP: &str = "
SELECT EXISTS (SELECT 1 FROM upload JOIN media ON media.id = upload.media_id WHERE upload.id = $1)";

const CLAIM: &str = concat!(
    "UPDATE upload SET epoch = epoch + 1, lease_until_ms = $3, wanted = false, expires_ms = $4
     WHERE id = $1 AND media_id IS NULL AND lease_until_ms <= $2 AND expires_ms > $2 RETURNING ",
    columns!()
);

const WANT: &str = "UPDATE upload SET wanted = true WHERE id = $1 AND NOT wanted";

const SAVE: &str = "
UPDATE upload SET manifest = CASE WHEN $3 > offset_bytes THEN $6 ELSE manifest END,
    offset_bytes = greatest(offset_bytes, $3), lease_until_ms = $4, expires_ms = $5
WHERE part = $1 AND epoch = $2 AND media_id IS NULL RETURNING wanted";

const DELETE: &str = "DELETE FROM upload WHERE part = $1 AND epoch = $2 AND media_id IS NULL RETURNING part";

const EXPIRE: &str = "
DELETE FROM upload WHERE expires_ms <= $1 AND lease_until_ms <= $1 RETURNING part, media_id IS NULL";

const AWAITS_PART: &str = "SELECT EXISTS (SELECT 1 FROM upload WHERE part = $1 AND media_id IS NULL)";

fn read(row: &Row) -> Upload {
    let bytes = |index| u64::try_from(row.get::<_, i64>(index)).unwrap_or(0);
    Upload {
        id: row.get(0),
        device_id: row.get(1),
        key: row.get(2),
        metadata: row.get(3),
        length_bytes: bytes(4),
        part: row.get(5),
        durable: Durable {
            bytes: bytes(6),
            manifest: row.get(11),
        },
        is_complete: row.get(7),
        epoch: row.get(8),
        lease_until_ms: row.get(9),
        expires_ms: row.get(10),
    }
}

fn integer(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) async fn find(link: &Link, id: &str, now_ms: i64) -> Result<Option<Upload>, StoreError> {
    let rows = link.rows(FIND, &[&clean(id)]).await?;
    Ok(rows.first().map(read).filter(|upload| upload.expires_ms > now_ms))
}

pub(super) async fn create(link: &Link, new: &NewUpload, part: &str, now_ms: i64) -> Result<Created, StoreError> {
    loop {
        let create = async |client: &mut Client| {
            let tx = client.transaction().await?;
            let created = create_in(&tx, new, part, now_ms).await?;
            tx.commit().await?;
            Ok(created)
        };
        // None: it was forgotten between two looks.
        if let Some(created) = link.once(create).await? {
            return Ok(created);
        }
    }
}

async fn create_in(
    tx: &deadpool_postgres::Transaction<'_>,
    new: &NewUpload,
    part: &str,
    now_ms: i64,
) -> Result<Option<Created>, Error> {
    let (length, expires_ms) = (integer(new.length_bytes), now_ms + KEPT_MS);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
        &new.id,
        &new.device_id,
        &new.key,
        &new.metadata,
        &length,
        &part,
        &expires_ms,
    ];
    let is_new = |upload: Upload, dropped_part| Created {
        upload,
        is_new: true,
        dropped_part,
    };
    if let Some(row) = tx.query_opt(&tx.prepare_cached(CREATE).await?, &parameters).await? {
        return Ok(Some(is_new(read(&row), None)));
    }
    let found = tx
        .query_opt(&tx.prepare_cached(FIND_FOR_UPDATE).await?, &[&new.id])
        .await?;
    let Some(before) = found.as_ref().map(read) else {
        return Ok(None);
    };
    let same = before.metadata == new.metadata && before.length_bytes == new.length_bytes;
    let clip_is_gone = before.is_complete
        && !tx
            .query_one(&tx.prepare_cached(HAS_CLIP).await?, &[&new.id])
            .await?
            .get::<_, bool>(0);
    if same && before.expires_ms > now_ms && !clip_is_gone {
        return Ok(Some(Created {
            upload: before,
            is_new: false,
            dropped_part: None,
        }));
    }
    let row = tx.query_one(&tx.prepare_cached(REPLACE).await?, &parameters).await?;
    let dropped_part = (!before.is_complete).then_some(before.part);
    Ok(Some(is_new(read(&row), dropped_part)))
}

pub(super) async fn claim(link: &Link, id: &str, now_ms: i64) -> Result<Claim, StoreError> {
    let until = (now_ms + LEASE_MS, now_ms + KEPT_MS);
    let claimed = link.rows(CLAIM, &[&clean(id), &now_ms, &until.0, &until.1]).await?;
    if let Some(row) = claimed.first() {
        return Ok(Claim::Taken(read(row)));
    }
    match find(link, id, now_ms).await? {
        None => Ok(Claim::Gone),
        Some(upload) if upload.is_complete => Ok(Claim::Taken(upload)),
        Some(_) => {
            link.rows(WANT, &[&id]).await?;
            Ok(Claim::Held)
        }
    }
}

pub(super) async fn save(
    link: &Link,
    hold: &Hold,
    durable: &Durable,
    then: Then,
    now_ms: i64,
) -> Result<Saved, StoreError> {
    let lease_until_ms = match then {
        Then::GoesOn => now_ms + LEASE_MS,
        Then::LetsGo => 0,
    };
    let (bytes, expires_ms) = (integer(durable.bytes), now_ms + KEPT_MS);
    let saved = link
        .rows(
            SAVE,
            &[
                &hold.part,
                &hold.epoch,
                &bytes,
                &lease_until_ms,
                &expires_ms,
                &durable.manifest,
            ],
        )
        .await?;
    Ok(match saved.first().map(|row| row.get::<_, bool>(0)) {
        None => Saved::Lost,
        Some(true) => Saved::Wanted,
        Some(false) => Saved::Kept,
    })
}

pub(super) async fn delete(link: &Link, hold: &Hold) -> Result<bool, StoreError> {
    Ok(!link.rows(DELETE, &[&hold.part, &hold.epoch]).await?.is_empty())
}

pub(super) async fn expire(link: &Link, now_ms: i64) -> Result<Vec<String>, StoreError> {
    let expired = link.rows(EXPIRE, &[&now_ms]).await?;
    let parts = expired.iter().filter(|row| row.get::<_, bool>(1));
    Ok(parts.map(|row| row.get(0)).collect())
}

pub(super) async fn awaits_part(link: &Link, part: &str) -> Result<bool, StoreError> {
    let rows = link.rows(AWAITS_PART, &[&part]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}
