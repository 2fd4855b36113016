//! What people and their tools read: each [`Reporter`](crate::notice::Reporter) makes of the notices what it is for.

pub(crate) mod console;
mod exposition;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod metrics;
pub(crate) mod progress_bars;
pub(crate) mod systemd;
pub(crate) mod width;
