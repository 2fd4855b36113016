//! sync-service: uploads surveillance events and clips from a recorder's SQLite database, exactly once.
//!
//! Arrows go down only: `main` → `cli` → `sync` → `device` | `upload` | `hooks` → `notice` → `row`.
//! `row` and `notice` hold the plain values that travel: rows up to the server, notices to `report`, which knows
//! nothing else. `device`, `upload`, `hooks` and `report` do not know each other; `cli` joins them.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests live outside the house"))]

pub mod cli;
mod clock;
mod config;
mod device;
mod hooks;
mod instance;
mod local_time;
mod notice;
mod report;
mod row;
mod shutdown;
mod sync;
mod text;
mod upload;

/// What the documentation is tested against.
pub use config::{VARIABLES, Variable};
