//! The database as it is read when all of it moves elsewhere: nobody else has it open.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::record::Scalar;
use crate::store::StoreError;
use crate::store::tables::{BATCH, Table, Type};

/// A video and its row.
pub(in crate::store) struct Video {
    pub(in crate::store) id: i64,
    pub(in crate::store) name: String,
    pub(in crate::store) bytes: u64,
    /// Empty where it is not known.
    pub(in crate::store) sha256: String,
    pub(in crate::store) manifest: String,
}

pub(in crate::store) struct Source {
    conn: Connection,
    path: PathBuf,
}

impl Source {
    /// A database whose tables are those of this program.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, StoreError> {
        let conn = Connection::open(path)?;
        conn.execute_batch("PRAGMA synchronous = FULL;")?;
        let path = path.to_path_buf();
        Ok(Self { conn, path })
    }

    /// For another thread.
    pub(in crate::store) fn another(&self) -> Result<Self, StoreError> {
        Self::open(&self.path)
    }

    pub(in crate::store) fn close(self) -> Result<(), StoreError> {
        self.conn.close().map_err(|(_, error)| error.into())
    }

    pub(in crate::store) fn installation(&self) -> Result<String, StoreError> {
        Ok(super::sql::installation(&self.conn)?)
    }

    pub(in crate::store) fn count_clips(&self) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM media WHERE removing IS NULL";
        Ok(self
            .conn
            .query_row(count, [], |row| row.get::<_, i64>(0))
            .map(|count| u64::try_from(count).unwrap_or(0))?)
    }

    /// Clips after an id. What is on its way out is left behind.
    pub(in crate::store) fn clips(&self, after: i64, most: u32) -> Result<Vec<Video>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT id, file, size_bytes, sha256, manifest FROM media WHERE id > ?1 AND removing IS NULL ORDER BY id LIMIT ?2",
        )?;
        let clips = query.query_map(params![after, most], video)?;
        Ok(clips.collect::<rusqlite::Result<_>>()?)
    }

    /// Parts with bytes that have not been moved.
    pub(in crate::store) fn parts(&self) -> Result<Vec<Video>, StoreError> {
        let mut query = self.conn.prepare(
            "SELECT 0, part, offset_bytes, '', manifest FROM upload WHERE media_id IS NULL AND offset_bytes > 0 AND manifest = ''",
        )?;
        let parts = query.query_map([], video)?;
        Ok(parts.collect::<rusqlite::Result<_>>()?)
    }

    pub(in crate::store) fn set_clip(&self, id: i64, manifest: &str) -> Result<(), StoreError> {
        let mut set = self
            .conn
            .prepare_cached("UPDATE media SET manifest = ?2 WHERE id = ?1")?;
        set.execute(params![id, manifest])?;
        Ok(())
    }

    pub(in crate::store) fn set_part(&self, part: &str, manifest: &str) -> Result<(), StoreError> {
        let mut set = self
            .conn
            .prepare_cached("UPDATE upload SET manifest = ?2 WHERE part = ?1")?;
        set.execute(params![part, manifest])?;
        Ok(())
    }

    pub(in crate::store) fn count(&self, table: &Table) -> Result<i64, StoreError> {
        let count = format!("SELECT count(*) FROM {}", table.name);
        Ok(self.conn.query_row(&count, [], |row| row.get(0))?)
    }

    /// The last id that was ever given: none comes twice.
    pub(in crate::store) fn last_given_id(&self, table: &Table) -> Result<i64, StoreError> {
        let last = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        let last = self.conn.query_row(last, [table.name], |row| row.get(0)).optional()?;
        Ok(last.unwrap_or(0))
    }

    /// The rows of a table as objects of JSON, some at a time, until `take` has enough.
    pub(in crate::store) fn rows(
        &self,
        table: &Table,
        after: i64,
        mut take: impl FnMut(Vec<String>) -> bool,
    ) -> Result<(), StoreError> {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|(name, source, _)| {
                if source.is_empty() {
                    format!("\"{name}\"")
                } else {
                    (*source).to_string()
                }
            })
            .collect();
        let filter = if table.has_ids {
            "WHERE id > ?1 ORDER BY id"
        } else {
            "WHERE ?1 IS NOT NULL"
        };
        let sql = format!("SELECT {} FROM {} {filter}", columns.join(", "), table.name);
        let mut query = self.conn.prepare(&sql)?;
        let mut rows = query.query([after])?;
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(row) = rows.next()? {
            batch.push(object(table, row)?);
            if batch.len() == BATCH && !take(std::mem::take(&mut batch)) {
                return Ok(());
            }
        }
        if !batch.is_empty() {
            take(batch);
        }
        Ok(())
    }
}

fn video(row: &Row<'_>) -> rusqlite::Result<Video> {
    Ok(Video {
        id: row.get(0)?,
        name: row.get(1)?,
        bytes: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        sha256: row.get(3)?,
        manifest: row.get(4)?,
    })
}

fn object(table: &Table, row: &Row<'_>) -> rusqlite::Result<String> {
    let mut object = String::from("{");
    for (index, (name, _, of)) in table.columns.iter().enumerate() {
        if index > 0 {
            object.push(',');
        }
        let value = match (of, row.get_ref(index)?) {
            (_, ValueRef::Null) => "null".to_string(),
            // JSON in JSON, so that each value keeps its type and its last digit.
            (Type::Value, _) => {
                let json = crate::store::postgres::to_json(&row.get::<_, Scalar>(index)?);
                json.map_or_else(|| "null".to_string(), |json| quoted(&json))
            }
            (Type::Bytes, ValueRef::Blob(bytes)) => {
                quoted(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            (Type::Sorted, ValueRef::Text(text)) => {
                quoted(&crate::store::postgres::sortable(&String::from_utf8_lossy(text)))
            }
            (Type::Flag, value) => (value.as_i64().unwrap_or(0) != 0).to_string(),
            (_, ValueRef::Integer(number)) => number.to_string(),
            (_, ValueRef::Real(number)) => format!("{number:?}"),
            // Text of PostgreSQL has no U+0000.
            (_, ValueRef::Text(text) | ValueRef::Blob(text)) => {
                quoted(&String::from_utf8_lossy(text).replace('\0', "\u{fffd}"))
            }
        };
        object += &format!("\"{name}\":{value}");
    }
    object.push('}');
    Ok(object)
}

fn quoted(text: &str) -> String {
    crate::store::postgres::to_json(&Scalar::Text(text.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteRows;
    use crate::store::tables::TABLES;
    use crate::store::tables::tests::assert_all_is_moved;

    #[test]
    fn every_table_and_column_of_sqlite_is_moved_or_left_behind_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receiver.db");
        drop(SqliteRows::open(&path).unwrap());
        let conn = Connection::open(&path).unwrap();
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
        assert_all_is_moved(&columns, &[("media", "after_event")]);
        let has_ids = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?1 AND sql LIKE '%AUTOINCREMENT%'";
        for table in &TABLES {
            let has_ids: bool = conn.query_row(has_ids, [table.name], |row| row.get(0)).unwrap();
            assert_eq!(table.has_ids, has_ids, "{}", table.name);
        }
    }
}
