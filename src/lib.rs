//! sync-service: uploads surveillance events and clips from a recorder's SQLite database, exactly once.

pub mod row;
