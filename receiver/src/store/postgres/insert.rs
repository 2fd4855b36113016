//! Storing rows: one statement for all that come together, whole or not at all.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::receipts::{self, Question};
use super::scalar::{moment, plain, sensor, to_json};
use crate::record::Origin;
use crate::store::row::{Added, Content, Key, Kind, NewRow, Receipt};

/// Rows get their ids in the order in which they were sent, and are stored in the order of their keys: two receivers that
/// store the same keys wait for each other, and never each for the other. A key that was seen is passed over; one that
/// somebody else stores meanwhile is waited for, and passed over.
///
/// A device's row is touched when that was last done some seconds ago, and nobody else is about to: it is no place to queue.
const INSERT: &str = r#"
WITH fresh_event AS MATERIALIZED (
    SELECT nextval('evenement_id_seq') AS id, sent.* FROM (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                             $9::text[], $10::text[])
        WITH ORDINALITY AS given (date, sensor_id, sensor_name, state, device, source, moment, sensor, key, owner, place)
        WHERE key IS NULL OR NOT EXISTS (
            SELECT 1 FROM evenement WHERE idempotency_key = key AND (owner = '' OR device_id = owner))
        AND NOT EXISTS (
            SELECT 1 FROM receipt WHERE idempotency_key = key AND kind = 'evenement' AND (owner = '' OR device_id = owner))
        ORDER BY place
    ) AS sent
), event AS (
    INSERT INTO evenement (id, date, capteur_id, capteur_nom, capteur_etat, device_id, source, moment, sensor,
                           idempotency_key, key_owner)
    SELECT id, date::json, sensor_id::json, sensor_name::json, state::json, device, source,
           coalesce(moment, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')), sensor, key, owner
    FROM fresh_event ORDER BY key, owner
    ON CONFLICT (idempotency_key, key_owner) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, device_id
), fresh_clip AS MATERIALIZED (
    SELECT nextval('media_id_seq') AS id, sent.* FROM (
        SELECT * FROM unnest($11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
                             $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[], $23::text[], $24::text[],
                             $25::text[])
        WITH ORDINALITY AS given (date, sensor_id, sensor_name, number, device, source, moment, sensor, key, owner, camera,
                                  bytes, file, sha256, manifest, place)
        WHERE key IS NULL OR NOT EXISTS (
            SELECT 1 FROM media WHERE idempotency_key = key AND (owner = '' OR device_id = owner))
        AND NOT EXISTS (
            SELECT 1 FROM receipt WHERE idempotency_key = key AND kind = 'media' AND (owner = '' OR device_id = owner))
        ORDER BY place
    ) AS sent
), clip AS (
    INSERT INTO media (id, date, capteur_id, capteur_nom, numero_camera, device_id, source, moment, sensor,
                       idempotency_key, key_owner, camera, size_bytes, file, sha256, manifest)
    SELECT id, date::json, sensor_id::json, sensor_name::json, number::json, device, source,
           coalesce(moment, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')), sensor, key, owner, camera,
           bytes, file, sha256, manifest
    FROM fresh_clip ORDER BY key, owner
    ON CONFLICT (idempotency_key, key_owner) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id, device_id
), stored AS (
    SELECT device_id FROM event UNION SELECT device_id FROM clip
), touched AS (
    UPDATE device_row SET row_at = extract(epoch FROM now())::bigint
    WHERE device_id IN (
        SELECT device_id FROM device_row
        WHERE device_id IN (SELECT device_id FROM stored) AND row_at < extract(epoch FROM now())::bigint - 4
        ORDER BY device_id FOR UPDATE SKIP LOCKED)
), made AS (
    INSERT INTO device_row (device_id, row_at)
    SELECT device_id, extract(epoch FROM now())::bigint FROM stored
    WHERE NOT EXISTS (SELECT 1 FROM device_row WHERE device_row.device_id = stored.device_id)
    ORDER BY device_id
    ON CONFLICT DO NOTHING
)
SELECT false, place, id FROM fresh_event JOIN event USING (id)
UNION ALL
SELECT true, place, id FROM fresh_clip JOIN clip USING (id)"#;

type Texts<'a> = Vec<Option<std::borrow::Cow<'a, str>>>;

/// What the two tables have in common, a list for each column.
#[derive(Default)]
struct Columns<'a> {
    date: Texts<'a>,
    sensor_id: Texts<'a>,
    sensor_name: Texts<'a>,
    /// `capteur_etat` or `numero_camera`.
    number: Texts<'a>,
    device: Vec<&'a str>,
    source: Vec<&'a str>,
    moment: Texts<'a>,
    sensor: Texts<'a>,
    key: Vec<Option<&'a str>>,
    owner: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, origin: &'a Origin, number: &crate::record::Scalar, key: Option<&'a Key>) {
        let owned = |text: Option<String>| text.map(std::borrow::Cow::Owned);
        self.date.push(owned(to_json(&origin.date)));
        self.sensor_id.push(owned(to_json(&origin.sensor_id)));
        self.sensor_name.push(owned(to_json(&origin.sensor_name)));
        self.number.push(owned(to_json(number)));
        self.device.push(&origin.device_id);
        self.source.push(&origin.source);
        self.moment.push(owned(moment(&origin.date)));
        self.sensor.push(owned(sensor(origin)));
        self.key.push(key.map(|key| key.key.as_str()));
        self.owner.push(key.map(receipts::owner));
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 10] {
        [
            &self.date,
            &self.sensor_id,
            &self.sensor_name,
            &self.number,
            &self.device,
            &self.source,
            &self.moment,
            &self.sensor,
            &self.key,
            &self.owner,
        ]
    }
}

/// What clips have beyond.
#[derive(Default)]
struct Videos<'a> {
    camera: Vec<Option<String>>,
    bytes: Vec<i64>,
    file: Vec<&'a str>,
    sha256: Vec<&'a str>,
    manifest: Vec<&'a str>,
}

/// Rows as the statement takes them, and where each came from.
#[derive(Default)]
struct Sent<'a> {
    events: Columns<'a>,
    clips: Columns<'a>,
    videos: Videos<'a>,
    /// Of each event and each clip, its index among the rows.
    places: [Vec<usize>; 2],
}

impl<'a> Sent<'a> {
    /// Each key once.
    fn new(rows: &'a [NewRow], firsts: &[usize]) -> Self {
        let mut sent = Self::default();
        for (index, row) in rows
            .iter()
            .enumerate()
            .filter(|(index, _)| firsts.get(*index) == Some(index))
        {
            let key = row.key.as_ref();
            match &row.content {
                Content::Event(event) => sent.events.push(&event.origin, &event.sensor_state, key),
                Content::Clip(clip, stored) => {
                    sent.clips.push(&clip.origin, &clip.camera, key);
                    let videos = &mut sent.videos;
                    videos.camera.push(plain(&clip.camera));
                    videos.bytes.push(i64::try_from(stored.size_bytes).unwrap_or(i64::MAX));
                    videos.file.push(&stored.name);
                    videos.sha256.push(&stored.sha256);
                    videos.manifest.push(&stored.manifest);
                }
            }
            sent.places[usize::from(row.kind() == Kind::Clip)].push(index);
        }
        sent
    }

    async fn store(&self, client: &impl GenericClient) -> Result<Vec<(usize, i64)>, Error> {
        let statement = client.prepare_cached(INSERT).await?;
        let videos = &self.videos;
        let of_videos: [&(dyn ToSql + Sync); 5] = [
            &videos.camera,
            &videos.bytes,
            &videos.file,
            &videos.sha256,
            &videos.manifest,
        ];
        let parameters = [&self.events.parameters()[..], &self.clips.parameters(), &of_videos].concat();
        let found = client.query(&statement, &parameters).await?;
        let index = |row: &tokio_postgres::Row| {
            let (is_clip, place): (bool, i64) = (row.get(0), row.get(1));
            let places = self.places.get(usize::from(is_clip))?;
            Some((*places.get(usize::try_from(place - 1).ok()?)?, row.get(2)))
        };
        Ok(found.iter().filter_map(index).collect())
    }
}

/// For each row the first that has its key: itself, as a rule.
fn firsts(rows: &[NewRow]) -> Vec<usize> {
    let mut known = HashMap::new();
    let first = |(index, row): (usize, &'_ NewRow)| match &row.key {
        None => index,
        Some(key) => *known
            .entry((row.kind() == Kind::Clip, key.owner.clone(), key.key.clone()))
            .or_insert(index),
    };
    rows.iter().enumerate().map(first).collect()
}

fn receipt(row: &NewRow, id: i64) -> Receipt {
    let (origin, size_bytes) = match &row.content {
        Content::Event(event) => (&event.origin, None),
        Content::Clip(clip, stored) => (&clip.origin, Some(stored.size_bytes)),
    };
    Receipt {
        id,
        date: origin.date.clone(),
        sensor_id: origin.sensor_id.clone(),
        size_bytes,
    }
}

/// Why rows were not stored, or why it is not known which of them were there before.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether the statement that stores them went well: without a transaction around it they are there.
    pub(super) is_stored: bool,
}

/// Stores rows, each unless its key was seen. Fewer outcomes than rows when a key's row was removed at that very moment.
pub(super) async fn run(client: &impl GenericClient, rows: &[NewRow]) -> Result<Vec<Option<Added>>, Failed> {
    let failed = |is_stored| move |error| Failed { error, is_stored };
    let firsts = firsts(rows);
    let mut added: Vec<Option<Added>> = vec![None; rows.len()];
    for (index, id) in Sent::new(rows, &firsts).store(client).await.map_err(failed(false))? {
        if let (Some(place), Some(row)) = (added.get_mut(index), rows.get(index)) {
            let receipt = receipt(row, id);
            *place = Some(Added { receipt, is_new: true });
        }
    }
    seen(client, rows, &mut added, &firsts).await.map_err(failed(true))?;
    for (index, first) in firsts.iter().enumerate() {
        if index != *first {
            let of_first = added.get(*first).cloned().flatten();
            if let Some(place) = added.get_mut(index) {
                *place = of_first.map(|of_first| Added {
                    is_new: false,
                    ..of_first
                });
            }
        }
    }
    Ok(added)
}

/// Finds the receipts of the keys that had been seen.
async fn seen(
    client: &impl GenericClient,
    rows: &[NewRow],
    added: &mut [Option<Added>],
    firsts: &[usize],
) -> Result<(), Error> {
    for kind in [Kind::Event, Kind::Clip] {
        let missing = |(index, row): &(usize, &NewRow)| {
            row.kind() == kind && firsts.get(*index) == Some(index) && added.get(*index).is_some_and(Option::is_none)
        };
        let missing: Vec<(usize, &NewRow)> = rows.iter().enumerate().filter(missing).collect();
        if missing.is_empty() {
            continue;
        }
        let keys = missing.iter().filter_map(|(_, row)| row.key.as_ref());
        let question = Question::new(keys);
        let found = receipts::ask(client, kind, &question).await?;
        for ((index, row), found) in missing.into_iter().zip(found) {
            let (Some(place), Some(found)) = (added.get_mut(index), found) else {
                continue;
            };
            // Where the answer to the statement was lost, the row is this one all the same.
            let is_ours =
                matches!((&row.content, &found.file), (Content::Clip(_, ours), Some(file)) if ours.name == *file);
            *place = Some(Added {
                receipt: found.receipt,
                is_new: is_ours,
            });
        }
    }
    Ok(())
}
