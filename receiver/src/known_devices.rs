//! What is known of devices, read once for all who ask within a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sync_protocol::status::Status;

use crate::device_state::Facts;
use crate::store::reading::DeviceRow;
use crate::store::{Desk, StoreError};

/// How old the list of all devices may be.
const FRESH: Duration = Duration::from_secs(1);

/// A device as it is listed: its row read once.
pub(crate) struct Known {
    pub(crate) device_id: String,
    pub(crate) status: Option<Status>,
    pub(crate) facts: Facts,
}

impl Known {
    pub(crate) fn new(row: DeviceRow) -> Self {
        // What this version can't read is as if it had not been said.
        let status: Option<Status> = row.status.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Self {
            facts: facts(&row, status.as_ref()),
            device_id: row.device_id,
            status,
        }
    }
}

/// Every device, read at most once in [`FRESH`]: thousands of statuses take a moment to read, and each open page asks.
#[derive(Default)]
pub(crate) struct KnownDevices(Mutex<Option<(Instant, Arc<Vec<Known>>)>>);

impl KnownDevices {
    pub(crate) async fn all(&self, desk: &dyn Desk) -> Result<Arc<Vec<Known>>, StoreError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, known)) = kept.filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(known);
        }
        let begun = Instant::now();
        let rows = desk.devices().await?;
        let known = Arc::new(rows.into_iter().map(Known::new).collect::<Vec<_>>());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, Arc::clone(&known)));
        Ok(known)
    }
}

fn facts(row: &DeviceRow, status: Option<&Status>) -> Facts {
    Facts {
        last_sign_s: row.row_at_s.max(row.status_at_s),
        interval_s: status.and_then(interval_s),
        oldest_waiting_s: status.and_then(oldest_waiting_s),
        disk_free_percent: status.and_then(disk_free_percent),
        clock_off_s: row.clock_ahead_ms.map(|ms| ms / 1000),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates")]
fn interval_s(status: &Status) -> Option<i64> {
    status.service.as_ref()?.interval_s.map(|interval| interval as i64)
}

fn oldest_waiting_s(status: &Status) -> Option<i64> {
    let tables = [&status.tables.evenement, &status.tables.media];
    tables
        .into_iter()
        .filter_map(|rows| rows.oldest_waiting.as_ref()?.age_seconds)
        .max()
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is not that exact")]
fn disk_free_percent(status: &Status) -> Option<f64> {
    let disk = status.disk.filter(|disk| disk.total_bytes > 0)?;
    Some(disk.free_bytes as f64 * 100.0 / disk.total_bytes as f64)
}
