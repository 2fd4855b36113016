//! `HEARTBEAT_URL`: a GET after each pass that left nothing behind, so that silence alerts (Healthchecks, Uptime Kuma).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ureq::Agent;

use crate::notice::{Notice, Reporter};

/// A heartbeat that is not heard in this time is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends the heartbeat, one at a time. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Heartbeat(Arc<Target>);

struct Target {
    agent: Agent,
    url: String,
    under_way: AtomicBool,
}

impl Heartbeat {
    /// A heartbeat to `url` by `agent`.
    #[must_use]
    pub(crate) fn new(agent: Agent, url: String) -> Self {
        Self(Arc::new(Target {
            agent,
            url,
            under_way: AtomicBool::new(false),
        }))
    }

    /// Whether one is on its way.
    #[must_use]
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.under_way.load(Ordering::SeqCst)
    }

    fn start(&self) {
        if self.0.under_way.swap(true, Ordering::SeqCst) {
            log::debug!("HEARTBEAT_URL: the one before is still on its way");
            return;
        }
        let target = Arc::clone(&self.0);
        let started = thread::Builder::new().name("heartbeat".into()).spawn(move || {
            target.send();
            target.under_way.store(false, Ordering::SeqCst);
        });
        if let Err(error) = started {
            log::warn!("HEARTBEAT_URL: {error}");
            self.0.under_way.store(false, Ordering::SeqCst);
        }
    }
}

impl Reporter for Heartbeat {
    fn notice(&mut self, notice: &Notice) {
        if let Notice::PassEnded(report) = notice {
            if report.is_well() {
                self.start();
            }
        }
    }
}

impl Target {
    fn send(&self) {
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
