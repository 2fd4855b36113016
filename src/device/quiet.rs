//! Whether anything but the recorder's appending happened to the file since it was looked at, told by the file itself.
//!
//! In rollback-journal mode the change counter in the file's header counts commits
//! (<https://www.sqlite.org/fileformat2.html#file_change_counter>). The recorder appends a row a commit. As many commits as new
//! ids, our own left out, are appended rows and nothing else; one more is somebody who did something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, OptionalExtension};

use super::{counts, look, meta};
use crate::row::Table;

/// Where `sync_meta` has when the last look was and what the file showed then.
const KEY: &str = "last_look";

/// A look is due after so long, whatever the file shows.
const LOOK_EVERY_S: i64 = 86_400;

/// The file's header, through SQLite: the place of the change counter in it is fixed.
pub(super) const HEADER: &str = "SELECT data FROM sqlite_dbpage('main') WHERE pgno = 1";

/// `sqlite_sequence` has a row a table.
pub(super) const HIGHEST_GIVEN: &str =
    "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE";

/// By the PRIMARY KEY.
pub(super) fn highest_there(table: Table) -> String {
    format!("SELECT max({}) FROM {table}", table.id_column())
}

/// What is known of looks at this file.
pub(super) struct Quiet {
    /// Commits through our connection.
    own: Arc<AtomicU32>,
    /// When the last look was, in Unix seconds, and what the file showed when it began.
    last: Option<(i64, Footprint)>,
}

impl Quiet {
    /// Counts the commits of `conn` from now on.
    pub(super) fn watch(conn: &Connection) -> rusqlite::Result<Self> {
        let own = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&own);
        conn.commit_hook(Some(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        }))?;
        Ok(Self { own, last: None })
    }

    /// Looks at both tables, unless the last look was less than a day before `now` (Unix seconds) and nothing but
    /// appending has happened since.
    pub(super) fn look_unless_quiet(
        &mut self,
        conn: &Connection,
        now: i64,
        pulse: &mut dyn FnMut(),
    ) -> rusqlite::Result<()> {
        let shown = self.footprint(conn)?;
        let last = meta::read(conn, KEY)?.and_then(|text| from_text(&text));
        let mut sure = true;
        for table in Table::ALL {
            sure &= counts::are_sure(conn, table)?;
        }
        if let (true, Some((at, earlier)), Some(shown)) = (sure, last, shown) {
            if (0..LOOK_EVERY_S).contains(&now.saturating_sub(at)) && shown.only_appended_since(&earlier) {
                self.last = Some((at, shown));
                return Ok(());
            }
        }
        self.look(conn, now, pulse)
    }

    /// Looks at both tables.
    pub(super) fn look(&mut self, conn: &Connection, now: i64, pulse: &mut dyn FnMut()) -> rusqlite::Result<()> {
        let shown = self.footprint(conn)?;
        for table in Table::ALL {
            look::look(conn, table, pulse)?;
        }
        self.last = shown.map(|shown| (now, shown));
        Ok(())
    }

    /// Writes down what the file shows, for the next start, if nothing but appending happened since the look.
    pub(super) fn keep(&self, conn: &Connection) -> rusqlite::Result<()> {
        let (Some((at, earlier)), Some(shown)) = (self.last, self.footprint(conn)?) else {
            return Ok(());
        };
        let kept = meta::read(conn, KEY)?;
        let stands = kept
            .and_then(|text| from_text(&text))
            .is_some_and(|(kept_at, kept)| kept_at == at && (kept.commits, kept.ids) == (shown.commits, shown.ids));
        if stands || !shown.only_appended_since(&earlier) {
            return Ok(());
        }
        meta::write(conn, KEY, &to_text(at, shown))
    }

    fn footprint(&self, conn: &Connection) -> rusqlite::Result<Option<Footprint>> {
        Footprint::take(conn, self.own.load(Ordering::Relaxed))
    }
}

/// What the file shows at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Commits by anybody, modulo 2³².
    commits: u32,
    /// Commits by us.
    own: u32,
    /// The highest id ever given, of both tables.
    ids: [i64; 2],
}

impl Footprint {
    /// The file as it is; `None` in WAL mode, which does not count commits.
    pub(super) fn take(conn: &Connection, own: u32) -> rusqlite::Result<Option<Self>> {
        let tx = conn.unchecked_transaction()?;
        let mut ids = [0; 2];
        for (id, table) in ids.iter_mut().zip(Table::ALL) {
            *id = highest_id(&tx, table)?.unwrap_or(0);
        }
        let commits = tx
            .prepare_cached(HEADER)?
            .query_row([], |row| Ok(row.get_ref(0)?.as_blob().ok().and_then(commits_in)))?;
        tx.commit()?;
        Ok(commits.map(|commits| Self { commits, own, ids }))
    }

    /// Whether nothing but appending happened from `earlier` to this one.
    pub(super) fn only_appended_since(&self, earlier: &Self) -> bool {
        let commits = self.commits.wrapping_sub(earlier.commits);
        let others = commits.wrapping_sub(self.own.wrapping_sub(earlier.own));
        let mut appended = 0_u32;
        for (now, then) in self.ids.iter().zip(earlier.ids) {
            let Some(more) = now.checked_sub(then).and_then(|more| u32::try_from(more).ok()) else {
                return false;
            };
            appended = appended.saturating_add(more);
        }
        others == appended
    }
}

/// As the file shows it after the commit that writes this.
fn to_text(at: i64, shown: Footprint) -> String {
    let [events, media] = shown.ids;
    format!("{at} {} {events} {media}", shown.commits.wrapping_add(1))
}

fn from_text(text: &str) -> Option<(i64, Footprint)> {
    let mut numbers = text.split(' ');
    let at = numbers.next()?.parse().ok()?;
    let commits = numbers.next()?.parse().ok()?;
    let ids = [numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?];
    Some((at, Footprint { commits, own: 0, ids }))
}

/// The highest id that a table has or, with AUTOINCREMENT, ever had.
pub(super) fn highest_id(conn: &Connection, table: Table) -> rusqlite::Result<Option<i64>> {
    let there: Option<i64> = conn
        .prepare_cached(&highest_there(table))?
        .query_row([], |row| row.get(0))?;
    let given: Option<i64> = conn
        .prepare_cached(HIGHEST_GIVEN)?
        .query_row([table.name()], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(there.max(given))
}

/// The change counter in a header; `None` when the file is in WAL mode (write version 2).
fn commits_in(header: &[u8]) -> Option<u32> {
    if header.get(18)? != &1 {
        return None;
    }
    Some(u32::from_be_bytes(header.get(24..28)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_commits_as_new_ids_are_the_recorders_rows() {
        let at = |commits, own, events| Footprint {
            commits,
            own,
            ids: [events, 7],
        };
        let start = at(100, 0, 50);
        assert!(at(100, 0, 50).only_appended_since(&start));
        assert!(at(103, 0, 53).only_appended_since(&start));
        assert!(at(108, 5, 53).only_appended_since(&start), "five were ours");
        assert!(
            !at(101, 0, 50).only_appended_since(&start),
            "somebody did something else"
        );
        assert!(!at(104, 0, 53).only_appended_since(&start));
        assert!(
            !at(101, 0, 53).only_appended_since(&start),
            "several at once: who knows what else"
        );
        assert!(!at(101, 0, 49).only_appended_since(&start));
        assert!(
            at(2, 0, 53).only_appended_since(&at(u32::MAX, 0, 50)),
            "the counter starts over"
        );
    }
}
