//! Receivers whose rows are in PostgreSQL, as `scripts/test-fleet.sh` starts one.

mod any_may_die;
mod failover;
mod full;
mod moving;
mod people;
mod service;
mod starting;
mod tls;
mod together;
mod upkeep;
