//! Ids that start over: the recorder empties its table with its counter, or makes it anew, and other rows get the ids of
//! those that were sent. Noticed at each pass by a few seeks:
//!
//! - the highest id ever given is lower than one that is tracked;
//! - the row sent last, or one of the anchors kept of earlier ones, is there and is another one.
//!
//! What was tracked of the old rows is then set apart (`archive.rs`), and the new ones are due.

use rusqlite::{Connection, OptionalExtension};

use super::anchors::{self, ANCHORS};
use super::layout::Layout;
use super::quiet::{HIGHEST_GIVEN, highest_there};
use super::{archive, identity};
use crate::row::Table;

/// By the PRIMARY KEY.
pub(super) const READ: &str = "SELECT generation, sequence_row, sent_id FROM sync_low_water WHERE table_name = ?1";

/// `sqlite_sequence` has a row a table. Its rowid changes when the table's counter is deleted or the table dropped.
pub(super) const SEQUENCE_ROW: &str = "SELECT rowid FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE";

/// By the PRIMARY KEY.
pub(super) const KEEP_SEQUENCE_ROW: &str = "UPDATE sync_low_water SET sequence_row = ?2 WHERE table_name = ?1";

/// The end of a range of the UNIQUE index; what is no integer comes behind all that are.
pub(super) const HIGHEST_TRACKED: &str = "SELECT CAST(max(local_id) AS INTEGER) FROM sync_tracking WHERE table_name = ?1 AND local_id <= 9223372036854775807";

/// The schema's one page or few.
pub(super) const COUNTS_IDS: &str = "SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema
    WHERE type = 'table' AND name = ?1 COLLATE NOCASE";

/// By the PRIMARY KEYs of both tables.
pub(super) fn note_sent_sql(table: Table, layout: &Layout) -> String {
    let (shown, id) = (identity::shown(table, layout), table.id_column());
    let same = identity::is_same(table, layout, &format!("({shown})"), "?3");
    format!(
        "UPDATE sync_low_water SET (sent_id, sent_shown, sent_date) =
            (SELECT ?2, {shown}, CASE WHEN {same} THEN ?3 END FROM {table} r WHERE r.{id} = ?2)
         WHERE table_name = ?1 AND EXISTS (SELECT 1 FROM {table} WHERE {id} = ?2)"
    )
}

/// By the PRIMARY KEYs of both tables: whether the row sent last is the one that is there; no row when it is gone.
pub(super) fn sent_is_same(table: Table, layout: &Layout) -> String {
    let same = identity::is_same(table, layout, "w.sent_shown", "w.sent_date");
    format!(
        "SELECT {same} FROM sync_low_water w CROSS JOIN {table} r ON r.{} = w.sent_id WHERE w.table_name = ?1",
        table.id_column()
    )
}

/// A range of the PRIMARY KEY of `sync_anchor`, each by the recorder's PRIMARY KEY: the anchors that are there, newest first.
pub(super) fn anchors_are_same(table: Table, layout: &Layout) -> String {
    let same = identity::is_same(table, layout, "a.shown", "a.date");
    format!(
        "SELECT a.local_id, {same} FROM sync_anchor a CROSS JOIN {table} r ON r.{} = a.local_id
         WHERE a.table_name = ?1 ORDER BY a.local_id DESC",
        table.id_column()
    )
}

/// Notes the row that was sent, in the transaction that says so; `date` is a clip's as it was sent.
pub(super) fn note_sent(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    id: i64,
    date: Option<&str>,
) -> rusqlite::Result<()> {
    conn.prepare_cached(&note_sent_sql(table, layout))?
        .execute((table.name(), id, date))?;
    Ok(())
}

/// Where the ids of a table stand.
struct Ids {
    /// The highest there is or, with AUTOINCREMENT, ever was.
    highest: Option<i64>,
    /// The highest that is tracked.
    tracked: Option<i64>,
    /// Whether the table counts its ids: none is ever given twice.
    counted: bool,
    sequence_row: Option<i64>,
}

/// The old rows' ids are above this one; up to it the rows are those that were sent.
type Boundary = i64;

/// Goes a step on with what is under way, or notices what has happened; whether there is more to do.
pub(super) fn go_on(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<bool> {
    if archive::go_on(conn, table)? {
        return Ok(true);
    }
    let Some(boundary) = started_over(conn, layout, table)? else {
        return Ok(false);
    };
    tell(conn, table, boundary)?;
    archive::begin(conn, table, boundary)?;
    Ok(true)
}

/// A warning where rows are affected or were; ids that people invented in `sync_tracking` are no news.
fn tell(conn: &Connection, table: Table, boundary: Boundary) -> rusqlite::Result<()> {
    let highest: Option<i64> = conn
        .prepare_cached(&highest_there(table))?
        .query_row([], |row| row.get(0))?;
    let affected = highest.is_some_and(|highest| highest > boundary);
    let known = boundary == i64::MIN
        && (sent_id(conn, table)?.is_some() || conn.prepare_cached(ANCHORS)?.exists([table.name()])?);
    let level = if affected || known {
        log::Level::Warn
    } else {
        log::Level::Info
    };
    let above = if boundary == i64::MIN {
        String::new()
    } else {
        format!(" above {boundary}")
    };
    log::log!(
        level,
        "the ids of {table} started over: what was tracked{above} goes to sync_archive, rows that have these ids now are sent"
    );
    Ok(())
}

/// Whether ids have started over, and from where, without writing anything.
pub(super) fn started_over(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<Option<Boundary>> {
    let ids = ids(conn, table)?;
    let Some(tracked) = ids.tracked else { return Ok(None) };
    let sank = ids.highest.is_none_or(|highest| highest < tracked);
    let newest_is_same = newest_is_same(conn, layout, table)?;
    if !sank && newest_is_same != Some(false) {
        return Ok(None);
    }
    let (same, changed) = known_rows(conn, layout, table)?;
    // With counted ids and rows that are the same, others that changed were edited.
    let boundary = match same.first() {
        None => i64::MIN,
        Some(_) if !sank && ids.counted => return Ok(None),
        Some(newest) if sank || changed.iter().any(|id| id > newest) => *newest,
        Some(_) => return Ok(None),
    };
    Ok((tracked > boundary).then_some(boundary))
}

fn ids(conn: &Connection, table: Table) -> rusqlite::Result<Ids> {
    let there: Option<i64> = conn
        .prepare_cached(&highest_there(table))?
        .query_row([], |row| row.get(0))?;
    let tracked: Option<i64> = conn
        .prepare_cached(HIGHEST_TRACKED)?
        .query_row([table.name()], |row| row.get(0))?;
    let given: Option<i64> = conn
        .prepare_cached(HIGHEST_GIVEN)?
        .query_row([table.name()], |row| row.get(0))
        .optional()?
        .flatten();
    let sequence_row: Option<i64> = conn
        .prepare_cached(SEQUENCE_ROW)?
        .query_row([table.name()], |row| row.get(0))
        .optional()?;
    // The row of a table that no longer counts its ids may have stayed behind.
    let counted: Option<bool> = conn
        .prepare_cached(COUNTS_IDS)?
        .query_row([table.name()], |row| row.get(0))
        .optional()?;
    let counted = counted.unwrap_or(false);
    Ok(Ids {
        highest: if counted { there.max(given) } else { there },
        tracked,
        counted,
        sequence_row,
    })
}

/// By the PRIMARY KEY: whether the table's counter is the one of the last pass.
pub(super) const COUNTER_STANDS: &str =
    "SELECT sequence_row IS (SELECT rowid FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE)
    FROM sync_low_water WHERE table_name = ?1";

/// Whether what is tracked is known to be of the rows that are there: nothing has started over, nothing is being set apart.
pub(super) fn is_settled(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<bool> {
    let counter_stands: bool = conn
        .prepare_cached(COUNTER_STANDS)?
        .query_row([table.name()], |row| row.get(0))?;
    Ok(counter_stands && !archive::is_under_way(conn, table)? && started_over(conn, layout, table)?.is_none())
}

/// The newest row of a table that does not count its ids: without it, the next row would get an id that was given before.
pub(super) fn newest_that_stays(conn: &Connection, table: Table) -> rusqlite::Result<Option<i64>> {
    let ids = ids(conn, table)?;
    if ids.counted {
        return Ok(None);
    }
    conn.prepare_cached(&highest_there(table))?
        .query_row([], |row| row.get(0))
}

/// Whether the newest row that is known and there is the one it was; `None` when none is.
fn newest_is_same(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<Option<bool>> {
    let sent: Option<bool> = conn
        .prepare_cached(&sent_is_same(table, layout))?
        .query_row([table.name()], |row| row.get(0))
        .optional()?;
    if sent.is_some() {
        return Ok(sent);
    }
    conn.prepare_cached(&anchors_are_same(table, layout))?
        .query_row([table.name()], |row| row.get(1))
        .optional()
}

/// The known rows that are there: those that are what they were, and those that are not; newest first.
fn known_rows(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<(Vec<i64>, Vec<i64>)> {
    let (mut same, mut changed) = (Vec::new(), Vec::new());
    let mut add = |id: i64, is_same: bool| if is_same { same.push(id) } else { changed.push(id) };
    let sent: Option<bool> = conn
        .prepare_cached(&sent_is_same(table, layout))?
        .query_row([table.name()], |row| row.get(0))
        .optional()?;
    if let (Some(is_same), Some(id)) = (sent, sent_id(conn, table)?) {
        add(id, is_same);
    }
    let mut statement = conn.prepare_cached(&anchors_are_same(table, layout))?;
    let mut rows = statement.query([table.name()])?;
    while let Some(row) = rows.next()? {
        add(row.get(0)?, row.get(1)?);
    }
    for ids in [&mut same, &mut changed] {
        ids.sort_unstable_by(|a, b| b.cmp(a));
    }
    Ok((same, changed))
}

fn sent_id(conn: &Connection, table: Table) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(READ)?
        .query_row([table.name()], |row| row.get(2))
        .optional()
        .map(Option::flatten)
}

/// Keeps what the next look compares with: the row of the counter, and anchors.
pub(super) fn keep(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<()> {
    let ids = ids(conn, table)?;
    let (kept, sent): (Option<i64>, Option<i64>) = conn
        .prepare_cached(READ)?
        .query_row([table.name()], |row| Ok((row.get(1)?, row.get(2)?)))?;
    if kept != ids.sequence_row {
        conn.prepare_cached(KEEP_SEQUENCE_ROW)?
            .execute((table.name(), ids.sequence_row))?;
    }
    let newest = ids.tracked.and(ids.highest);
    anchors::keep(conn, layout, table, sent, newest)
}

/// How often the ids of a table have started over, and whether they have again, for people.
pub(super) fn describe(conn: &Connection, layout: &Layout, table: Table) -> rusqlite::Result<Option<String>> {
    if started_over(conn, layout, table)?.is_some() {
        return Ok(Some(format!(
            "Identifiants de {table} recommencés: la prochaine passe met l'ancien suivi dans sync_archive et envoie les nouvelles lignes"
        )));
    }
    let generation: Option<i64> = conn
        .prepare_cached(READ)?
        .query_row([table.name()], |row| row.get(0))
        .optional()?;
    Ok(generation.filter(|generation| *generation > 1).map(|generation| {
        format!(
            "Identifiants de {table} déjà recommencés {} fois: l'ancien suivi est dans sync_archive",
            generation - 1
        )
    }))
}
