//! What PostgreSQL's errors mean here.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;
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

/// What is to be done about a server's certificate that is not taken; `None` where that is not the trouble.
pub(super) fn mistrust(error: &Error) -> Option<&'static str> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        // That of an I/O error is the source of what it wraps, not that itself.
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = wrapped.and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(why)) = found.or_else(|| inner.downcast_ref()) {
            return Some(match why {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "write the host as its certificate does"
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "name the authority that signed its certificate with sslrootcert=/path/ca.pem"
                }
                _ => "give it another certificate",
            });
        }
        cause = inner.source();
    }
    None
}

/// Whether the connection is of no more use: it broke, or leads to a server that ends or is a standby by now.
pub(super) fn is_over(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => *code == SqlState::READ_ONLY_SQL_TRANSACTION || code.code().starts_with("57P"),
    }
}

/// Whether the server is there and has no room left, for one connection more as a rule.
pub(super) fn is_full(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("53"))
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
