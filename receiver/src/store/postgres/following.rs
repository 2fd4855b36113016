//! What was stored after a place, for those who follow it.
//!
//! Ids are not committed in their order: of two transactions the one that drew the smaller id may end last. Rows are told by
//! transaction and id, and only those of transactions before the oldest one that still runs: no row can come before them any more.

use tokio_postgres::{Error, Row};

use super::desk::{Own, PostgresDesk, borrowed, clean, push_pattern};
use super::read_rows::{clip, event};
use super::read_sql as sql;
use crate::store::StoreError;
use crate::store::reading::{Change, Changes, Cursor, NEW_AT_FIRST, UNSEEN_MOST, Unseen};

/// Of one transaction events are told before clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Last {
    Event(i64),
    Clip(i64),
}

/// After all of earlier transactions, and of this one up to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    xid: i64,
    last: Last,
}

impl Place {
    /// Before all of a transaction; ids begin with 1.
    fn before(xid: i64) -> Self {
        Self {
            xid,
            last: Last::Event(0),
        }
    }

    pub(super) fn of(cursor: &Cursor) -> Option<Self> {
        let (xid, last) = cursor.as_str().strip_prefix('c')?.split_once('.')?;
        let (xid, id) = (xid.parse().ok()?, last.get(1..)?.parse().ok()?);
        let last = match last.get(..1)? {
            "e" => Last::Event(id),
            "m" => Last::Clip(id),
            _ => return None,
        };
        Some(Self { xid, last })
    }

    pub(super) fn cursor(self) -> Cursor {
        Cursor::new(match self.last {
            Last::Event(id) => format!("c{}.e{id}", self.xid),
            Last::Clip(id) => format!("c{}.m{id}", self.xid),
        })
    }

    /// The last event and the last clip of its transaction.
    fn ids(self) -> (i64, i64) {
        match self.last {
            Last::Event(id) => (id, 0),
            Last::Clip(id) => (i64::MAX, id),
        }
    }
}

/// A row that was stored; none where it says how far everything is settled.
fn told(row: &Row) -> Result<(Place, Option<Change>), Error> {
    let xid = row.try_get(1)?;
    let (last, change) = match row.try_get(0)? {
        1_i32 => {
            let event = event(row, 2)?;
            (Last::Event(event.id), Change::Event(event))
        }
        2 => {
            let clip = clip(row, 2)?;
            (Last::Clip(clip.id), Change::Clip(clip))
        }
        _ => return Ok((Place::before(xid), None)),
    };
    Ok((Place { xid, last }, Some(change)))
}

impl PostgresDesk {
    pub(super) async fn newest_place(&self) -> Result<Place, StoreError> {
        let settled = self.first(sql::NEWEST, &[], |row| row.try_get(0)).await?;
        Ok(Place::before(settled.unwrap_or(0)))
    }

    pub(super) async fn changes_after(
        &self,
        cursor: Cursor,
        visible: Option<String>,
        limit: u32,
    ) -> Result<Changes, StoreError> {
        let Some(place) = Place::of(&cursor) else {
            return Ok((Vec::new(), self.newest_place().await?.cursor()));
        };
        let (event_id, clip_id) = place.ids();
        let mut own: Own = vec![
            Box::new(place.xid),
            Box::new(event_id),
            Box::new(clip_id),
            Box::new(i64::from(limit)),
        ];
        if let Some(visible) = &visible {
            push_pattern(&mut own, visible);
        }
        let told = self.all(&sql::after(visible.is_some()), &borrowed(&own), told).await?;
        let (mut until, mut found) = (place, Vec::new());
        for (place, change) in told {
            match change {
                None => until = place,
                Some(change) => found.push((place, change)),
            }
        }
        found.sort_by_key(|(place, _)| *place);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_all = found.len() < limit;
        found.truncate(limit);
        // A place ahead of everything is of a server that has lost its last hours: what comes now is told.
        let end = match found.last() {
            Some((last, _)) if !is_all => *last,
            _ => until,
        };
        let changes = found.into_iter().map(|(place, change)| (change, place.cursor()));
        Ok((changes.collect(), end.cursor()))
    }

    pub(super) async fn unseen_of(
        &self,
        person: String,
        visible: Option<String>,
        limit: u32,
    ) -> Result<Unseen, StoreError> {
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let newest: Option<(i64, i64)> = self.first(sql::NEWEST_CLIP, &[&0_i64], pair).await?;
        let seen: Option<(i64, i64)> = self.first(sql::SEEN_BY, &[&clean(&person)], pair).await?;
        let (xid, id) = match seen {
            Some(seen) => seen,
            None => self
                .first(sql::NEWEST_CLIP, &[&NEW_AT_FIRST], pair)
                .await?
                .unwrap_or_default(),
        };
        let asked = |most: i64| {
            let mut own: Own = vec![Box::new(xid), Box::new(id), Box::new(most)];
            if let Some(visible) = &visible {
                push_pattern(&mut own, visible);
            }
            own
        };
        let is_narrowed = visible.is_some();
        let (few, counted) = (asked(i64::from(limit)), asked(UNSEEN_MOST));
        let (few, counted) = (borrowed(&few), borrowed(&counted));
        let (list, count) = (sql::clips_after(is_narrowed), sql::count_after(is_narrowed));
        let count = self
            .first(&count, &counted, |row| row.try_get::<_, i64>(0))
            .await?
            .unwrap_or(0);
        let clips = self.all(&list, &few, |row| clip(row, 0)).await?;
        Ok(Unseen {
            count: u64::try_from(count).unwrap_or(0),
            newest: newest.map_or(0, |(_, id)| id),
            clips,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [
            Place::before(7),
            Place {
                xid: 1 << 40,
                last: Last::Clip(i64::MAX),
            },
        ] {
            assert_eq!(Place::of(&place.cursor()), Some(place));
            assert!(Cursor::read(place.cursor().as_str()).is_some());
        }
        for other in ["12.34", "c1.x2", "c.e1", "c1.e", "c1.", "c1.é"] {
            assert_eq!(Place::of(&Cursor::new(other.to_string())), None, "{other}");
        }
    }
}

/// Transactions that end in another order than that of their ids.
#[cfg(test)]
mod on_postgres {
    use tokio_postgres::{Client, NoTls};

    use super::*;
    use crate::store::postgres::OwnDatabase;
    use crate::store::reading::Reading;

    async fn writer(database: &OwnDatabase) -> Client {
        let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    const EVENT: &str = "INSERT INTO evenement (device_id, source, moment) VALUES ('a', 's', '2025')";
    const CLIP: &str = "INSERT INTO media (device_id, source, moment, file, size_bytes, sha256) VALUES ('a', 's', '2025', gen_random_uuid(), 1, '')";

    /// Takes what there is, waiting until as much was told in all as is expected.
    async fn follow(desk: &PostgresDesk, cursor: &mut Cursor, told: &mut Vec<String>, expected: usize) {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let (changes, after) = desk.changes(cursor.clone(), None, 2).await.unwrap();
            *cursor = after;
            told.extend(changes.into_iter().map(|(change, _)| match change {
                Change::Event(event) => format!("event {}", event.id),
                Change::Clip(clip) => format!("clip {}", clip.id),
            }));
            if told.len() >= expected {
                return;
            }
            assert!(std::time::Instant::now() < end, "{told:?}");
        }
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn rows_that_are_committed_out_of_order_are_told_once_each() {
        let database = OwnDatabase::default();
        let desk = PostgresDesk::beside(&database.ready()).unwrap();
        let [one, other] = [writer(&database).await, writer(&database).await];
        let (mut cursor, mut told) = (desk.newest().await.unwrap(), Vec::new());
        for first_id_ends_last in [true, false] {
            for begins_early in [true, false] {
                let before = told.len();
                // The one that draws the smaller id has the earlier transaction, or the later.
                one.batch_execute("BEGIN").await.unwrap();
                other.batch_execute("BEGIN").await.unwrap();
                let early = if begins_early { &one } else { &other };
                early.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
                for sql in [EVENT, CLIP] {
                    one.batch_execute(sql).await.unwrap();
                    other.batch_execute(sql).await.unwrap();
                }
                let (first, last) = if first_id_ends_last {
                    (&other, &one)
                } else {
                    (&one, &other)
                };
                follow(&desk, &mut cursor, &mut told, before).await;
                first.batch_execute("COMMIT").await.unwrap();
                follow(&desk, &mut cursor, &mut told, before).await;
                last.batch_execute("COMMIT").await.unwrap();
                follow(&desk, &mut cursor, &mut told, before + 4).await;
            }
        }
        let mut once = told.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((told.len(), once.len()), (16, 16), "{told:?}");
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn a_clip_that_is_committed_after_a_newer_one_is_new_all_the_same() {
        let database = OwnDatabase::default();
        let desk = PostgresDesk::beside(&database.ready()).unwrap();
        let [one, other] = [writer(&database).await, writer(&database).await];
        one.batch_execute(CLIP).await.unwrap();
        follow(&desk, &mut Cursor::new("c1.e0".to_string()), &mut Vec::new(), 1).await;
        desk.seen("anna".to_string(), 1).await.unwrap();
        // The other's transaction is the earlier one, and its clip the later.
        other.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
        one.batch_execute(&format!("BEGIN; {CLIP}")).await.unwrap();
        other.batch_execute(&format!("{CLIP}; COMMIT")).await.unwrap();
        follow(&desk, &mut Cursor::new("c1.e0".to_string()), &mut Vec::new(), 2).await;
        let unseen = desk.unseen("anna".to_string(), None, 9).await.unwrap();
        assert_eq!((unseen.count, unseen.newest), (1, 3));
        desk.seen("anna".to_string(), unseen.newest).await.unwrap();
        one.batch_execute("COMMIT").await.unwrap();
        follow(&desk, &mut Cursor::new("c1.e0".to_string()), &mut Vec::new(), 3).await;
        let unseen = desk.unseen("anna".to_string(), None, 9).await.unwrap();
        assert_eq!((unseen.count, unseen.newest, unseen.clips[0].id), (1, 2, 2));
        desk.seen("anna".to_string(), unseen.newest).await.unwrap();
        // And the other way round: what is seen goes no further than what is settled.
        one.batch_execute(&format!("BEGIN; {CLIP}")).await.unwrap();
        other.batch_execute(CLIP).await.unwrap();
        let unseen = desk.unseen("anna".to_string(), None, 9).await.unwrap();
        assert_eq!((unseen.count, unseen.newest), (0, 2));
        desk.seen("anna".to_string(), 5).await.unwrap();
        one.batch_execute("COMMIT").await.unwrap();
        follow(&desk, &mut Cursor::new("c1.e0".to_string()), &mut Vec::new(), 5).await;
        let unseen = desk.unseen("anna".to_string(), None, 9).await.unwrap();
        let ids: Vec<_> = unseen.clips.iter().map(|clip| clip.id).collect();
        assert_eq!((unseen.count, ids), (2, vec![4, 5]));
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn one_who_is_ahead_of_a_server_that_lost_its_last_hours_is_told_what_comes() {
        let database = OwnDatabase::default();
        let desk = PostgresDesk::beside(&database.ready()).unwrap();
        let mut ahead = Cursor::new("c99999999999.m7".to_string());
        let mut told = Vec::new();
        follow(&desk, &mut ahead, &mut told, 0).await;
        writer(&database).await.batch_execute(EVENT).await.unwrap();
        follow(&desk, &mut ahead, &mut told, 1).await;
        assert_eq!(told, ["event 1"]);
    }
}
