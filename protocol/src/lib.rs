//! What sync-service and sync-receiver say to each other beyond the contract that every server knows.
//!
//! A server names the extensions it has in every answer ([`Extensions`], header [`EXTENSIONS_HEADER`]); a sender uses
//! one only after that. Naming any of them promises that `Idempotency-Key` is honoured.

pub mod batch;
mod extensions;
pub mod patience;
pub mod status;
mod structured;
pub mod uploads;

pub use extensions::{EXTENSIONS_HEADER, Extension, Extensions};

/// The header that makes a request repeatable, in lower case.
pub const KEY_HEADER: &str = "idempotency-key";

/// Longest value of [`KEY_HEADER`], and longest key of a batch's entry.
pub const KEY_MAX_BYTES: usize = 255;
