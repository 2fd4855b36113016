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

/// The index that a list is read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    Moment,
    Device,
    Sensor,
}

/// Whose hours are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    /// Of the devices of a pattern, each by its own index.
    Theirs,
    Along(Along),
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
    pub(super) fn page(self, along: Along, ascending: bool) -> String {
        let (table, columns) = (self.table(), if self == Self::Events { EVENT } else { CLIP });
        let filter = self.filter(along);
        let (after, until, order) = if ascending {
            (">", "<", "ASC")
        } else {
            ("<", ">=", "DESC")
        };
        format!(
            "SELECT {columns} FROM {table} INDEXED BY {} WHERE {filter} AND (moment, id) {after} (?1, ?2) \
             AND moment {until} ?3 ORDER BY moment {order}, id {order} LIMIT ?8",
            self.index(along)
        )
    }

    /// Rows an hour, with the parameters of a page: 1 the first moment, 3 the end.
    pub(super) fn hours(self, of: Hours) -> String {
        let (along, filter) = match of {
            Hours::Theirs => (
                Along::Device,
                format!("{} AND device_id IN ({THEIRS_ALL})", self.filter(Along::Moment)),
            ),
            Hours::Along(along) => (along, self.filter(along)),
        };
        format!(
            "SELECT CAST(substr(moment, 12, 2) AS INTEGER), count(*) FROM {} INDEXED BY {} \
             WHERE {filter} AND moment >= ?1 AND moment < ?3 AND ?2 IS ?8 GROUP BY 1",
            self.table(),
            self.index(along),
        )
    }

    /// Rows between two moments, whoever's. Only the index is read: any column would be read of the table, which for a day of
    /// everybody's takes ten times as long.
    pub(super) fn count(self) -> String {
        let count = format!(
            "SELECT count(*) FROM {} INDEXED BY {} WHERE moment >= ?1 AND moment < ?2",
            self.table(),
            self.index(Along::Moment)
        );
        match self {
            Self::Events => count,
            Self::Clips => format!(
                "SELECT ({count}) - (SELECT count(*) FROM media INDEXED BY media_removing \
                 WHERE removing IS NOT NULL AND moment >= ?1 AND moment < ?2)"
            ),
        }
    }

    pub(super) fn index(self, along: Along) -> String {
        let name = match along {
            Along::Moment => "moment",
            Along::Device => "device",
            Along::Sensor => "sensor",
        };
        format!("{}_by_{name}", self.table())
    }

    fn filter(self, along: Along) -> String {
        let equal = |column: &str, number: u8, is_index: bool| {
            if is_index {
                format!("{column} = ?{number}")
            } else {
                format!("(?{number} IS NULL OR {column} = ?{number})")
            }
        };
        let camera = match self {
            Self::Events => "?7 IS NULL".to_string(),
            Self::Clips => format!("{} AND {SEEN}", equal("camera", 7, false)),
        };
        format!(
            "{} AND {} AND (?6 IS NULL OR device_id GLOB ?6) AND {camera}",
            equal("device_id", 4, along == Along::Device),
            equal("sensor", 5, along == Along::Sensor)
        )
    }

    /// By primary key: 1 the last id that was seen, 2 pattern of devices, 3 how many.
    pub(super) fn after(self) -> String {
        let columns = if self == Self::Events { EVENT } else { CLIP };
        let seen = if self == Self::Events { "TRUE" } else { SEEN };
        format!(
            "SELECT {columns} FROM {} WHERE id > ?1 AND (?2 IS NULL OR device_id GLOB ?2) AND {seen} ORDER BY id LIMIT ?3",
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

    #[test]
    fn every_list_is_read_along_its_index_without_sorting() {
        let conn = database();
        for list in [List::Events, List::Clips] {
            for (along, begins) in [
                (Along::Moment, "moment"),
                (Along::Device, "device_id=? AND moment"),
                (Along::Sensor, "sensor=? AND moment"),
            ] {
                let index = list.index(along);
                for sql in [
                    list.page(along, false),
                    list.page(along, true),
                    list.hours(Hours::Along(along)),
                ] {
                    let plan = plan(&conn, &sql);
                    assert!(plan.contains(&format!("SEARCH {}", list.table())), "{sql}\n{plan}");
                    assert!(
                        plan.contains(&index) && plan.contains(&format!("({begins}")),
                        "{sql}\n{plan}"
                    );
                    // The hours of a day are few: grouping them may sort.
                    assert!(
                        !plan.contains("TEMP B-TREE") || sql.contains("GROUP BY"),
                        "{sql}\n{plan}"
                    );
                }
            }
            let hours = plan(&conn, &list.hours(Hours::Theirs));
            assert!(hours.contains("(device_id=? AND moment>? AND moment<?)"), "{hours}");
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
}
