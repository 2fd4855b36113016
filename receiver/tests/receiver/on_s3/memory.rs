//! What a clip on its way costs.

use super::{Bucket, Fault, video};
use crate::support::{clip, noise, post, tus, wait_until};

/// The promise of a clip.
const MOST_KB: u64 = 10_000;

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn fifty_clips_at_a_time_cost_ten_megabytes_each_at_most() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[("AWS_TIMEOUT", "120s")]);
    let bytes = noise(16 << 20, 1);
    // What all of them share is there.
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"first"))).id(), 1);
    let before = receiver.peak_kb();
    // Nothing goes on from the receiver, so that each clip fills all the room it may.
    bucket.proxy.set(Fault::Stall);
    let plain = post("/api/media", "", clip(&bytes));
    let raw = tus::creation(bytes.len(), "", &bytes);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..50)
            .map(|number| {
                let (receiver, request) = (&receiver, if number % 2 == 0 { &plain } else { &raw });
                scope.spawn(move || receiver.ask(request).id())
            })
            .collect();
        let mut last = (0, std::time::Instant::now());
        wait_until("every clip waits", || {
            let peak = receiver.peak_kb();
            if peak != last.0 {
                last = (peak, std::time::Instant::now());
            }
            peak > before + 50 * 4_096 && last.1.elapsed() > std::time::Duration::from_millis(500)
        });
        let waiting = receiver.peak_kb();
        bucket.proxy.set(Fault::None);
        for sender in senders {
            let id = sender.join().unwrap();
            assert!(video(&receiver, id, "").1 == bytes, "{id}");
        }
        let peak = receiver.peak_kb();
        println!(
            "50 clips of 16 MiB at a time: {} KB each while the bucket takes nothing, {} KB each at most ({before} KB before)",
            (waiting - before) / 50,
            (peak - before) / 50
        );
        assert!((peak - before) / 50 <= MOST_KB, "{} KB each", (peak - before) / 50);
    });
}
