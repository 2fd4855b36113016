//! Real `sync-service` at receivers on PostgreSQL and a bucket, one after the other, as when they are exchanged for newer ones.

use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::on_s3::{Bucket, video};
use crate::support::device::{Balancer, Device};
use crate::support::postgres::{Database, ask};
use crate::support::{Receiver, sha256, wait_until};

const SHORT_BYTES: usize = 90_000;
const LONG_BYTES: usize = 20_000_000;

/// How often a route was asked.
fn requests(receiver: &Receiver, route: &str) -> u64 {
    let metrics = receiver.local("GET /metrics").body;
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("receiver_http_requests_total{") && line.contains(&format!("\"{route}\"")));
    lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}

fn ids_and_dates(database: &Database, table: &str, device: &Device) -> Vec<(i64, String)> {
    let rows = format!(
        "SELECT id || ' ' || moment FROM {table} WHERE device_id = '{}' ORDER BY id",
        device.name
    );
    let rows = ask(&database.url(), &rows);
    let fields = rows.iter().map(|row| row.split_once(' ').unwrap());
    fields
        .map(|(id, date)| (id.parse().unwrap(), date.to_string()))
        .collect()
}

/// As a player asks for it: whole, from a place, and its end.
fn assert_reads(receiver: &Receiver, id: i64, clip: &[u8]) {
    let (answer, bytes) = video(receiver, id, "");
    assert_eq!((answer.status, sha256(&bytes)), (200, sha256(clip)));
    let end = clip.len();
    for (range, from, until) in [
        // Over the border of two objects, and of several.
        ("bytes=4194300-4194310".to_string(), 4_194_300, 4_194_311),
        ("bytes=3000000-15999999".to_string(), 3_000_000, 16_000_000),
        (format!("bytes={}-", end - 1000), end - 1000, end),
        ("bytes=-500".to_string(), end - 500, end),
    ] {
        let until = until.min(end);
        if from >= until {
            continue;
        }
        let (answer, bytes) = video(receiver, id, &format!("Range: {range}\r\n"));
        assert_eq!(answer.status, 206, "{range}");
        let content = format!("bytes {from}-{}/{end}", until - 1);
        assert_eq!(answer.header("content-range"), Some(content.as_str()));
        assert!(bytes == clip[from..until], "{range}");
    }
}

#[test]
#[ignore = "needs PostgreSQL and S3: scripts/test-fleet.sh"]
fn a_device_sends_batches_and_clips_while_its_receiver_is_exchanged_for_another() {
    let (database, bucket) = (Database::new(), Bucket::new());
    let url = database.url();
    let settings = [("RECEIVER_DATABASE_URL", url.as_str())];
    let mut first = bucket.receiver(&settings);
    let recordings = TempDir::new().unwrap();
    let balancer = Balancer::before(&[&first.address]);
    let mut device = Device::new(recordings.path(), 0, &balancer.address);
    // So that the long clip takes a while.
    device.set("SYNC_MAX_RATE_KBPS", "8000");
    device.record(700, Some(SHORT_BYTES));
    device.tend();
    wait_until("the backlog is sent", || device.unsent() == 0);
    let batches = requests(&first, "/api/evenements/batch");
    assert!((2..10).contains(&batches), "{batches} batches");
    // It stops in the middle of a long clip; the other one is there before.
    let second = bucket.receiver(&settings);
    device.record(1, Some(LONG_BYTES));
    wait_until("some of the clip is there", || bucket.objects().len() >= 3);
    balancer.replace(0, &second.address);
    first.signal(Signal::TERM);
    assert!(first.wait(Duration::from_secs(10)).success());
    assert_eq!(database.count("media"), 1, "it was there before the end");
    wait_until("the rest is sent", || device.unsent() == 0);
    device.record(20, Some(SHORT_BYTES));
    wait_until("all is sent", || device.unsent() == 0);
    for (table, count) in [("evenement", 721), ("media", 3)] {
        let kept = ids_and_dates(&database, table, &device);
        assert_eq!(kept.len(), count, "{table}");
        assert_eq!(device.told(table), kept, "{table}");
    }
    // What the first one had was not sent again.
    let sizes: u64 = bucket.objects().iter().map(|(_, size)| size).sum();
    assert_eq!(sizes, (LONG_BYTES + 2 * SHORT_BYTES) as u64);
    let third = bucket.receiver(&settings);
    for (id, date) in device.told("media") {
        for receiver in [&second, &third] {
            assert_reads(receiver, id, &device.clip(&date));
        }
    }
}
