//! What is kept, in PostgreSQL, by any number of receivers.

mod error;
mod keeping;
mod leases;
mod link;
mod migrate;
#[cfg(test)]
mod on_postgres;
mod scalar;
mod settings;
mod tls;

pub(super) use leases::OnLink;
pub(super) use link::Link;
pub(crate) use settings::{DatabaseSettings, WrongUrl};
