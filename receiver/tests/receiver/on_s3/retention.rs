//! Clips leave a bucket too; one that refuses is told, and tried again.

use serde_json::Value;

use super::{Bucket, Fault};
use crate::support::{clip, database, noise, post, wait_until};

#[test]
#[ignore = "needs an S3 server: scripts/test-fleet.sh"]
fn a_bucket_that_refuses_to_delete_is_told_and_tried_again() {
    let bucket = Bucket::new();
    let receiver = bucket.receiver(&[]);
    for (key, bytes) in [("a", noise(6 << 20, 1)), ("b", noise(1000, 2))] {
        let answer = receiver.ask(post("/api/media", &format!("Idempotency-Key: {key}\r\n"), clip(&bytes)));
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let folder = receiver.kill();
    let aged = "UPDATE media SET received_at = '2020-01-01T00:00:00.000Z' WHERE id = 1";
    assert_eq!(database(folder.path()).execute(aged, []).unwrap(), 1);
    bucket.proxy.set(Fault::Busy);
    let settings = [
        ("RECEIVER_KEEP_DAYS", "30"),
        ("AWS_TIMEOUT", "1s"),
        ("AWS_CONNECT_TIMEOUT", "1s"),
    ];
    let receiver = bucket.receiver_on(folder, &settings);
    wait_until("it is told", || receiver.count("removal_trouble") == 1);
    let told = receiver.local_json("/api/retention");
    assert!(told["trouble"]["error"].is_string(), "{told}");
    assert_eq!((receiver.count("media"), bucket.videos().len()), (2, 2));
    bucket.proxy.set(Fault::None);
    wait_until("it is removed", || receiver.count("media") == 1);
    wait_until("it is told no more", || receiver.count("removal_trouble") == 0);
    assert_eq!(receiver.local_json("/api/retention")["trouble"], Value::Null);
    // All of its objects, and nothing of the other's.
    assert_eq!(bucket.videos().len(), 1);
    assert_eq!(super::video(&receiver, 2, "").1, noise(1000, 2));
}
