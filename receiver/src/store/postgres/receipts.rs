//! The receipts that were given for keys: many at a time.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use tokio_postgres::{Error, Row};

use super::link::Link;
use super::scalar::from_json;
use crate::store::StoreError;
use crate::store::row::{Key, Kind, Receipt};

/// With tokens a key is its device's own; without, it is one for all, and the first row's, also where that was removed. Not by the order of the primary
/// key: `+ 0` keeps the planner from walking along it.
const EVENTS: &str = "
SELECT place, found.id, found.date::text, found.capteur_id::text, NULL::bigint, NULL
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (key, owner, place),
LATERAL (
    SELECT * FROM (
        SELECT id, date, capteur_id FROM evenement
        WHERE idempotency_key = key AND (owner = '' OR device_id = owner)
        UNION ALL
        SELECT id, date, capteur_id FROM receipt
        WHERE idempotency_key = key AND kind = 'evenement' AND (owner = '' OR device_id = owner)
    ) AS first ORDER BY id + 0 LIMIT 1
) AS found";

const CLIPS: &str = "
SELECT place, found.id, found.date::text, found.capteur_id::text, found.size_bytes, found.file
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (key, owner, place),
LATERAL (
    SELECT * FROM (
        SELECT id, date, capteur_id, size_bytes, file FROM media
        WHERE idempotency_key = key AND (owner = '' OR device_id = owner)
        UNION ALL
        SELECT id, date, capteur_id, size_bytes, NULL FROM receipt
        WHERE idempotency_key = key AND kind = 'media' AND (owner = '' OR device_id = owner)
    ) AS first ORDER BY id + 0 LIMIT 1
) AS found";

const CLIP: &str = "SELECT 1::bigint, id, date::text, capteur_id::text, size_bytes, file FROM media WHERE id = $1";

fn sql(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => EVENTS,
        Kind::Clip => CLIPS,
    }
}

/// Whose a key is, as a column has it.
pub(super) fn owner(key: &Key) -> &str {
    key.owner.as_deref().unwrap_or_default()
}

/// Keys that are looked up together.
#[derive(Default)]
pub(super) struct Question<'a> {
    keys: Vec<&'a str>,
    owners: Vec<&'a str>,
}

impl<'a> Question<'a> {
    pub(super) fn new(keys: impl Iterator<Item = &'a Key>) -> Self {
        let (keys, owners) = keys.map(|key| (key.key.as_str(), owner(key))).unzip();
        Self { keys, owners }
    }
}

/// A row of a key.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) receipt: Receipt,
    /// The name of a clip.
    pub(super) file: Option<String>,
}

fn read(row: &Row) -> Found {
    let scalar = |index| from_json(row.get(index));
    let size_bytes: Option<i64> = row.get(4);
    Found {
        receipt: Receipt {
            id: row.get(1),
            date: scalar(2),
            sensor_id: scalar(3),
            size_bytes: size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        },
        file: row.get(5),
    }
}

/// What was found for each key, in their order.
pub(super) async fn ask(
    client: &impl GenericClient,
    kind: Kind,
    question: &Question<'_>,
) -> Result<Vec<Option<Found>>, Error> {
    let statement = client.prepare_cached(sql(kind)).await?;
    let rows = client.query(&statement, &[&question.keys, &question.owners]).await?;
    Ok(in_order(&rows, question))
}

/// The same on any connection.
pub(super) async fn ask_link(
    link: &Link,
    kind: Kind,
    question: &Question<'_>,
) -> Result<Vec<Option<Found>>, StoreError> {
    let rows = link.rows(sql(kind), &[&question.keys, &question.owners]).await?;
    Ok(in_order(&rows, question))
}

fn in_order(rows: &[Row], question: &Question<'_>) -> Vec<Option<Found>> {
    let mut found: HashMap<i64, Found> = rows.iter().map(|row| (row.get(0), read(row))).collect();
    (1..)
        .take(question.keys.len())
        .map(|place| found.remove(&place))
        .collect()
}

/// The clip of an id.
pub(super) async fn of_clip(client: &impl GenericClient, id: i64) -> Result<Option<Found>, Error> {
    let statement = client.prepare_cached(CLIP).await?;
    Ok(client.query_opt(&statement, &[&id]).await?.as_ref().map(read))
}
