//! The end state every test of loss and duplication comes down to.

use std::collections::HashMap;

use super::backend::Backend;
use super::device::Device;
use super::expected;

/// Every row of the device is at the server exactly once, identical, and `sync_tracking` agrees with the
/// server's ids.
#[track_caller]
pub fn assert_everything_arrived_once(device: &Device, backend: &Backend) {
    let mut stored = HashMap::new();
    for row in backend.stored() {
        let what = (row.table, row.outline.clone(), row.video);
        if let Some(twice) = stored.insert(what, row.id) {
            panic!("stored twice, as {twice} and {}: {}", row.id, row.outline);
        }
    }
    let tracking: HashMap<_, _> = device
        .tracking()
        .into_iter()
        .map(|row| ((row.table.clone(), row.local_id), row))
        .collect();
    let rows = expected::rows(device, "raspberry-1");
    let count = rows.len();
    for row in rows {
        let Some(remote_id) = stored.remove(&(row.table, row.outline.clone(), row.video)) else {
            panic!(
                "{} {} is not at the server: {} {:?}",
                row.table, row.id, row.outline, row.video
            );
        };
        let Some(tracked) = tracking.get(&(row.table.to_owned(), row.id)) else {
            panic!("{} {} is not in sync_tracking", row.table, row.id);
        };
        assert_eq!(
            (tracked.status.as_str(), tracked.remote_id),
            ("success", Some(remote_id)),
            "{tracked:?}"
        );
        assert_eq!(tracked.error, None, "{tracked:?}");
    }
    assert!(
        stored.is_empty(),
        "the server holds what the device never had: {:?}",
        stored.keys().next()
    );
    assert!(count > 0, "the device held nothing");
}
