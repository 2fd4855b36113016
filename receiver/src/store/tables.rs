//! The tables that both databases have, and their columns, as they are moved from one to the other.

#[cfg(test)]
pub(super) mod tests;

/// Rows in a statement.
pub(super) const BATCH: usize = 500;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A device's value, of any type.
    Value,
    Text,
    /// Text that is sorted and looked up by.
    Sorted,
    Integer,
    Flag,
    Bytes,
    Time,
    Day,
}

/// A table that both databases have.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its own ids, given in their order.
    pub(super) has_ids: bool,
    /// In PostgreSQL, what it is in SQLite where that is another name, and the type.
    pub(super) columns: &'static [(&'static str, &'static str, Type)],
}

use Type::{Bytes, Day, Flag, Integer, Sorted, Text, Time, Value};

/// The table of a place in the order of what was stored, which is each database's own.
pub(super) const FOLLOWED: &str = "alert_watch";

/// Rows of devices last: whatever is half done has no events yet. Left behind is what receivers make anew: `lease` (whose
/// turn a work is: nobody's while nobody runs) and `removal_trouble` (what can't be removed just now, found again if it lasts).
pub(super) const TABLES: [Table; 17] = [
    Table {
        name: "person",
        has_ids: false,
        columns: &[
            ("name", "", Text),
            ("role", "", Text),
            ("devices", "", Text),
            ("password_hash", "", Text),
            ("created_at", "", Time),
        ],
    },
    Table {
        name: "session",
        has_ids: false,
        columns: &[
            ("id", "", Text),
            ("secret_sha256", "", Bytes),
            ("person", "", Text),
            ("expires_at", "", Integer),
        ],
    },
    Table {
        name: "sign_in_failure",
        has_ids: false,
        columns: &[
            ("subject", "", Text),
            ("failures", "", Integer),
            ("last_at", "", Integer),
            ("next_at", "", Integer),
        ],
    },
    Table {
        name: "person_seen",
        has_ids: false,
        columns: &[("person", "", Text), ("media_id", "", Integer)],
    },
    Table {
        name: "token",
        has_ids: true,
        columns: &[
            ("id", "", Integer),
            ("device_id", "", Text),
            ("sha256", "", Bytes),
            ("created_at", "", Time),
        ],
    },
    Table {
        name: "device",
        has_ids: false,
        columns: &[
            ("device_id", "", Text),
            ("status", "", Text),
            ("clock_ahead_ms", "", Integer),
            ("received_at", "", Time),
        ],
    },
    Table {
        name: "device_row",
        has_ids: false,
        columns: &[("device_id", "", Text), ("row_at", "", Integer)],
    },
    Table {
        name: "device_backlog",
        has_ids: false,
        columns: &[
            ("device_id", "", Text),
            ("quarter", "", Integer),
            ("most_rows", "", Integer),
        ],
    },
    Table {
        name: "removal",
        has_ids: false,
        columns: &[
            ("day", "", Day),
            ("device_id", "", Text),
            ("kind", "", Text),
            ("reason", "", Text),
            ("rows", "", Integer),
            ("bytes", "", Integer),
            ("oldest", "", Time),
            ("newest", "", Time),
        ],
    },
    Table {
        name: "important_sensor",
        has_ids: false,
        columns: &[
            ("device_id", "", Text),
            ("sensor", "", Text),
            ("marked_by", "", Text),
            ("marked_at", "", Integer),
        ],
    },
    // What was told to hold, so that it is not told again, and what nobody has taken yet.
    Table {
        name: "alarm",
        has_ids: false,
        columns: &[
            ("device_id", "", Text),
            ("what", "", Text),
            ("sensor", "", Text),
            ("moment", "", Text),
            ("began_at", "", Integer),
            ("last_at", "", Integer),
        ],
    },
    Table {
        name: "notice",
        has_ids: true,
        columns: &[
            ("id", "", Integer),
            ("subject", "", Text),
            ("body", "", Text),
            ("tries", "", Integer),
            ("next_at", "", Integer),
        ],
    },
    // Else every device that was quiet during the move would be told to be silent.
    Table {
        name: FOLLOWED,
        has_ids: false,
        columns: &[
            ("one", "", Integer),
            ("followed", "", Text),
            ("looked_at", "", Integer),
            ("since_at", "", Integer),
        ],
    },
    Table {
        name: "receipt",
        has_ids: false,
        columns: &[
            ("idempotency_key", "", Text),
            ("kind", "", Text),
            ("key_owner", "device_id", Text),
            ("device_id", "", Text),
            ("id", "", Integer),
            ("date", "", Value),
            ("capteur_id", "", Value),
            ("size_bytes", "", Integer),
            ("removed_at", "", Integer),
        ],
    },
    Table {
        name: "upload",
        has_ids: false,
        columns: &[
            ("id", "", Text),
            ("device_id", "", Text),
            ("idempotency_key", "", Text),
            ("metadata", "", Text),
            ("length_bytes", "", Integer),
            ("part", "", Text),
            ("offset_bytes", "", Integer),
            ("manifest", "", Text),
            ("media_id", "", Integer),
            ("epoch", "", Integer),
            ("expires_ms", "", Integer),
        ],
    },
    Table {
        name: "media",
        has_ids: true,
        columns: &[
            ("id", "", Integer),
            ("date", "", Value),
            ("capteur_id", "", Value),
            ("capteur_nom", "", Value),
            ("numero_camera", "", Value),
            ("device_id", "", Text),
            ("source", "", Text),
            ("file", "", Text),
            ("size_bytes", "", Integer),
            ("sha256", "", Text),
            ("received_at", "", Time),
            ("moment", "", Sorted),
            ("sensor", "", Sorted),
            ("camera", "", Sorted),
            ("pinned", "", Flag),
            ("removing", "", Text),
            ("manifest", "", Text),
            ("idempotency_key", "", Text),
            ("key_owner", "iif(idempotency_key IS NULL, NULL, device_id)", Text),
        ],
    },
    Table {
        name: "evenement",
        has_ids: true,
        columns: &[
            ("id", "", Integer),
            ("date", "", Value),
            ("capteur_id", "", Value),
            ("capteur_nom", "", Value),
            ("capteur_etat", "", Value),
            ("device_id", "", Text),
            ("source", "", Text),
            ("received_at", "", Time),
            ("moment", "", Sorted),
            ("sensor", "", Sorted),
            ("idempotency_key", "", Text),
            ("key_owner", "iif(idempotency_key IS NULL, NULL, device_id)", Text),
        ],
    },
];
