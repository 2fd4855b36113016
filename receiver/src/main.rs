//! Reference backend for sync-service.
fn main() {}
