//! What backends have beyond the contract, kept from process to process: a `once` run from cron knows it at its start.

use sync_protocol::Extensions;

use crate::device::{Device, DeviceError};
use crate::upload::Wire;

fn meta_key(backend: &str) -> String {
    format!("extensions {backend}")
}

/// Tells the uploader what earlier processes learned.
pub(super) fn recall(device: &Device, wire: &mut dyn Wire) -> Result<(), DeviceError> {
    for (backend, _) in wire.extensions() {
        if let Some(known) = device.meta(&meta_key(&backend))? {
            wire.set_extensions(&backend, Extensions::parse([known.as_str()]));
        }
    }
    Ok(())
}

/// Keeps what was learned since, also that a backend has nothing: it need not be asked. Writes only what changed.
pub(super) fn keep(device: &mut Device, wire: &dyn Wire) -> Result<(), DeviceError> {
    for (backend, known) in wire.extensions() {
        let Some(known) = known.map(|known| known.to_string()) else {
            continue;
        };
        let key = meta_key(&backend);
        if device.meta(&key)?.as_ref() != Some(&known) {
            device.set_meta(&key, &known)?;
        }
    }
    Ok(())
}
