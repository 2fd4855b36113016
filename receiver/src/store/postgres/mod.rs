//! What is kept, in PostgreSQL, by any number of receivers.

mod error;
mod link;
mod migrate;
#[cfg(test)]
mod on_postgres;
mod scalar;
mod settings;
mod tls;

pub(super) use link::Link;
pub(crate) use settings::{DatabaseSettings, WrongUrl};
