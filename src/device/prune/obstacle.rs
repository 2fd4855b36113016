//! What else a deletion from `media` would do: the recorder's own triggers, rows of other tables that refer to it, pages that
//! move. Where there is any of that, nothing is deleted.

use rusqlite::Connection;

use super::removal::DELETE;

/// Tables with a FOREIGN KEY to `media`; the schema's few rows.
const REFERRING: &str = "SELECT m.name FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
    WHERE m.type = 'table' AND f.\"table\" = 'media' COLLATE NOCASE ORDER BY m.name LIMIT 1";

/// Triggers on `media`; the schema's few rows.
const TRIGGERS: &str = "SELECT coalesce(group_concat(name, ', '), '?') FROM
    (SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'media' COLLATE NOCASE AND sql LIKE '%delete%on%media%' ORDER BY name)";

/// `PRAGMA auto_vacuum`: each commit moves pages to the place of those that were freed.
const FULL: i64 = 1;

/// Why nothing may be deleted, for people.
pub(super) fn find(conn: &Connection) -> rusqlite::Result<Option<String>> {
    if runs_a_trigger(conn)? {
        let names: String = conn.query_row(TRIGGERS, [], |row| row.get(0))?;
        return Ok(Some(format!(
            "un déclencheur de la base réagit aux suppressions dans media ({names}): supprimez-le pour permettre l'élagage"
        )));
    }
    let mut referring = conn.prepare(REFERRING)?;
    let mut rows = referring.query([])?;
    if let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        return Ok(Some(format!(
            "la table {name} se réfère à media (FOREIGN KEY): ses lignes resteraient sans média"
        )));
    }
    let auto_vacuum: i64 = conn.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    Ok((auto_vacuum == FULL).then(|| {
        "la base est en auto_vacuum=FULL: chaque suppression y déplacerait des pages pendant que l'enregistreur attend"
            .to_string()
    }))
}

/// SQLite itself tells: its program for the deletion calls that of a trigger.
fn runs_a_trigger(conn: &Connection) -> rusqlite::Result<bool> {
    let mut program = conn.prepare(&format!("EXPLAIN {DELETE}"))?;
    let mut steps = program.raw_query();
    while let Some(step) = steps.next()? {
        if step.get_ref("opcode")?.as_str()? == "Program" {
            return Ok(true);
        }
    }
    Ok(false)
}
