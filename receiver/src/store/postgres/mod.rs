//! What is kept, in PostgreSQL, by any number of receivers.

mod alerting;
mod complete;
mod desk;
mod error;
mod following;
mod insert;
mod keeping;
mod leases;
mod link;
mod lock;
mod migrate;
mod narrowed;
#[cfg(test)]
mod on_postgres;
mod people;
#[cfg(test)]
mod plans;
mod queue;
mod read_rows;
mod read_sql;
mod reading;
mod receipts;
mod rows;
mod scalar;
mod settings;
mod statuses;
mod target;
mod tls;
mod tokens;
mod uploads;
mod wake;
mod writer;

pub(super) use desk::PostgresDesk;
pub(super) use link::Link;
pub(super) use migrate::Unready;
#[cfg(test)]
pub(super) use on_postgres::OwnDatabase;
pub(super) use rows::PostgresRows;
pub(super) use scalar::{sortable, to_json};
pub(crate) use settings::DatabaseSettings;
pub(super) use target::Target;
