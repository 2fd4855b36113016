//! Which of the two layouts in the field a database has, read from its columns.

use std::path::Path;

use rusqlite::Connection;

use super::error::{Context, DeviceError, Kind, Result};
use crate::row::Table;

/// Where the values we send are found. Names are SQL identifiers of this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// `date`, or `date_evenement` in the older layout.
    pub event_date: &'static str,
    /// `c.etat_capteur`, or `e.etat_capteur` in the older layout.
    pub event_state: &'static str,
    /// `date`, or `date_media` in the older layout.
    pub media_date: &'static str,
    /// Position of `video` among the stored columns of a `media` record.
    pub video_position: usize,
    /// Date, sensor and camera among the stored columns of a `media` record.
    pub media_columns: [Column; 3],
    /// Indexes on one column of `media`, by column: the way to small columns that lie behind a large
    /// video without walking through it.
    pub media_indexes: MediaIndexes,
}

/// A column and its place in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// As SQL names it.
    pub name: &'static str,
    /// Among the stored columns.
    pub position: usize,
}

/// Names of usable indexes on `media`, if there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MediaIndexes {
    pub date: Option<String>,
    pub sensor: Option<String>,
    pub camera: Option<String>,
}

/// Reads the layout of the database; a missing table or column is an error that names it.
pub(super) fn detect(conn: &Connection, path: &Path) -> Result<Layout> {
    let sensor = columns(conn, path, "capteur")?;
    let event = columns(conn, path, "evenement")?;
    let media = columns(conn, path, "media")?;

    sensor.require(path, "id_capteur")?;
    sensor.require(path, "nom_capteur")?;
    event.require(path, "id_evenement")?;
    event.require(path, "id_capteur")?;
    media.require(path, "id_media")?;
    for table in Table::ALL {
        require_ids(conn, path, table)?;
    }
    let event_date = event.one_of(path, "date", "date_evenement")?;
    let media_date = media.one_of(path, "date", "date_media")?;
    let column = |name| media.require(path, name).map(|position| Column { name, position });
    let media_columns = [column(media_date)?, column("id_capteur")?, column("numero_camera")?];
    // In the older layout the state is the event's own, not the sensor's.
    let event_state = if event.has("etat_capteur") {
        "e.etat_capteur"
    } else {
        sensor.require(path, "etat_capteur")?;
        "c.etat_capteur"
    };
    Ok(Layout {
        event_date,
        event_state,
        media_date,
        video_position: media.require(path, "video")?,
        media_columns,
        media_indexes: MediaIndexes {
            date: index_on(conn, path, media_date)?,
            sensor: index_on(conn, path, "id_capteur")?,
            camera: index_on(conn, path, "numero_camera")?,
        },
    })
}

/// Virtual generated columns (hidden = 2) are in no record.
const STORED_COLUMNS: &str = "SELECT lower(name) FROM pragma_table_xinfo(?1) WHERE hidden <> 2 ORDER BY cid";

/// Complete (not partial) indexes on one column, in the plain byte order that comparisons with our parameters use.
const INDEX_ON: &str = "SELECT l.name FROM pragma_index_list('media') l, pragma_index_xinfo(l.name) x
    WHERE l.partial = 0 AND x.seqno = 0 AND lower(x.name) = ?1 AND x.coll = 'BINARY'
      AND (SELECT count(*) FROM pragma_index_xinfo(l.name) k WHERE k.key = 1) = 1
    ORDER BY l.name";

/// The columns of a table in the order in which a record stores them, in lower case.
struct Columns {
    table: &'static str,
    stored: Vec<String>,
}

fn columns(conn: &Connection, path: &Path, table: &'static str) -> Result<Columns> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare(STORED_COLUMNS)?;
        let rows = statement.query_map([table], |row| row.get(0))?;
        rows.collect()
    };
    let stored = read().context(path, "lecture du schéma")?;
    if stored.is_empty() {
        return Err(DeviceError::new(
            Kind::Unusable,
            format!(
                "Table `{table}` absente de {}: vérifiez que LOCAL_DB_PATH désigne la base de l'enregistreur",
                path.display()
            ),
        ));
    }
    Ok(Columns { table, stored })
}

impl Columns {
    fn has(&self, name: &str) -> bool {
        self.stored.iter().any(|column| column == name)
    }

    fn require(&self, path: &Path, name: &str) -> Result<usize> {
        self.stored
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| self.missing(path, name))
    }

    fn one_of(&self, path: &Path, current: &'static str, older: &'static str) -> Result<&'static str> {
        if self.has(current) {
            Ok(current)
        } else if self.has(older) {
            Ok(older)
        } else {
            Err(self.missing(path, current))
        }
    }

    fn missing(&self, path: &Path, name: &str) -> DeviceError {
        DeviceError::new(
            Kind::Unusable,
            format!(
                "Colonne `{name}` absente de la table `{}` de {}: vérifiez que LOCAL_DB_PATH désigne la base de l'enregistreur",
                self.table,
                path.display()
            ),
        )
    }
}

/// A row without an id would never be found, and nobody would know. To look costs nothing where the id is the rowid, as the
/// recorder declares it: SQLite knows that this one is never null.
fn require_ids(conn: &Connection, path: &Path, table: Table) -> Result<()> {
    let (name, id) = (table.name(), table.id_column());
    let without: bool = conn
        .query_row(&without_id_sql(table), [], |row| row.get(0))
        .context(path, "lecture du schéma")?;
    if without {
        return Err(DeviceError::new(
            Kind::Unusable,
            format!(
                "Des lignes de la table `{name}` de {} n'ont pas de `{id}` et ne partiraient jamais: recréez la table avec `{id} INTEGER PRIMARY KEY AUTOINCREMENT`",
                path.display()
            ),
        ));
    }
    Ok(())
}

/// A constant where the id is the rowid.
pub(super) fn without_id_sql(table: Table) -> String {
    format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {} IS NULL)",
        table.name(),
        table.id_column()
    )
}

/// An index of `media` that finds rows by `column` alone.
fn index_on(conn: &Connection, path: &Path, column: &str) -> Result<Option<String>> {
    let read = || -> rusqlite::Result<Option<String>> {
        let mut statement = conn.prepare(INDEX_ON)?;
        let mut rows = statement.query([column])?;
        match rows.next()? {
            Some(row) => Ok(Some(row.get(0)?)),
            None => Ok(None),
        }
    };
    read().context(path, "lecture des index")
}

/// Quotes an identifier that comes from the database itself.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
