//! `SYNC_MAX_RATE_KBPS`: the line stays usable.

use std::time::Instant;

use crate::support::{Backend, Device, Service};

#[test]
fn a_single_clip_keeps_the_rate_within_five_percent() {
    let (device, backend) = (Device::new(), Backend::start());
    // 3 MB are 4 MB of base64: 8 s at 500 kB/s.
    device.big_clip(3_000_000);
    let start = Instant::now();
    Service::once(&device, &backend)
        .env("SYNC_MAX_RATE_KBPS", "500")
        .env("SYNC_COMPRESSION", "none")
        .run()
        .exits(0);
    let rate = 4_000_000.0 / start.elapsed().as_secs_f64() / 1_000.0;
    // Never faster; a loaded machine may make it slower.
    assert!((400.0..=525.0).contains(&rate), "{rate} kB/s");
}
