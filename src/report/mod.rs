//! What people and their tools read: each [`Reporter`](crate::notice::Reporter) makes of the notices what it is for.

pub mod console;
mod exposition;
pub mod journal;
pub mod json;
pub mod metrics;
pub mod progress_bars;
pub mod systemd;
pub mod width;
