//! Receivers whose rows are in PostgreSQL, as `scripts/test-fleet.sh` starts one.

mod starting;
mod together;
