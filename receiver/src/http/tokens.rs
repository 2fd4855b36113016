//! Which device a request is of: by the tokens of the file, and by those of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use crate::answer::Refusal;
use crate::people::fingerprint;
use crate::store::people::Fingerprint;
use crate::store::{Desk, StoreError};
use crate::tokens::Tokens;

/// How long an answer of the database holds: a revoked token works no longer than this. Thousands of requests a second
/// must not each ask.
const HOLDS: Duration = Duration::from_secs(2);

/// Answers kept at a time.
const KEPT_MOST: usize = 10_000;

type Found = Result<(bool, Option<String>), StoreError>;

/// Who may store.
pub(crate) struct Access {
    file: Tokens,
    desk: Arc<dyn Desk>,
    known: Mutex<HashMap<Option<Fingerprint>, Known>>,
}

/// What the database said, and when.
struct Known {
    at: Instant,
    any: bool,
    device: Option<String>,
}

impl Access {
    pub(crate) fn new(file: Tokens, desk: Arc<dyn Desk>) -> Self {
        Self {
            file,
            desk,
            known: Mutex::default(),
        }
    }

    /// The device of a token; `None` where anyone may store.
    ///
    /// # Errors
    /// 401 with the reason; 503 when the database does not answer.
    pub(super) async fn owner(&self, token: Option<&str>) -> Result<Option<String>, Refusal> {
        if let Some(device) = token.and_then(|token| self.file.device_of(token)) {
            return Ok(Some(device.to_string()));
        }
        let (any, device) = self
            .look_up(token.map(fingerprint))
            .await
            .map_err(Refusal::unavailable)?;
        match (device, token) {
            (Some(device), _) => Ok(Some(device)),
            _ if self.file.is_empty() && !any => Ok(None),
            (None, Some(_)) => Err(Refusal::new(StatusCode::UNAUTHORIZED, "jeton inconnu")),
            (None, None) => Err(Refusal::new(StatusCode::UNAUTHORIZED, "jeton manquant")),
        }
    }

    /// Whether a device needs a token.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn is_needed(&self) -> Result<bool, StoreError> {
        Ok(!self.file.is_empty() || self.look_up(None).await?.0)
    }

    /// Forgets what the database said: it has changed.
    pub(super) fn changed(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn look_up(&self, token: Option<Fingerprint>) -> Found {
        let now = Instant::now();
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(&token).filter(|known| now.duration_since(known.at) < HOLDS) {
                return Ok((known.any, known.device.clone()));
            }
        }
        let (any, device) = self.desk.token_device(token).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MOST {
            known.clear();
        }
        let found = Known {
            at: now,
            any,
            device: device.clone(),
        };
        known.insert(token, found);
        Ok((any, device))
    }
}
