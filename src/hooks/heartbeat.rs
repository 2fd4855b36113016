//! `HEARTBEAT_URL`: a GET after each pass that left nothing behind, so that silence alerts (Healthchecks, Uptime Kuma).

use std::time::Duration;

use ureq::Agent;

use crate::notice::{Notice, Reporter};

/// A heartbeat that is not heard in this time is let go: the next pass does not wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends the heartbeat.
pub struct Heartbeat {
    agent: Agent,
    url: String,
}

impl Heartbeat {
    /// A heartbeat to `url` by `agent`.
    #[must_use]
    pub fn new(agent: Agent, url: String) -> Self {
        Self { agent, url }
    }
}

impl Reporter for Heartbeat {
    fn notice(&mut self, notice: &Notice) {
        let Notice::PassEnded(report) = notice else { return };
        if !report.is_complete() {
            return;
        }
        let result = self
            .agent
            .get(&self.url)
            .config()
            .timeout_global(Some(PATIENCE))
            .build()
            .call();
        // Without the URL: its path is its secret.
        match result {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => log::warn!("HEARTBEAT_URL: HTTP {}", response.status().as_u16()),
            Err(ureq::Error::BadUri(_)) => log::warn!("HEARTBEAT_URL: not a URL that can be used"),
            Err(error) => log::warn!("HEARTBEAT_URL: {error}"),
        }
    }
}
