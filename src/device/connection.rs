//! Connections to the recorder's database, and what tells whether it is still the one that was opened.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::error::{Context, DeviceError, Kind, Result};

/// How long we wait for another writer, as the recorder does.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Time left to other writers between two transactions. Whoever waits with SQLite's own patience looks every 50 ms at first: a
/// shorter gap is missed again and again.
pub(crate) const BREATH: Duration = Duration::from_millis(60);

/// Statements kept prepared: all of a pass.
const STATEMENTS: usize = 96;

/// The longest value that a statement takes into memory. Columns have a limit of their own, with a message; this one
/// stands behind it, for whatever else lies in the file.
const LONGEST_VALUE_BYTES: i32 = 1 << 20;

/// What SQLite may take in memory, in the whole process. It needs 2 MB for its page cache; a key of an index that is longer
/// than this is an error instead of the device's memory.
const HEAP_BYTES: u32 = 8 << 20;

/// What ends with the connection. The bundled SQLite turns foreign keys on; the recorder's connections have them off.
/// Overwriting what is deleted would write every page of a pruned clip under the lock. `EXTRA` also syncs the removal of the rollback journal: with `FULL` a power cut can undo the last commit.
const SETTINGS: &str = "PRAGMA foreign_keys = OFF; PRAGMA synchronous = EXTRA; PRAGMA recursive_triggers = OFF;
    PRAGMA secure_delete = OFF;";

/// Opens a connection that sets nothing that lasts.
pub(super) fn connect(path: &Path, mode: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).context(path, "ouverture")?;
    let prepare = || -> rusqlite::Result<()> {
        // What the schema of a foreign file may make us do: nothing.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        conn.execute_batch(SETTINGS)
    };
    prepare().context(path, "ouverture")?;
    Ok(conn)
}

/// Leaves other writers their turn between two transactions of a series.
#[allow(clippy::disallowed_methods, reason = "too short for a stop to wait for")]
pub(super) fn breathe() {
    std::thread::sleep(BREATH);
}

/// Bounds the memory of every connection of this process together.
///
/// # Errors
/// SQLite can't be set up at all.
pub(crate) fn bound_memory() -> rusqlite::Result<()> {
    Connection::open_in_memory()?.query_row(&format!("PRAGMA hard_heap_limit = {HEAP_BYTES}"), [], |_| Ok(()))
}

/// (device, inode) of a file that may be a database.
pub(super) fn identify(path: &Path) -> Result<(u64, u64)> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => DeviceError::new(
            Kind::NotYet,
            format!("Base de données absente: {shown}; démarrez l'enregistreur ou corrigez LOCAL_DB_PATH"),
        ),
        std::io::ErrorKind::PermissionDenied => DeviceError::new(
            Kind::Denied,
            format!("Accès refusé à {shown}: donnez au service le droit de lire et d'écrire le fichier et son dossier"),
        ),
        _ => DeviceError::new(Kind::Transient, format!("Impossible de lire {shown} ({error})")),
    })?;
    if metadata.is_dir() {
        return Err(DeviceError::new(
            Kind::Unusable,
            format!("{shown} est un dossier: LOCAL_DB_PATH doit désigner le fichier de la base"),
        ));
    }
    if metadata.len() == 0 {
        return Err(DeviceError::new(
            Kind::NotYet,
            format!("Base de données vide: {shown}; l'enregistreur n'y a pas encore créé ses tables"),
        ));
    }
    Ok((metadata.dev(), metadata.ino()))
}

/// Changes with every CREATE, ALTER and DROP.
pub(super) fn schema_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA schema_version")?
        .query_row([], |row| row.get(0))
}

/// Changes when another connection has committed (<https://www.sqlite.org/pragma.html#pragma_data_version>).
pub(super) fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Nobody, we included, has written between two moments that are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// `PRAGMA data_version`, which tells of others.
    version: i64,
    /// Rows that this connection changed: its own commits move pages, too, where the file is kept compact.
    own_changes: u64,
}

impl Moment {
    /// That at which `conn` saw `version`.
    pub(super) fn of(conn: &Connection, version: i64) -> Self {
        Self {
            version,
            own_changes: conn.total_changes(),
        }
    }
}
