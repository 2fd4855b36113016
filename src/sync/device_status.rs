//! How the device is, gathered for a server that wants to know ([`DeviceStatus`] takes it there).

use std::path::Path;

use sync_protocol::Extension;
use sync_protocol::status::{Disk, Oldest, Rows, Service, Status, Tables};

use crate::clock::Clock;
use crate::device::{Device, DeviceError};
use crate::hooks::device_status::DeviceStatus;
use crate::notice::TableState;
use crate::row::{Scalar, Table};
use crate::upload::Wire;

/// Letters of a text that people or servers wrote: all of it together stays below what is taken.
const LONGEST_TEXT: usize = 100;

/// Starts a status to the backend in use, if that names them. `at_once` is for the start and the end; in between they
/// keep their distance. Trouble is no more than a word in the log.
pub(super) fn tell(
    hook: Option<&DeviceStatus>,
    wire: &mut dyn Wire,
    device: &Device,
    (path, clock): (&Path, &dyn Clock),
    service: Option<Service>,
    at_once: bool,
) {
    let Some(hook) = hook else { return };
    if let Some(backend) = hook.take_refused() {
        wire.refuse(&backend, Extension::Status);
    }
    let backend = wire.backend().to_string();
    let known = wire.extensions();
    let named = known
        .iter()
        .any(|(url, known)| *url == backend && known.is_some_and(|known| known.has(Extension::Status)));
    let now = clock.monotonic();
    if !named || !(at_once || hook.is_due(now)) {
        return;
    }
    match tables(device, clock) {
        Ok(tables) => {
            let status = Status {
                version: 1,
                service,
                tables,
                program_version: env!("CARGO_PKG_VERSION").to_string(),
                // The hook knows it.
                uptime_s: 0,
                disk: disk(path),
                clock_unix_ms: clock.unix_ms(),
                utc_offset_s: Some(clock.utc_offset_s()),
                backend,
            };
            hook.start(status, now);
        }
        Err(error) => log::debug!("status: {error}"),
    }
}

fn tables(device: &Device, clock: &dyn Clock) -> Result<Tables, DeviceError> {
    let now = clock.local();
    Ok(Tables {
        evenement: rows(device.state(Table::Event, now)?),
        media: rows(device.state(Table::Media, now)?),
    })
}

fn rows(state: TableState) -> Rows {
    Rows {
        waiting: state.waiting,
        done: state.done,
        failed: state.failed,
        vanished: state.vanished,
        oldest_waiting: state.oldest_waiting.map(|row| Oldest {
            id: row.id,
            date: match row.date {
                Scalar::Text(date) => Some(short(&date)),
                _ => None,
            },
            age_seconds: row.age_seconds,
        }),
        last_success: state.last_success.map(|date| short(&date)),
    }
}

/// The start of a text that may be anybody's.
pub(super) fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// Room on the disk of `path`.
fn disk(path: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
    })
}
