//! sync-service: uploads surveillance events and clips from a recorder's SQLite database, exactly once.
//!
//! Arrows go down only: `main` → [`cli`] → [`sync`] → [`device`] | [`upload`] | [`hooks`] → [`notice`] → [`row`].
//! [`row`] and [`notice`] hold the plain values that travel: rows up to the server, notices to [`report`], which knows
//! nothing else. `device`, `upload`, `hooks` and `report` do not know each other; `cli` joins them.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests live outside the house"))]

pub mod cli;
pub mod clock;
pub mod config;
pub mod device;
pub mod hooks;
pub mod instance;
pub mod local_time;
pub mod notice;
pub mod report;
pub mod row;
pub mod shutdown;
pub mod sync;
pub mod text;
pub mod upload;
