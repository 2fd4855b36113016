use std::collections::BTreeSet;

use super::TABLES;

/// Reasons: at [`TABLES`], `installation` is a row that both have, and the lease of an upload is nobody's while nobody runs.
const LEFT_BEHIND: [&str; 3] = ["installation", "lease", "removal_trouble"];
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
