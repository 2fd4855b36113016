//! Several receivers on one database and one folder.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::support::postgres::{Database, Line};
use crate::support::tus::{creation, patch, place, told};
use crate::support::{Answer, Receiver, clip, event, noise, post, sha256};

/// Two receivers that share a database and the places for clips.
pub fn two(database: &Database) -> [Receiver; 2] {
    two_at(&database.url())
}

fn two_at(url: &str) -> [Receiver; 2] {
    two_on(tempfile::tempdir().unwrap(), &[("RECEIVER_DATABASE_URL", url)])
}

/// The same with more settings, on a folder that may have clips.
pub fn two_with(folder: TempDir, database: &Database, more: &[(&str, &str)]) -> [Receiver; 2] {
    let url = database.url();
    two_on(folder, &[&[("RECEIVER_DATABASE_URL", url.as_str())], more].concat())
}

fn two_on(folder: TempDir, settings: &[(&str, &str)]) -> [Receiver; 2] {
    let first = Receiver::on(folder, settings);
    let folder = tempfile::tempdir().unwrap();
    for name in ["clips", "incoming"] {
        symlink(first.path().join(name), folder.path().join(name)).unwrap();
    }
    let second = Receiver::on(folder, settings);
    [first, second]
}

fn keyed(path: &str, key: &str, body: String) -> Vec<u8> {
    post(path, &format!("Idempotency-Key: \"{key}\"\r\n"), body)
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn the_same_key_has_the_same_id_from_both() {
    let database = Database::new();
    let receivers = two(&database);
    for number in 0..40 {
        let key = format!("key-{number}");
        // At the same moment, and again.
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let asked = receivers.each_ref().map(|receiver| {
                let request = if number % 4 == 0 {
                    keyed("/api/media", &key, clip(&noise(2_000, number)))
                } else {
                    keyed("/api/evenements", &key, event())
                };
                scope.spawn(move || [receiver.ask(&request), receiver.ask(&request)])
            });
            asked.into_iter().flat_map(|asked| asked.join().unwrap()).collect()
        });
        assert!(
            answers
                .iter()
                .all(|answer| answer.status == 201 && answer.body == answers[0].body),
            "{answers:?}"
        );
    }
    assert_eq!((database.count("evenement"), database.count("media")), (30, 10));
    let (clips, incoming) = receivers[0].files();
    assert_eq!((clips.len(), incoming), (10, vec![]));
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn an_upload_goes_on_at_the_other_one_whatever_starts_meanwhile() {
    let database = Database::new();
    let receivers = two(&database);
    let video = noise(600_000, 1);
    let address = place(&receivers[0].ask(creation(video.len(), "Idempotency-Key: \"k\"\r\n", &video[..100_000])));
    for (round, start) in (100_000..video.len()).step_by(100_000).enumerate() {
        let receiver = &receivers[(round + 1) % 2];
        assert_eq!(told(receiver, &address), start);
        let answer = receiver.ask(patch(&address, start, "", &video[start..start + 100_000]));
        assert_eq!(answer.status, 204, "{answer:?}");
        // One that starts takes nothing of theirs for a leftover.
        let [third, fourth] = two(&database);
        assert_eq!(third.ask(keyed("/api/evenements", "e", event())).status, 201);
        drop((third, fourth));
    }
    let ids: Vec<i64> = receivers
        .iter()
        .map(|receiver| {
            receiver
                .ask(creation(video.len(), "Idempotency-Key: \"k\"\r\n", b""))
                .id()
        })
        .collect();
    assert_eq!(ids, [ids[0]; 2]);
    let (clips, incoming) = receivers[0].files();
    assert_eq!((clips.len(), incoming), (1, vec![]));
    let stored = std::fs::read(receivers[0].path().join("clips").join(&clips[0])).unwrap();
    assert_eq!(sha256(&stored), sha256(&video));
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn a_line_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let database = Database::new();
    let line = Line::at("127.0.0.1:0");
    let receivers = two_at(&database.url_at(&line.address));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(1_000));
                line.cut();
            }
        });
        let devices: Vec<_> = (0..8_u64)
            .map(|device| {
                let receivers = &receivers;
                scope.spawn(move || {
                    for number in 0..30 {
                        let key = format!("{device}-{number}");
                        let request = if number % 10 == 0 {
                            keyed("/api/media", &key, clip(&noise(50_000, device * 100 + number)))
                        } else {
                            keyed("/api/evenements", &key, event())
                        };
                        // As a device does: until it is taken, by whichever receiver.
                        let mut tries = (0..200).map(|round| receivers[round % 2].ask(&request).status);
                        assert!(tries.any(|status| status == 201), "{key} was never taken");
                    }
                })
            })
            .collect();
        let ended: Vec<_> = devices.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    assert_eq!((database.count("evenement"), database.count("media")), (8 * 27, 8 * 3));
    // Each row's clip is there. What an uncertain answer left beside them waits for its day.
    let clips = receivers[0].files().0;
    let named = crate::support::postgres::ask(&database.url(), "SELECT file FROM media");
    assert!(named.iter().all(|name| clips.contains(name)), "{named:?} {clips:?}");
}
