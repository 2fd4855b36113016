//! What is read: every statement, each with the index that serves it.

use super::narrowed::{Narrowed, equal, of_device, span, theirs};

/// A device's value as its JSON; of a text of a million characters the beginning.
macro_rules! values {
    ($($column:literal)*) => { concat!($("left(", $column, "::text, 7000), "),*) };
}

/// When a row came, as text.
macro_rules! came {
    () => {
        r#"to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#
    };
}

/// Where there are fewer of them: a row has the same columns whatever it is.
const EVENT: &str = concat!(
    "id, ",
    values!("date" "capteur_id" "capteur_nom" "capteur_etat"),
    "device_id, ",
    came!(),
    ", moment, 0::bigint, ''::text, false, ''::text"
);
const CLIP: &str = concat!(
    "id, ",
    values!("date" "capteur_id" "capteur_nom" "numero_camera"),
    "device_id, ",
    came!(),
    ", moment, size_bytes, sha256, pinned, file"
);

/// A clip that is being removed is nobody's to see.
macro_rules! seen {
    () => {
        "removing IS NULL"
    };
}

/// Which of the two tables, and what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Events,
    Clips,
}

impl List {
    /// The rows of it that are seen.
    fn seen(self) -> &'static str {
        match self {
            Self::Events => "evenement WHERE true",
            Self::Clips => concat!("media WHERE ", seen!()),
        }
    }

    fn columns(self) -> &'static str {
        if self == Self::Events { EVENT } else { CLIP }
    }

    /// Parameters: 1 and 2 the place after which, 3 the other end, 4 how many, and what it is narrowed to.
    pub(super) fn page(self, narrowed: Narrowed, ascending: bool) -> String {
        let (between, order) = span(&narrowed.columns(5), ascending);
        let (columns, seen, theirs) = (self.columns(), self.seen(), narrowed.are_theirs(5));
        format!("SELECT {columns} FROM {seen} AND {between}{theirs} ORDER BY {order} LIMIT $4")
    }

    /// The same for a pattern of few devices: the first rows of each of those whose first row is among the first.
    /// However rare theirs are among all rows, no others are read.
    pub(super) fn page_of_few(self, narrowed: Narrowed, ascending: bool) -> String {
        let (columns, seen, theirs) = (self.columns(), self.seen(), narrowed.theirs(5));
        let (_, order) = span(&[], ascending);
        let of = |columns: &str, device: &str, limit: &str| {
            let (between, order) = span(&of_device(device, narrowed.columns(5)), ascending);
            format!("(SELECT {columns} FROM {seen} AND {between} ORDER BY {order} LIMIT {limit})")
        };
        let best = format!(
            "SELECT theirs.device_id FROM (SELECT device_id FROM device_row WHERE true{theirs}) AS theirs \
             CROSS JOIN LATERAL {} AS first ORDER BY {order} LIMIT $4",
            of("moment, id", "theirs.device_id", "1")
        );
        format!(
            "SELECT of_one.* FROM ({best}) AS best CROSS JOIN LATERAL {} AS of_one ORDER BY {order} LIMIT $4",
            of(columns, "best.device_id", "$4")
        )
    }

    /// Rows an hour. Parameters: 1 the first moment, 2 the end, and what it is narrowed to.
    pub(super) fn hours(self, narrowed: Narrowed) -> String {
        let (seen, equal, theirs) = (self.seen(), equal(&narrowed.columns(3)), narrowed.are_theirs(3));
        format!(
            "SELECT substr(moment, 12, 2), count(*) FROM {seen} AND moment >= $1 AND moment < $2{equal}{theirs} GROUP BY 1"
        )
    }

    /// The same for a pattern of devices, each by its own index.
    pub(super) fn hours_of_theirs(self, narrowed: Narrowed) -> String {
        let of_one = of_device("theirs.device_id", narrowed.columns(3));
        let (seen, equal, theirs) = (self.seen(), equal(&of_one), narrowed.theirs(3));
        format!(
            "SELECT hour, sum(count)::bigint FROM (SELECT device_id FROM device_row WHERE true{theirs}) AS theirs \
             CROSS JOIN LATERAL (SELECT substr(moment, 12, 2) AS hour, count(*) AS count FROM {seen} \
             AND moment >= $1 AND moment < $2{equal} GROUP BY 1) AS of_one GROUP BY 1"
        )
    }
}

/// Counted no further than told: 1 how far, then the pattern.
pub(super) fn count_theirs() -> String {
    format!(
        "SELECT count(*) FROM (SELECT FROM device_row WHERE true{} LIMIT $1) AS theirs",
        theirs(2)
    )
}

pub(super) fn one_clip() -> String {
    format!("SELECT {CLIP} FROM media WHERE id = $1 AND {}", seen!())
}

pub(super) const PIN: &str = "UPDATE media SET pinned = $2 WHERE id = $1 AND removing IS NULL";

/// Devices that stored rows, or told how they are, or both.
pub(super) const DEVICES: &str = "
SELECT coalesce(device_row.device_id, device.device_id), row_at, extract(epoch FROM received_at)::bigint, status, clock_ahead_ms
FROM device_row FULL JOIN device ON device.device_id = device_row.device_id";

/// Each half by its key: a full join would be read as a whole.
pub(super) const ONE_DEVICE: &str = "
SELECT wanted.device_id, row_at, extract(epoch FROM received_at)::bigint, status, clock_ahead_ms
FROM (SELECT $1::text AS device_id) AS wanted
LEFT JOIN device_row ON device_row.device_id = wanted.device_id
LEFT JOIN device ON device.device_id = wanted.device_id
WHERE row_at IS NOT NULL OR received_at IS NOT NULL";

/// Of devices since a quarter of an hour.
pub(super) const BACKLOGS: &str = "
SELECT device_id, quarter, most_rows FROM device_backlog WHERE device_id = ANY ($1) AND quarter > $2 ORDER BY device_id, quarter";

/// What is settled: rows of transactions that are over, whatever still runs. Only among those the order never changes.
macro_rules! settled {
    () => {
        "xid < pg_snapshot_xmin(pg_current_snapshot())"
    };
}

/// The transaction from which on nothing is settled.
pub(super) const NEWEST: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

/// What was stored after a place. 1 its transaction, 2 and 3 the last event and the last clip of it, 4 how many of each;
/// narrowed to a pattern from 5 on. The first row says how far it goes, and is none.
pub(super) fn after(visible: bool) -> String {
    let theirs = if visible { theirs(5) } else { String::new() };
    let of = |kind: usize, list: List, last: usize| {
        format!(
            "(SELECT {kind}, xid::text::bigint AS at, {} FROM {} \
             AND (xid, id) > ($1::bigint::text::xid8, ${last}) AND {}{theirs} ORDER BY xid, id LIMIT $4)",
            list.columns(),
            list.seen(),
            settled!()
        )
    };
    format!(
        "SELECT 0 AS kind, ({NEWEST}) AS at, 0::bigint AS id, NULL, NULL, NULL, NULL, '', '', '', 0::bigint, '', false, '' \
         UNION ALL {} UNION ALL {} ORDER BY kind, at, id",
        of(1, List::Events, 2),
        of(2, List::Clips, 3)
    )
}

/// The newest settled clips by their place, 1 how many of them are passed over: transaction and id.
pub(super) const NEWEST_CLIP: &str = concat!(
    "SELECT xid::text::bigint, id FROM media WHERE ",
    settled!(),
    " ORDER BY media.xid DESC, id DESC OFFSET $1 LIMIT 1"
);

/// The last clip that a person has seen, as a place. One that came from another database has no transaction yet: it is that
/// of the clip, or of the last one before it.
pub(super) const SEEN_BY: &str = "
SELECT coalesce(media_xid, (SELECT xid FROM media WHERE id <= media_id ORDER BY id DESC LIMIT 1), '0'::xid8)::text::bigint, media_id
FROM person_seen WHERE person = $1";

/// Clips after a place (1 and 2), 3 how many; narrowed to a pattern from 4 on.
pub(super) fn clips_after(visible: bool) -> String {
    let theirs = if visible { theirs(4) } else { String::new() };
    format!(
        "SELECT {CLIP} FROM {} AND (xid, id) > ($1::bigint::text::xid8, $2) AND {}{theirs} ORDER BY xid, id LIMIT $3",
        List::Clips.seen(),
        settled!()
    )
}

/// Counted no further than told; in their order, so that the table is not read from its beginning.
pub(super) fn count_after(visible: bool) -> String {
    let theirs = if visible { theirs(4) } else { String::new() };
    format!(
        "SELECT count(*) FROM (SELECT FROM {} AND (xid, id) > ($1::bigint::text::xid8, $2) AND {}{theirs} ORDER BY xid, id LIMIT $3) AS unseen",
        List::Clips.seen(),
        settled!()
    )
}

/// The place of a settled clip, or of the last one before it.
pub(super) const PLACE_OF_CLIP: &str = concat!(
    "SELECT xid::text::bigint, id FROM media WHERE id <= $1 AND ",
    settled!(),
    " ORDER BY id DESC LIMIT 1"
);

/// Never back: what was seen stays seen. 1 the person, 2 and 3 the clip's place.
pub(super) const SEE: &str = "
INSERT INTO person_seen (person, media_xid, media_id) VALUES ($1, $2::bigint::text::xid8, $3)
ON CONFLICT (person) DO UPDATE SET media_xid = excluded.media_xid, media_id = excluded.media_id
WHERE (coalesce(person_seen.media_xid, '0'), person_seen.media_id) < (excluded.media_xid, excluded.media_id)";
