use std::collections::BTreeSet;

use super::TABLES;

/// Reasons: at [`TABLES`], and the lease of an upload is nobody's while nobody runs.
const LEFT_BEHIND: [&str; 2] = ["lease", "removal_trouble"];
const COLUMNS_LEFT_BEHIND: [(&str, &str); 2] = [("upload", "lease_until_ms"), ("upload", "wanted")];

/// Nothing of a database is forgotten: each of its columns is moved, or left behind by name; `made` are those that it
/// makes itself of others.
pub(in crate::store) fn assert_all_is_moved(columns: &[(String, String)], made: &[(&str, &str)]) {
    let of = |table: &str, column: &str| format!("{table}.{column}");
    let there: BTreeSet<String> = columns.iter().map(|(table, column)| of(table, column)).collect();
    let moved = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|(column, ..)| of(table.name, column)));
    let left = COLUMNS_LEFT_BEHIND.iter().chain(made);
    let mut named: BTreeSet<String> = moved.chain(left.map(|(table, column)| of(table, column))).collect();
    named.extend(
        columns
            .iter()
            .filter(|(table, _)| LEFT_BEHIND.contains(&table.as_str()))
            .map(|(table, column)| of(table, column)),
    );
    let forgotten: Vec<_> = there.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&there).collect();
    assert!(forgotten.is_empty(), "neither moved nor left behind: {forgotten:?}");
    assert!(unknown.is_empty(), "moved, and not there: {unknown:?}");
    for table in LEFT_BEHIND {
        assert!(columns.iter().any(|(name, _)| name == table), "{table} is no more");
    }
}

#[test]
fn every_table_and_column_of_sqlite_is_moved_or_left_behind_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receiver.db");
    drop(crate::store::sqlite::SqliteRows::open(&path).unwrap());
    let conn = rusqlite::Connection::open(&path).unwrap();
    let mut query = conn
        .prepare(
            "SELECT it.name, of.name
             FROM sqlite_schema AS it, pragma_table_xinfo(it.name) AS of
             WHERE it.type = 'table' AND it.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .unwrap();
    let columns = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut columns: Vec<(String, String)> = columns.collect::<rusqlite::Result<_>>().unwrap();
    // The owner of a key is its device there.
    for table in ["evenement", "media", "receipt"] {
        columns.push((table.to_string(), "key_owner".to_string()));
    }
    assert_all_is_moved(&columns, &[]);
    let has_ids = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?1 AND sql LIKE '%AUTOINCREMENT%'";
    for table in &TABLES {
        let has_ids: bool = conn.query_row(has_ids, [table.name], |row| row.get(0)).unwrap();
        assert_eq!(table.has_ids, has_ids, "{}", table.name);
    }
}
