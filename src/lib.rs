//! sync-service: uploads surveillance events and clips from a recorder's SQLite database, exactly once.
//!
//! Arrows go down only: `main` → [`cli`] → [`sync`] → [`device`] | [`upload`] | [`report`]. [`row`] holds the plain
//! values that travel between them; `device` and `upload` do not know each other.

pub mod cli;
pub mod clock;
pub mod config;
pub mod device;
pub mod report;
pub mod row;
pub mod shutdown;
pub mod sync;
pub mod text;
pub mod upload;
