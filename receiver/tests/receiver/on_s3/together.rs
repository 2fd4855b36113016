//! Two receivers on one database and one bucket: an upload goes on at whichever.

use super::moving::psql;
use super::{Bucket, variable, video};
use crate::support::tus::{creation, look, offset, patch, place, told};
use crate::support::{Client, noise, wait_until};

#[test]
#[ignore = "needs PostgreSQL and an S3 server: scripts/test-fleet.sh"]
fn an_upload_goes_on_at_whichever_receiver_though_one_is_killed() {
    let bucket = Bucket::new();
    let server = variable("SYNC_TEST_POSTGRES");
    let name = bucket.prefix().to_lowercase();
    psql(&format!("{server}/postgres"), &format!("CREATE DATABASE \"{name}\""));
    let database = format!("{server}/{name}");
    let more = [("RECEIVER_DATABASE_URL", database.as_str())];
    let mut receivers = [bucket.receiver(&more), bucket.receiver(&more)];
    let bytes = noise(30_000_000, 5);
    let key = "Idempotency-Key: a\r\n";
    let path = place(&receivers[0].ask(creation(bytes.len(), key, b"")));
    for round in 0..8_usize {
        let (one, other) = (round % 2, 1 - round % 2);
        let at = told(&receivers[one], &path);
        // One truth, whoever is asked.
        assert_eq!(told(&receivers[other], &path), at);
        let answer = receivers[one].ask(patch(&path, at, "", &bytes[at..at + 1_000_000]));
        assert_eq!(offset(&answer), at + 1_000_000);
        let wrong = receivers[other].ask(patch(&path, at, "", &bytes[at..at + 10]));
        assert_eq!(wrong.status, 409, "{wrong:?}");
        if round % 3 == 2 {
            // In the middle of the next ones: the other goes on once the lease of the dead is over.
            let mut client = Client::new(&receivers[one].address);
            let before = bucket.objects().len();
            let end = bytes.len() - 1;
            client.send(crate::support::tus::begin(
                "PATCH",
                &path,
                &format!("Upload-Offset: {}\r\n", at + 1_000_000),
                end - at - 1_000_000,
            ));
            client.send(&bytes[at + 1_000_000..at + 7_000_000]);
            wait_until("some of it is there", || bucket.objects().len() > before);
            let fresh = bucket.receiver(&more);
            drop(std::mem::replace(&mut receivers[one], fresh).kill());
            wait_until("it is let go", || look(&receivers[other], &path, "").status == 200);
            assert!(told(&receivers[other], &path) >= at + 1_000_000);
        }
    }
    let at = told(&receivers[0], &path);
    assert_eq!(receivers[1].ask(patch(&path, at, "", &bytes[at..])).status, 204);
    for receiver in &receivers {
        assert_eq!(receiver.ask(creation(bytes.len(), key, b"")).id(), 1);
        assert!(video(receiver, 1, "").1 == bytes);
    }
    wait_until("it is tidy", || {
        bucket.objects().iter().map(|(_, size)| *size).sum::<u64>() == bytes.len() as u64
    });
}
