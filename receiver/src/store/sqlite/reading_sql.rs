//! What is read: every statement, each with the index that serves it.

/// A device has stored a row now.
pub(super) const DEVICE_STORED: &str = "
INSERT INTO device_row (device_id, row_at) VALUES (?1, CAST(strftime('%s') AS INTEGER))
ON CONFLICT (device_id) DO UPDATE SET row_at = excluded.row_at WHERE row_at <> excluded.row_at";

const EVENT: &str = "id, date, capteur_id, capteur_nom, capteur_etat, device_id, received_at, moment";
const CLIP: &str = "id, date, capteur_id, capteur_nom, numero_camera, device_id, received_at, moment, size_bytes, sha256, pinned, file";

/// A clip that is being removed is nobody's to see.
const SEEN: &str = "removing IS NULL";

/// Which of the two tables, and what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Events,
    Clips,
}

/// What all rows of a list have in common. Each set of these has its own index, so that none is read for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Narrowed {
    pub(super) device: bool,
    pub(super) sensor: bool,
    pub(super) camera: bool,
}

impl Narrowed {
    /// As it is called in the index's name, its column and the number of its parameter.
    fn columns(self) -> impl Iterator<Item = (&'static str, &'static str, u8)> {
        [
            (self.device, ("device", "device_id", 4)),
            (self.sensor, ("sensor", "sensor", 5)),
            (self.camera, ("camera", "camera", 7)),
        ]
        .into_iter()
        .filter_map(|(is_given, column)| is_given.then_some(column))
    }
}

/// The devices of a pattern (6).
const THEIRS_ALL: &str = "SELECT device_id FROM device_row WHERE device_id GLOB ?6";

/// The devices of a pattern (1) between its first name (2) and its end (3), as many as told (4).
pub(super) const THEIRS: &str = "
SELECT device_id FROM device_row
WHERE device_id GLOB ?1 AND device_id >= ?2 AND (?3 IS NULL OR device_id < ?3) LIMIT ?4";

impl List {
    fn table(self) -> &'static str {
        match self {
            Self::Events => "evenement",
            Self::Clips => "media",
        }
    }

    /// Parameters: 1 and 2 the place after which, 3 the other end, 4 device, 5 sensor, 6 pattern of devices, 7 camera,
    /// 8 how many.
    pub(super) fn page(self, narrowed: Narrowed, ascending: bool) -> String {
        let (table, columns) = (self.table(), if self == Self::Events { EVENT } else { CLIP });
        let (index, filter) = (self.index(narrowed), self.filter(narrowed));
        let (after, until, order) = if ascending {
            (">", "<", "ASC")
        } else {
            ("<", ">=", "DESC")
        };
        format!(
            "SELECT {columns} FROM {table} INDEXED BY {index} WHERE {filter} AND (moment, id) {after} (?1, ?2) \
             AND moment {until} ?3 ORDER BY moment {order}, id {order} LIMIT ?8"
        )
    }

    /// Rows an hour, with the parameters of a page: 1 the first moment, 3 the end.
    pub(super) fn hours(self, narrowed: Narrowed) -> String {
        self.hours_along(&self.index(narrowed), &self.filter(narrowed))
    }

    /// The same for a pattern of devices, each by its own index.
    pub(super) fn hours_of_theirs(self, narrowed: Narrowed) -> String {
        let of_one = Narrowed {
            device: true,
            ..narrowed
        };
        let filter = format!("{} AND device_id IN ({THEIRS_ALL})", self.filter(narrowed));
        self.hours_along(&self.index(of_one), &filter)
    }

    fn hours_along(self, index: &str, filter: &str) -> String {
        format!(
            "SELECT CAST(substr(moment, 12, 2) AS INTEGER), count(*) FROM {} INDEXED BY {index} \
             WHERE {filter} AND moment >= ?1 AND moment < ?3 AND ?2 IS ?8 GROUP BY 1",
            self.table()
        )
    }

    /// Rows between two moments, whoever's. Only the index is read: any column would be read of the table, which for a day of
    /// everybody's takes ten times as long.
    pub(super) fn count(self) -> String {
        let count = format!(
            "SELECT count(*) FROM {} INDEXED BY {} WHERE moment >= ?1 AND moment < ?2",
            self.table(),
            self.index(Narrowed::default())
        );
        match self {
            Self::Events => count,
            Self::Clips => format!(
                "SELECT ({count}) - (SELECT count(*) FROM media INDEXED BY media_removing \
                 WHERE removing IS NOT NULL AND moment >= ?1 AND moment < ?2)"
            ),
        }
    }

    pub(super) fn index(self, narrowed: Narrowed) -> String {
        let names: Vec<_> = narrowed.columns().map(|(name, ..)| name).collect();
        let names = if names.is_empty() {
            "moment".to_string()
        } else {
            names.join("_")
        };
        format!("{}_by_{names}", self.table())
    }

    fn filter(self, narrowed: Narrowed) -> String {
        let seen = if self == Self::Events { "TRUE" } else { SEEN };
        let mut filter = format!("{seen} AND (?6 IS NULL OR device_id GLOB ?6)");
        for (_, column, number) in narrowed.columns() {
            filter += &format!(" AND {column} = ?{number}");
        }
        filter
    }

    /// By primary key: 1 the last id that was seen, 2 pattern of devices, 3 how many. The last column says which event it is, or
    /// which was the last before the clip: what was committed first.
    pub(super) fn after(self) -> String {
        let (columns, place) = match self {
            Self::Events => (EVENT, "id"),
            Self::Clips => (CLIP, "after_event"),
        };
        let seen = if self == Self::Events { "TRUE" } else { SEEN };
        format!(
            "SELECT {columns}, {place} AS place FROM {} WHERE id > ?1 AND (?2 IS NULL OR device_id GLOB ?2) AND {seen} ORDER BY id LIMIT ?3",
            self.table()
        )
    }

    pub(super) fn newest(self) -> String {
        format!("SELECT coalesce(max(id), 0) FROM {}", self.table())
    }
}

pub(super) fn one_clip() -> String {
    format!("SELECT {CLIP} FROM media WHERE id = ?1 AND {SEEN}")
}

pub(super) const PIN: &str = "UPDATE media SET pinned = ?2 WHERE id = ?1 AND removing IS NULL";

/// Devices that stored rows, or told how they are, or both.
pub(super) const DEVICES: &str = "
SELECT coalesce(device_row.device_id, device.device_id), row_at, unixepoch(received_at), status, clock_ahead_ms
FROM device_row FULL JOIN device ON device.device_id = device_row.device_id";

/// Each half by its key: a full join would be read as a whole.
pub(super) const ONE_DEVICE: &str = "
SELECT wanted.device_id, row_at, unixepoch(received_at), status, clock_ahead_ms
FROM (SELECT ?1 AS device_id) AS wanted
LEFT JOIN device_row ON device_row.device_id = wanted.device_id
LEFT JOIN device ON device.device_id = wanted.device_id
WHERE row_at IS NOT NULL OR received_at IS NOT NULL";

/// Of a device since a quarter of an hour.
pub(super) const BACKLOG: &str =
    "SELECT quarter, most_rows FROM device_backlog WHERE device_id = ?1 AND quarter > ?2 ORDER BY quarter";

/// Counted no further than told.
pub(super) const COUNT_AFTER: &str = "
SELECT count(*) FROM (
    SELECT 1 FROM media WHERE id > ?1 AND (?2 IS NULL OR device_id GLOB ?2) AND removing IS NULL LIMIT ?3)";

/// The same of a device (1), by its index alone: 2 the last id that was seen, 3 how many.
pub(super) const COUNT_OF_DEVICE: &str = "
SELECT count(*) FROM (
    SELECT 1 FROM media INDEXED BY media_by_device_id WHERE device_id = ?1 AND id > ?2 AND removing IS NULL LIMIT ?3)";

pub(super) const IDS_OF_DEVICE: &str = "
SELECT id FROM media INDEXED BY media_by_device_id WHERE device_id = ?1 AND id > ?2 AND removing IS NULL ORDER BY id LIMIT ?3";

pub(super) const SEEN_BY: &str = "SELECT media_id FROM person_seen WHERE person = ?1";

/// Never back: what was seen stays seen.
pub(super) const SEE: &str = "
INSERT INTO person_seen (person, media_id) VALUES (?1, min(?2, (SELECT coalesce(max(id), 0) FROM media)))
ON CONFLICT (person) DO UPDATE SET media_id = max(media_id, excluded.media_id)";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::sqlite::migrations::migrate;

    fn database() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        conn
    }

    fn plan(conn: &Connection, sql: &str) -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for number in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(number, "1").unwrap();
        }
        let mut rows = statement.raw_query();
        let mut plan = String::new();
        while let Some(row) = rows.next().unwrap() {
            plan += &format!("{}\n", row.get::<_, String>(3).unwrap());
        }
        plan
    }

    /// Every set of what a list can be narrowed to.
    fn every(list: List) -> impl Iterator<Item = Narrowed> {
        let sets = (0..8).map(|bits| Narrowed {
            device: bits & 1 > 0,
            sensor: bits & 2 > 0,
            camera: bits & 4 > 0,
        });
        sets.filter(move |narrowed| list == List::Clips || !narrowed.camera)
    }

    #[test]
    fn every_list_is_read_along_its_index_without_sorting() {
        let conn = database();
        for list in [List::Events, List::Clips] {
            for narrowed in every(list) {
                let index = list.index(narrowed);
                let lead: String = narrowed
                    .columns()
                    .map(|(_, column, _)| format!("{column}=? AND "))
                    .collect();
                for sql in [
                    list.page(narrowed, false),
                    list.page(narrowed, true),
                    list.hours(narrowed),
                ] {
                    let plan = plan(&conn, &sql);
                    assert!(plan.contains(&format!("SEARCH {}", list.table())), "{sql}\n{plan}");
                    assert!(plan.contains(&format!("{index} ({lead}moment")), "{sql}\n{plan}");
                    // The hours of a day are few: grouping them may sort.
                    assert!(
                        !plan.contains("TEMP B-TREE") || sql.contains("GROUP BY"),
                        "{sql}\n{plan}"
                    );
                }
                if !narrowed.device {
                    let hours = plan(&conn, &list.hours_of_theirs(narrowed));
                    let theirs = format!("(device_id=? AND {lead}moment>? AND moment<?)");
                    assert!(hours.contains(&theirs), "{theirs}\n{hours}");
                }
            }
            let count = list.count();
            let hours = plan(&conn, &count);
            assert!(
                hours.contains("(moment>? AND moment<?)") && !hours.contains("SCAN evenement"),
                "{hours}"
            );
            let plan = plan(&conn, &list.after());
            assert!(
                plan.contains("SEARCH") && plan.contains("INTEGER PRIMARY KEY (rowid>?)"),
                "{plan}"
            );
        }
        let theirs = plan(&conn, THEIRS);
        assert!(theirs.contains("(device_id>?"), "{theirs}");
        assert!(plan(&conn, COUNT_AFTER).contains("INTEGER PRIMARY KEY (rowid>?)"));
        assert!(plan(&conn, BACKLOG).contains("PRIMARY KEY (device_id=? AND quarter>?)"));
        let one = plan(&conn, ONE_DEVICE);
        assert!(one.contains("(device_id=?)") && !one.contains("SCAN device"), "{one}");
    }

    #[test]
    fn what_is_new_of_a_device_is_read_along_its_own_index_alone() {
        let conn = database();
        for sql in [COUNT_OF_DEVICE, IDS_OF_DEVICE] {
            let plan = plan(&conn, sql);
            let own = "COVERING INDEX media_by_device_id (device_id=? AND id>?)";
            assert!(plan.contains(own) && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
