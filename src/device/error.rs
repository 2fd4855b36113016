//! What can go wrong with the local database, and what each of SQLite's codes means for us.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::text::one_line;

/// What an error of the local database means for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file (or its tables) is not there yet: the recorder may create it any moment.
    NotYet,
    /// Passing trouble (locked, disk full, I/O error): worth another try later.
    Transient,
    /// Not writable or not to be opened: wrong from the start, or a card that was remounted read-only
    /// under a running service, which heals.
    Denied,
    /// Nothing that time heals: wrong file, wrong tables, no permission, corruption.
    Unusable,
    /// The row was deleted while it was being read.
    Vanished,
    /// The row was modified while it was being read.
    Changed,
    /// This row alone can't be read; those behind it can.
    Row,
}

/// An error of the local database: one line in French that says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceError {
    /// What it means for the work.
    pub kind: Kind,
    /// One line for people.
    pub message: String,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeviceError {}

/// Result of an operation on the local database.
pub type Result<T> = std::result::Result<T, DeviceError>;

impl DeviceError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn vanished() -> Self {
        Self::new(Kind::Vanished, "La ligne a été supprimée pendant la lecture")
    }

    pub(crate) fn changed() -> Self {
        Self::new(Kind::Changed, "La ligne a été modifiée pendant l'envoi")
    }

    pub(crate) fn row(message: impl Into<String>) -> Self {
        Self::new(Kind::Row, message)
    }
}

impl From<DeviceError> for std::io::Error {
    fn from(error: DeviceError) -> Self {
        std::io::Error::other(error)
    }
}

/// Adds the file's path and the operation to SQLite's error.
pub(crate) trait Context<T> {
    /// `doing` completes the sentence "while …", in French.
    fn context(self, path: &Path, doing: &str) -> Result<T>;
}

impl<T> Context<T> for rusqlite::Result<T> {
    fn context(self, path: &Path, doing: &str) -> Result<T> {
        self.map_err(|error| explain(&error, path, doing))
    }
}

/// The one place that decides what an SQLite error means
/// (codes: <https://www.sqlite.org/rescode.html>).
fn explain(error: &rusqlite::Error, path: &Path, doing: &str) -> DeviceError {
    let file = path.display();
    let detail = one_line(&error.to_string());
    let code = error.sqlite_error_code();
    let (kind, what) = match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Kind::Transient,
            format!("Base de données verrouillée par un autre programme ({file})"),
        ),
        Some(ErrorCode::DiskFull) => (Kind::Transient, format!("Disque plein ({file}): libérez de l'espace")),
        // A folder in which SQLite can't make its journal; or a card that fails, which the kernel remounts read-only and a
        // later remount heals.
        Some(ErrorCode::ReadOnly) => (
            Kind::Denied,
            format!(
                "Base de données en lecture seule ({file}): donnez au service le droit d'écrire le fichier et le dossier {}, \
                 ou vérifiez si la carte est montée en lecture seule",
                path.parent().unwrap_or(path).display()
            ),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Kind::Transient,
            format!("Erreur d'entrée/sortie ({file}): vérifiez la carte SD"),
        ),
        // Also what a full disk gives when the journal can't be created.
        Some(ErrorCode::CannotOpen) => (
            Kind::Denied,
            format!("Impossible d'ouvrir {file}: vérifiez le chemin, les droits du fichier et du dossier"),
        ),
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => (
            Kind::Unusable,
            format!("Accès refusé à {file}: vérifiez les droits du fichier et du dossier"),
        ),
        Some(ErrorCode::NotADatabase) => (
            Kind::Unusable,
            format!("{file} n'est pas une base SQLite: vérifiez LOCAL_DB_PATH"),
        ),
        // SQLite says the same of a sector that the card can't read (SQLITE_IOERR_CORRUPTFS).
        Some(ErrorCode::DatabaseCorrupt) => (
            Kind::Unusable,
            format!(
                "Base de données corrompue ou carte SD illisible ({file}): voyez `dmesg`; \
                 restaurez la base ou réparez-la avec `sqlite3 {file} .recover`"
            ),
        ),
        // The schema changed under a prepared statement more often than SQLite retries.
        Some(ErrorCode::SchemaChanged | ErrorCode::FileLockingProtocolFailed) => (
            Kind::Transient,
            format!("Base de données modifiée par un autre programme ({file})"),
        ),
        Some(ErrorCode::OutOfMemory) => (Kind::Transient, "Mémoire insuffisante".to_string()),
        _ => (Kind::Unusable, format!("Erreur SQLite ({file})")),
    };
    DeviceError::new(kind, format!("{what} [{doing}: {detail}]"))
}

/// While a row is read, a page that can't be read is this row's trouble; the rows behind it may be well.
pub(super) fn of_row(error: DeviceError) -> DeviceError {
    match error.kind {
        Kind::Unusable => DeviceError::row(error.message),
        _ => error,
    }
}
