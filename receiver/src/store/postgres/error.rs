//! What PostgreSQL's errors mean here.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// One line: what the server says, or why it can't be asked.
pub(super) fn reason(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message().replace('\n', " "), said.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text.replace('\n', " ")
}

/// Whether the connection is of no more use: it broke, or leads to a server that ends or is a standby by now.
pub(super) fn is_over(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => *code == SqlState::READ_ONLY_SQL_TRANSACTION || code.code().starts_with("57P"),
    }
}

/// Whether the same may go well when it is tried again, nothing having been stored.
pub(super) fn is_passing(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || code.code().starts_with("57P")
    })
}
