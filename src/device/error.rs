//! What can go wrong with the local database, told in one line.

use std::path::Path;

use rusqlite::ErrorCode;

pub(crate) use super::codes::Kind;
use super::codes::{self, Advice};
use crate::text::one_line;

/// An error of the local database: one line in French that says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceError {
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
pub(crate) type Result<T> = std::result::Result<T, DeviceError>;

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

    /// A small column that is too long to be one.
    pub(crate) fn too_long(column: &str, bytes: u64) -> Self {
        Self::row(format!(
            "La colonne `{column}` fait {bytes} octets, au plus {} sont envoyés: corrigez la ligne",
            super::scalar::COLUMN_BYTES
        ))
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

/// Whether SQLite refused to take a value or key into memory.
pub(super) fn is_too_large(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::OutOfMemory)
    )
}

impl<T> Context<T> for rusqlite::Result<T> {
    fn context(self, path: &Path, doing: &str) -> Result<T> {
        self.map_err(|error| explain(&error, path, doing))
    }
}

/// Turns SQLite's error into ours, by the table of [`codes`].
fn explain(error: &rusqlite::Error, path: &Path, doing: &str) -> DeviceError {
    let detail = one_line(&error.to_string());
    let (kind, advice) = match error {
        // A value of ours that people wrote over: they can mend it while we wait.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => (Kind::Transient, Advice::Other),
        // A row of ours that people deleted: the next start makes it again.
        rusqlite::Error::QueryReturnedNoRows => (Kind::Unusable, Advice::Other),
        rusqlite::Error::SqlInputError { error, .. } => codes::meaning(error.extended_code),
        _ => error
            .sqlite_extended_error_code()
            .map_or((Kind::Transient, Advice::Other), codes::meaning),
    };
    DeviceError::new(kind, format!("{} [{doing}: {detail}]", advice.tell(path)))
}

/// While a row is read, a page that can't be read is this row's trouble; the rows behind it may be well.
pub(super) fn of_row(error: DeviceError) -> DeviceError {
    match error.kind {
        Kind::Unusable => DeviceError::row(error.message),
        _ => error,
    }
}
