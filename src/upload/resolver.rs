//! Names are looked up once a minute, not once a request: the HTTP client asks before it looks for a kept connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer of the name service is used again.
const KEEP: Duration = Duration::from_secs(60);

/// The system's resolver with a memory of one name; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembering {
    inner: Arc<DefaultResolver>,
    known: Arc<Mutex<Option<Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    authority: String,
    addresses: ResolvedSocketAddrs,
    since: Instant,
}

impl Remembering {
    /// Looks the name up again next time: its address may have changed.
    pub(super) fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = format!("{}:{:?}", uri.scheme_str().unwrap_or_default(), uri.authority());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.authority == authority && known.since.elapsed() < KEEP) {
            return Ok(known.addresses);
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Known {
            authority,
            addresses: addresses.clone(),
            since: Instant::now(),
        });
        Ok(addresses)
    }
}
