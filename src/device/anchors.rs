//! Anchors: rows that were sent, kept with what tells them from others that get their ids, closer together the newer they are.

use rusqlite::Connection;

use super::identity;
use super::layout::Layout;
use crate::row::Table;

/// By the PRIMARY KEY.
pub(super) const ADD_ANCHOR: &str = "INSERT OR REPLACE INTO sync_anchor (table_name, local_id, shown, date)
    SELECT table_name, sent_id, sent_shown, sent_date FROM sync_low_water WHERE table_name = ?1 AND sent_id = ?2";

/// A range of the PRIMARY KEY.
pub(super) const ANCHORS: &str = "SELECT local_id FROM sync_anchor WHERE table_name = ?1 ORDER BY local_id DESC";

/// By the PRIMARY KEY.
pub(super) const DROP_ANCHOR: &str = "DELETE FROM sync_anchor WHERE table_name = ?1 AND local_id = ?2";

/// The nearest row at or below an id, if it is at the server, by the recorder's PRIMARY KEY and the UNIQUE index.
pub(super) fn add_anchor_near(table: Table, layout: &Layout) -> String {
    let id = table.id_column();
    format!(
        "INSERT OR IGNORE INTO sync_anchor (table_name, local_id, shown, date)
         SELECT ?1, r.{id}, {}, {} FROM {table} r CROSS JOIN sync_tracking t ON t.table_name = ?1 AND t.local_id = r.{id}
         WHERE r.{id} = (SELECT max({id}) FROM {table} WHERE {id} <= ?2) AND t.sync_status = 'success'",
        identity::shown(table, layout),
        identity::cheap_date(table, layout)
    )
}

/// Keeps the row that was sent last and some of those before it; of a history from before our time the highest, if any is tracked.
pub(super) fn keep(
    conn: &Connection,
    layout: &Layout,
    table: Table,
    sent: Option<i64>,
    highest: Option<i64>,
) -> rusqlite::Result<()> {
    let anchors: Vec<i64> = conn
        .prepare_cached(ANCHORS)?
        .query_map([table.name()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let newest = match sent {
        Some(sent) if !anchors.contains(&sent) => sent,
        None if anchors.is_empty() => match highest {
            Some(highest) => highest,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    let tx = conn.unchecked_transaction()?;
    tx.prepare_cached(ADD_ANCHOR)?.execute((table.name(), newest))?;
    let near = add_anchor_near(table, layout);
    for distance in missing_distances(newest, &anchors) {
        tx.prepare_cached(&near)?
            .execute((table.name(), newest.saturating_sub(distance)))?;
    }
    let all: Vec<i64> = std::iter::once(newest).chain(anchors).collect();
    for id in superfluous(all) {
        tx.prepare_cached(DROP_ANCHOR)?.execute((table.name(), id))?;
    }
    tx.commit()
}

/// How many doublings of the distance from the newest row have their anchors: beyond a million rows one more does no harm.
const DOUBLINGS: u32 = 20;

/// How often the distance `distance` has been doubled.
fn doubling(distance: u64) -> usize {
    (64 - distance.leading_zeros()) as usize
}

/// Distances from `newest` at which an anchor is wanted.
fn missing_distances(newest: i64, anchors: &[i64]) -> Vec<i64> {
    let mut has = [false; 65];
    for anchor in anchors {
        has[doubling(newest.abs_diff(*anchor))] = true;
    }
    std::iter::once(0)
        .chain((0..DOUBLINGS).map(|doublings| 1_i64 << doublings))
        .filter(|distance| *distance < newest && !has[doubling(distance.unsigned_abs())])
        .collect()
}

/// Anchors that need not be kept: two for each doubling of the distance from the newest do.
fn superfluous(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let Some(newest) = ids.first().copied() else {
        return Vec::new();
    };
    let mut kept_at = [0_u8; 65];
    ids.retain(|id| {
        let kept = &mut kept_at[doubling(newest.abs_diff(*id))];
        *kept = kept.saturating_add(1);
        *kept > 2
    });
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_lie_the_thinner_the_older_they_are() {
        let mut anchors: Vec<i64> = Vec::new();
        for newest in 1..=10_000 {
            anchors.push(newest);
            let superfluous = superfluous(anchors.clone());
            anchors.retain(|id| !superfluous.contains(id));
        }
        assert!(anchors.len() <= 30, "{anchors:?}");
        assert!(anchors.contains(&10_000) && anchors.contains(&9_999), "{anchors:?}");
        assert_eq!(missing_distances(10_000, &[]).len(), 15);
        assert_eq!(
            missing_distances(10_000, &[10_000, 9_999, 9_998, 9_997]),
            (2..14).map(|n| 1 << n).collect::<Vec<i64>>()
        );
        assert_eq!(missing_distances(1, &[]), [0]);
    }
}
