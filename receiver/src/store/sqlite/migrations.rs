//! The database's tables, brought from whatever is found to what this program knows: numbered files, each applied once,
//! in a transaction of its own.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::store::StoreError;

/// In their order; a file that was released is never changed again. `PRAGMA user_version` has the number of the last one
/// that was applied.
const FILES: [&str; 15] = [
    include_str!("../../../migrations/sqlite/0001_rows.sql"),
    include_str!("../../../migrations/sqlite/0002_digests.sql"),
    include_str!("../../../migrations/sqlite/0003_answers.sql"),
    include_str!("../../../migrations/sqlite/0004_devices.sql"),
    include_str!("../../../migrations/sqlite/0005_reading.sql"),
    include_str!("../../../migrations/sqlite/0006_people.sql"),
    include_str!("../../../migrations/sqlite/0007_uploads.sql"),
    include_str!("../../../migrations/sqlite/0008_manifests.sql"),
    include_str!("../../../migrations/sqlite/0009_upkeep.sql"),
    include_str!("../../../migrations/sqlite/0010_alerts.sql"),
    include_str!("../../../migrations/sqlite/0011_clip_bytes.sql"),
    include_str!("../../../migrations/sqlite/0012_sensors.sql"),
    include_str!("../../../migrations/sqlite/0013_installation.sql"),
    include_str!("../../../migrations/sqlite/0014_order.sql"),
    include_str!("../../../migrations/sqlite/0015_unseen.sql"),
];

/// The marks of a database from before the numbers, newest first: a table, a column of it, and the last file that it
/// needs no more. What came after those files says `IF NOT EXISTS`.
const MARKS: [(&str, &str, usize); 5] = [
    ("evenement", "moment", 5),
    ("device_backlog", "quarter", 4),
    ("evenement", "owner", 1),
    ("evenement", "answer", 2),
    ("evenement", "id", 3),
];

/// Applies what is missing. Two programs may do so at once: each file is one's or the other's.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let found = version(conn)?;
    if (1..FILES.len()).contains(&found) && has_rows(conn)? {
        log::warn!(
            "receiver.db: its tables are brought from version {found} to {}, which takes minutes where there are many rows",
            FILES.len()
        );
    }
    while step(conn)? {}
    Ok(())
}

/// Applies the next file; `false` when there is none.
fn step(conn: &mut Connection) -> Result<bool, StoreError> {
    // Without the lock first: as a rule nothing is to be done.
    if version(conn)? == FILES.len() {
        return Ok(false);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = match version(&tx)? {
        0 => unnumbered(&tx)?,
        version => version,
    };
    if done > FILES.len() {
        return Err(StoreError::Unavailable(format!(
            "receiver.db was written by a newer sync-receiver: its tables have version {done}, this program knows {}; start the newer one again",
            FILES.len()
        )));
    }
    let next = FILES.get(done).copied();
    let (sql, number) = next.map_or(("", done), |sql| (sql, done + 1));
    tx.execute_batch(sql)?;
    set_version(&tx, number)?;
    tx.commit()?;
    if next.is_some() && done > 0 {
        log::info!("receiver.db: its tables have version {number} now");
    }
    Ok(next.is_some())
}

fn version(conn: &Connection) -> rusqlite::Result<usize> {
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn has_rows(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM evenement)", [], |row| row.get(0))
}

fn set_version(conn: &Connection, number: usize) -> rusqlite::Result<()> {
    conn.execute_batch(&format!("PRAGMA user_version = {number}"))
}

/// Which file was the last for a database that has no number yet.
fn unnumbered(tx: &Transaction<'_>) -> rusqlite::Result<usize> {
    for (table, column, number) in MARKS {
        let has_mark = "SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2)";
        if tx.query_row(has_mark, [table, column], |row| row.get(0))? {
            return Ok(number);
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(number: usize) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        for sql in &FILES[..number] {
            conn.execute_batch(sql).unwrap();
        }
        conn
    }

    fn tables(conn: &Connection) -> Vec<String> {
        let mut statement = conn
            .prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Later files came with their numbers.
    const UNNUMBERED_MOST: usize = 7;

    #[test]
    fn from_any_version_the_same_tables_come_out() {
        let mut new = after(0);
        migrate(&mut new).unwrap();
        assert_eq!(version(&new).unwrap(), FILES.len());
        for number in 0..=FILES.len() {
            for is_numbered in [true, false] {
                if number > UNNUMBERED_MOST && !is_numbered {
                    continue;
                }
                let mut conn = after(number);
                if is_numbered {
                    set_version(&conn, number).unwrap();
                }
                migrate(&mut conn).unwrap();
                assert_eq!(tables(&conn), tables(&new), "{number} {is_numbered}");
                assert_eq!(version(&conn).unwrap(), FILES.len());
            }
        }
    }

    #[test]
    fn a_file_that_fails_changes_nothing() {
        let mut conn = after(4);
        conn.execute_batch("CREATE TABLE person_seen (x)").unwrap();
        let before = tables(&conn);
        let error = migrate(&mut conn).unwrap_err();
        assert!(error.to_string().contains("person_seen"), "{error}");
        assert_eq!((tables(&conn), version(&conn).unwrap()), (before, 0));
    }

    #[test]
    fn a_newer_version_is_refused_and_left_as_it_is() {
        let mut conn = after(FILES.len());
        set_version(&conn, FILES.len() + 1).unwrap();
        let error = migrate(&mut conn).unwrap_err().to_string();
        assert!(error.contains("newer sync-receiver"), "{error}");
        assert_eq!(version(&conn).unwrap(), FILES.len() + 1);
    }

    #[test]
    fn moments_and_sensors_are_found_in_old_rows() {
        let mut conn = after(4);
        conn.execute_batch(
            "INSERT INTO evenement (date, capteur_id, capteur_nom, capteur_etat, device_id, source, received_at) VALUES
             ('2025-12-18 17:30:00', 7, NULL, 1, 'a', 's', '2025-12-18T16:30:01.000Z'),
             (12, 7, 'Tapis', 1, 'a', 's', '2025-12-18T16:30:02.000Z')",
        )
        .unwrap();
        migrate(&mut conn).unwrap();
        let read = |sql: &str| -> Vec<String> {
            let mut statement = conn.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(
            read("SELECT moment || ' ' || sensor FROM evenement ORDER BY id"),
            ["2025-12-18T17:30:00 7", "2025-12-18T16:30:02.000 Tapis"]
        );
        assert_eq!(
            read("SELECT device_id || ' ' || row_at FROM device_row"),
            ["a 1766075402"]
        );
    }
}
