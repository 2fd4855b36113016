//! What was stored after a place, for those who follow it.

use std::iter::Peekable;

use rusqlite::{Connection, OptionalExtension, params};

use super::read_rows::{clip, event};
use super::reading_sql::List;
use crate::store::pattern;
use crate::store::reading::{Change, Changes, Cursor};

/// The last id of each table: one writer commits them in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    event: i64,
    clip: i64,
}

impl Ids {
    pub(super) fn of(cursor: &Cursor) -> Option<Self> {
        let (event, clip) = cursor.as_str().split_once('.')?;
        Some(Self {
            event: event.parse().ok()?,
            clip: clip.parse().ok()?,
        })
    }

    /// The last ids that were given, also where their rows have been removed since: no id is given twice.
    pub(super) fn newest(conn: &Connection) -> rusqlite::Result<Self> {
        let given = |table: &str| {
            conn.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?
                .query_row([table], |row| row.get(0))
                .optional()
        };
        Ok(Self {
            event: given("evenement")?.unwrap_or(0),
            clip: given("media")?.unwrap_or(0),
        })
    }

    /// Whether either is of a row that this database has not had yet.
    pub(super) fn is_ahead_of(self, newest: Self) -> bool {
        self.event > newest.event || self.clip > newest.clip
    }
}

impl From<Ids> for Cursor {
    fn from(ids: Ids) -> Self {
        Self::new(format!("{}.{}", ids.event, ids.clip))
    }
}

/// Takes the one of the first ones that was committed first: an event, before the clips that it was the last before.
fn next_of<I: Iterator<Item = (i64, Change)>>(lists: &mut [Peekable<I>]) -> Option<Change> {
    let heads = lists.iter_mut().enumerate();
    let heads = heads.filter_map(|(index, list)| list.peek().map(|(place, _)| (*place, index)));
    let (_, index) = heads.min()?;
    lists.get_mut(index)?.next().map(|(_, change)| change)
}

pub(super) fn changes(
    conn: &mut Connection,
    after: Ids,
    visible: Option<String>,
    limit: u32,
) -> rusqlite::Result<Changes> {
    // One look at both tables.
    let tx = conn.transaction()?;
    let visible = visible.as_deref().map(pattern::glob);
    let newest = Ids::newest(&tx)?;
    let mut end = after;
    let mut found = Vec::new();
    for (list, before, highest, end) in [
        (List::Events, after.event, newest.event, &mut end.event),
        (List::Clips, after.clip, newest.clip, &mut end.clip),
    ] {
        let mut statement = tx.prepare_cached(&list.after())?;
        let rows = statement.query_map(params![before, visible, limit], |row| match list {
            List::Events => event(row).and_then(|event| Ok((event.id, row.get("place")?, Change::Event(event)))),
            List::Clips => clip(row).and_then(|clip| Ok((clip.id, row.get("place")?, Change::Clip(clip)))),
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        // Where the page is not full, what is left belongs to devices that this reader does not see.
        *end = match rows.last() {
            Some((id, ..)) if rows.len() == limit as usize => *id,
            // That may be before where this reader was: ids that are given once more are rows it was not told.
            _ => highest,
        };
        found.push(rows.into_iter().map(|(_, place, change)| (place, change)).peekable());
    }
    let mut at = after;
    let mut told = Vec::new();
    while let Some(change) = next_of(&mut found) {
        // The other table may have older ones after its last here.
        if told.len() == limit as usize {
            end = at;
            break;
        }
        match &change {
            Change::Event(event) => at.event = event.id,
            Change::Clip(clip) => at.clip = clip.id,
        }
        told.push((change, Cursor::from(at)));
    }
    Ok((told, end.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::reading::Reading;
    use crate::store::sqlite::SqliteDesk;

    fn told(changes: &Changes) -> Vec<i64> {
        let id = |change: &Change| match change {
            Change::Event(event) => event.id,
            Change::Clip(clip) => clip.id,
        };
        changes.0.iter().map(|(change, _)| id(change)).collect()
    }

    #[tokio::test]
    async fn one_who_is_ahead_of_a_database_from_a_backup_is_told_what_comes() {
        let folder = tempfile::tempdir().unwrap();
        let desk = SqliteDesk::open(folder.path()).unwrap();
        let store = || {
            let conn = Connection::open(folder.path().join("receiver.db")).unwrap();
            conn.execute(
                "INSERT INTO evenement (device_id, source, date) VALUES ('a', 's', '2025')",
                [],
            )
            .unwrap();
        };
        store();
        let ahead = Cursor::read("7.7").unwrap();
        assert!(!desk.is_own(&ahead, &desk.newest().await.unwrap()));
        let nothing = desk.changes(ahead, None, 9).await.unwrap();
        assert_eq!(told(&nothing), [0; 0]);
        store();
        assert_eq!(told(&desk.changes(nothing.1, None, 9).await.unwrap()), [2]);
    }

    #[tokio::test]
    async fn one_who_saw_rows_that_were_removed_is_not_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let desk = SqliteDesk::open(folder.path()).unwrap();
        let conn = Connection::open(folder.path().join("receiver.db")).unwrap();
        conn.execute_batch(
            "INSERT INTO evenement (device_id, source, date) VALUES ('a', 's', '2025'), ('a', 's', '2025'); DELETE FROM evenement",
        )
        .unwrap();
        let seen = Cursor::read("2.0").unwrap();
        assert!(desk.is_own(&seen, &desk.newest().await.unwrap()));
    }
}
