//! What every test needs: a receiver of its own, a plain HTTP client, bodies.

mod bodies;
mod client;
#[cfg(feature = "fleet")]
pub mod device;
#[cfg(feature = "fleet")]
pub mod grown;
pub mod hook;
mod people;
#[cfg(feature = "fleet")]
pub mod postgres;
mod receiver;
pub mod tls;
pub mod tus;

pub use bodies::{chunked, clip, event, media_body, noise, post, sha256};
pub use client::{Answer, Client};
#[cfg(feature = "fleet")]
pub use people::run;
pub use people::{PASSWORD, SignedIn, json};
pub use receiver::{Receiver, database, program};

use std::time::{Duration, Instant};

/// Waits for something that the receiver does by itself, at most as long as no machine takes.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
