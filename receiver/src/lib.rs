//! The server's side of sync-service: stores events and clips, each once.
//!
//! `main` → [`server`] → `http` → `decode` → `json` | `store`. [`server`] knows connections, `http` what is asked and
//! answered, `json` reads a body as it arrives, `store` is the one place where rows and clips end up; `record` holds the
//! plain values between them.

#![warn(unreachable_pub)]

mod answer;
pub mod cli;
mod clock;
pub mod config;
mod decode;
mod device_state;
pub mod health;
mod http;
mod json;
mod known_devices;
mod media_type;
mod metrics;
mod peer;
mod people;
mod record;
pub mod server;
mod store;
pub mod tls;
mod tokens;
mod upkeep;

#[doc(hidden)]
pub use json::measured;
