//! What is kept, in PostgreSQL, by any number of receivers.

mod complete;
mod error;
mod insert;
mod keeping;
mod leases;
mod link;
mod migrate;
#[cfg(test)]
mod on_postgres;
mod queue;
mod receipts;
mod rows;
mod scalar;
mod settings;
mod statuses;
mod tls;
mod uploads;
mod writer;

pub(super) use leases::OnLink;
pub(super) use link::Link;
#[cfg(test)]
pub(super) use on_postgres::OwnDatabase;
pub(super) use rows::PostgresRows;
pub(crate) use settings::{DatabaseSettings, WrongUrl};
