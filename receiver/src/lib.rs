//! The server's side of sync-service: stores events and clips, each once.
//!
//! `main` → [`server`] → [`http`] → [`media`] | [`store`]. [`server`] knows connections, [`http`] what is asked and
//! answered, [`media`] reads a clip's JSON as it arrives; [`store::Store`] is the one place where rows and clips end up,
//! so that another database or object storage can take the local one's place.

pub mod answer;
pub mod config;
pub mod decode;
pub mod event;
pub mod health;
pub mod http;
pub mod media;
pub mod server;
pub mod store;
pub mod tokens;
