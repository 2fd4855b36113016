//! The `Idempotency-Key` of a row.

use uuid::Uuid;

use crate::row::{Scalar, Table};

/// The same for every try of a row, and never the same for two rows: UUIDv5 (RFC 9562, section 5.5) in the
/// namespace of this database, of device, table, id and date. The date keeps apart rows that get the same id after
/// a database was restored from an older copy; the namespace keeps apart databases, the device's name its clones.
#[must_use]
pub(super) fn idempotency_key(database: Uuid, device_id: &str, table: Table, id: i64, date: &Scalar) -> String {
    // JSON, so that no two lists of parts give the same name.
    let name = serde_json::json!([device_id, table.name(), id, date]).to_string();
    Uuid::new_v5(&database, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_repeats_for_the_same_row_and_for_no_other() {
        let database = Uuid::from_u128(7);
        let date = Scalar::Text("2025-12-18T17:30:00".into());
        let key = idempotency_key(database, "raspberry-1", Table::Event, 1, &date);
        assert_eq!(key, idempotency_key(database, "raspberry-1", Table::Event, 1, &date));
        let others = [
            idempotency_key(Uuid::from_u128(8), "raspberry-1", Table::Event, 1, &date),
            idempotency_key(database, "raspberry-2", Table::Event, 1, &date),
            idempotency_key(database, "raspberry-1", Table::Media, 1, &date),
            idempotency_key(database, "raspberry-1", Table::Event, 2, &date),
            idempotency_key(database, "raspberry-1", Table::Event, 1, &Scalar::Null),
            idempotency_key(database, "raspberry-1", Table::Event, 1, &Scalar::Text("null".into())),
            idempotency_key(
                database,
                "raspberry-1",
                Table::Event,
                1,
                &Scalar::Text("2025-12-18T17:30:01".into()),
            ),
        ];
        for other in others {
            assert_ne!(key, other);
        }
    }
}
