//! Clips that a person has not seen yet.

use rusqlite::{Connection, OptionalExtension, params};

use super::of_few;
use super::read_rows::clip;
use super::reading_sql::{self as sql, List};
use crate::store::pattern;
use crate::store::reading::{ClipRow, NEW_AT_FIRST, UNSEEN_MOST, Unseen};

pub(super) fn unseen(
    conn: &mut Connection,
    person: &str,
    visible: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Unseen> {
    // One look at all of it.
    let tx = conn.transaction()?;
    let newest: i64 = tx
        .prepare_cached(&List::Clips.newest())?
        .query_row([], |row| row.get(0))?;
    let seen: Option<i64> = tx
        .prepare_cached(sql::SEEN_BY)?
        .query_row([person], |row| row.get(0))
        .optional()?;
    let seen = seen.unwrap_or(newest - NEW_AT_FIRST);
    let (count, clips) = match of_few::devices(&tx, visible, limit)? {
        Some(devices) => of_devices(&tx, &devices, seen, limit)?,
        None => of_all(&tx, visible.map(pattern::glob), seen, limit)?,
    };
    Ok(Unseen {
        count: u64::try_from(count).unwrap_or(0),
        newest,
        clips,
    })
}

fn of_all(conn: &Connection, visible: Option<String>, seen: i64, limit: u32) -> rusqlite::Result<(i64, Vec<ClipRow>)> {
    let count = conn
        .prepare_cached(sql::COUNT_AFTER)?
        .query_row(params![seen, visible, UNSEEN_MOST], |row| row.get(0))?;
    let mut statement = conn.prepare_cached(&List::Clips.after())?;
    let clips = statement.query_map(params![seen, visible, limit], clip)?;
    Ok((count, clips.collect::<rusqlite::Result<_>>()?))
}

/// Device by device: however many clips of others came since, none of those is read.
fn of_devices(conn: &Connection, devices: &[String], seen: i64, limit: u32) -> rusqlite::Result<(i64, Vec<ClipRow>)> {
    let mut count = 0;
    let mut ids: Vec<i64> = Vec::new();
    let mut counting = conn.prepare_cached(sql::COUNT_OF_DEVICE)?;
    let mut listing = conn.prepare_cached(sql::IDS_OF_DEVICE)?;
    for device in devices {
        if count < UNSEEN_MOST {
            let of_one: i64 = counting.query_row(params![device, seen, UNSEEN_MOST - count], |row| row.get(0))?;
            count += of_one;
        }
        for id in listing.query_map(params![device, seen, limit], |row| row.get(0))? {
            ids.push(id?);
        }
    }
    ids.sort_unstable();
    ids.truncate(limit as usize);
    let mut reading = conn.prepare_cached(&sql::one_clip())?;
    let clips = ids.into_iter().map(|id| reading.query_row([id], clip));
    Ok((count, clips.collect::<rusqlite::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::store::sqlite::migrations::migrate;

    const OTHERS: i64 = 50_000;

    /// Clip 1 is of `shop-1`, 2 of `shop-2`, as is 3, which is being removed; all others are of `home`.
    fn database() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        let insert = "INSERT INTO media (device_id, source, date, file, size_bytes, sha256, removing)";
        conn.execute_batch(&format!(
            "INSERT INTO device_row VALUES ('shop-1', 1), ('shop-2', 1), ('home', 1);
             {insert} VALUES ('shop-1', 's', '2025', '1', 1, '', NULL), ('shop-2', 's', '2025', '2', 1, '', NULL),
             ('shop-2', 's', '2025', '3', 1, '', 'age');
             WITH RECURSIVE n (i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < {OTHERS})
             {insert} SELECT 'home', 's', '2025', i, 1, '', NULL FROM n;
             INSERT INTO person_seen VALUES ('shops', 0), ('some', 1), ('all', {OTHERS})"
        ))
        .unwrap();
        conn
    }

    fn ids(unseen: &Unseen) -> Vec<i64> {
        unseen.clips.iter().map(|clip| clip.id).collect()
    }

    #[test]
    fn what_is_new_of_few_devices_is_told_without_reading_what_is_of_others() {
        let mut conn = database();
        let thousands = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&thousands);
        let step = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        conn.progress_handler(1000, Some(step)).unwrap();
        let found = unseen(&mut conn, "shops", Some("shop-*"), 50).unwrap();
        assert_eq!((found.count, found.newest, ids(&found)), (2, OTHERS, vec![1, 2]));
        let found = unseen(&mut conn, "shops", Some("shop-*"), 1).unwrap();
        assert_eq!((found.count, ids(&found)), (2, vec![1]));
        let found = unseen(&mut conn, "some", Some("shop-*"), 50).unwrap();
        assert_eq!((found.count, ids(&found)), (1, vec![2]));
        let found = unseen(&mut conn, "all", Some("shop-*"), 50).unwrap();
        assert_eq!((found.count, ids(&found)), (0, vec![]));
        assert!(thousands.load(Ordering::Relaxed) < 10, "{thousands:?}");
        let found = unseen(&mut conn, "shops", Some("nobody-*"), 50).unwrap();
        assert_eq!((found.count, ids(&found)), (0, vec![]));
    }

    #[test]
    fn the_same_is_told_device_by_device_and_along_all_clips() {
        let mut conn = database();
        let tx = conn.transaction().unwrap();
        let devices = ["home", "shop-1", "shop-2"].map(str::to_string);
        for (seen, limit) in [(0, 5), (1, 5), (OTHERS - 3, 50), (OTHERS - 2000, 50), (OTHERS, 5)] {
            let (count, clips) = of_devices(&tx, &devices, seen, limit).unwrap();
            let (count_all, all) = of_all(&tx, None, seen, limit).unwrap();
            assert_eq!(count, count_all, "{seen}");
            let ids = |clips: &[ClipRow]| -> Vec<i64> { clips.iter().map(|clip| clip.id).collect() };
            assert_eq!(ids(&clips), ids(&all), "{seen}");
        }
    }
}
