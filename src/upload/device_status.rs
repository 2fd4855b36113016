//! A device's status on its way to a server that names it.

use std::sync::Arc;
use std::time::Duration;

use sync_protocol::status::{MAX_BYTES, Status, path};
use ureq::tls::TlsConfig;

use super::client::{agent, authorized};
use super::config::UploadConfig;
use super::resolver::Remembering;

/// A status that is not taken in this time is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a status to its backend, once, and returns the answer's status. Its connection is its own, that of the rows is
/// not to wait, and lives no longer: one request a minute is no reason to keep one. `tls` is that of the rows: the machine's
/// certificates are not read again each time.
///
/// # Errors
/// Why there is no answer, in a line.
pub(crate) fn put_status(config: &UploadConfig, tls: &TlsConfig, status: &Status) -> Result<u16, String> {
    let body = serde_json::to_vec(status).map_err(|error| error.to_string())?;
    if body.len() > MAX_BYTES {
        return Err(format!("{} bytes are too many", body.len()));
    }
    let url = config.backends.iter().find(|url| url.as_str() == status.backend);
    let url = url.ok_or("not one of the backends")?;
    let agent = agent(
        url,
        tls.clone(),
        config.timeouts,
        Remembering::default(),
        Arc::default(),
    );
    let request = agent
        .put(format!("{}{}", url.as_str(), path(&config.device_id)))
        .header("Content-Type", "application/json");
    let request = authorized(request, config.token.as_ref());
    let answer = request.config().timeout_global(Some(PATIENCE)).build().send(&body);
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(|error| error.to_string())
}
