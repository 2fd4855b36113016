//! `kill -9` at any moment: every row has its file, every file its row, and what was answered is there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::{Client, Receiver, clip, noise, post, sha256, wait_until};

#[test]
fn a_clip_on_its_way_is_gone_at_the_next_start() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let request = post("/api/media", "Idempotency-Key: a\r\n", clip(&noise(1 << 20, 1)));
    client.send(&request[..request.len() / 2]);
    wait_until("the clip has begun", || receiver.files().1.len() == 1);
    let folder = receiver.kill();
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 1);
    let receiver = Receiver::on(folder, &[]);
    assert!(receiver.holds_nothing());
    assert_eq!(receiver.ask(request).id(), 1);
}

#[test]
fn a_clip_in_place_is_kept_with_its_row_and_removed_without() {
    let receiver = Receiver::start();
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"kept"))).id(), 1);
    let kept = receiver.files().0.remove(0);
    let folder = receiver.kill();
    let (clips, incoming) = (folder.path().join("clips"), folder.path().join("incoming"));
    // Killed after the row was committed, and before.
    std::fs::write(incoming.join(&kept), "").unwrap();
    std::fs::write(incoming.join("01.mp4"), "").unwrap();
    std::fs::write(clips.join("01.mp4"), "without a row").unwrap();
    // Killed before the file was in its place.
    std::fs::write(incoming.join("02.mp4"), "").unwrap();
    std::fs::write(incoming.join("02.part"), "whole").unwrap();
    // Somebody's own file is none of our business.
    std::fs::write(clips.join("notes.txt"), "mine").unwrap();
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.files(), (vec![kept, "notes.txt".into()], vec![]));
    assert_eq!(receiver.count("media"), 1);
}

#[test]
fn killed_while_clips_come_in_it_keeps_what_it_answered_and_nothing_half() {
    let mut receiver = Receiver::start();
    let answered = Arc::new(Mutex::new(HashSet::new()));
    let next = Arc::new(AtomicU64::new(0));
    for round in 1..=4_usize {
        let address = receiver.address.clone();
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let (address, answered, next) = (address.clone(), Arc::clone(&answered), Arc::clone(&next));
                std::thread::spawn(move || {
                    // Ends with the connection: the receiver is gone.
                    let ended = std::panic::catch_unwind(|| {
                        let mut client = Client::new(&address);
                        loop {
                            let key = next.fetch_add(1, Ordering::Relaxed);
                            let body = clip(&noise(40_000, key));
                            client
                                .ask(post("/api/media", &format!("Idempotency-Key: {key}\r\n"), body))
                                .id();
                            answered.lock().unwrap().insert(key);
                        }
                    });
                    assert!(ended.is_err());
                })
            })
            .collect();
        wait_until("some are answered", || answered.lock().unwrap().len() >= round * 25);
        let folder = receiver.kill();
        for sender in senders {
            sender.join().unwrap();
        }
        receiver = Receiver::on(folder, &[]);

        let database = receiver.database();
        let mut query = database
            .prepare("SELECT idempotency_key, file, sha256 FROM media")
            .unwrap();
        let rows: Vec<(String, String, String)> = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut files = Vec::new();
        let mut keys = HashSet::new();
        for (key, file, hash) in rows {
            let key: u64 = key.parse().unwrap();
            let bytes = std::fs::read(receiver.path().join("clips").join(&file)).unwrap();
            assert_eq!(sha256(&bytes), hash);
            assert_eq!(hash, sha256(&noise(40_000, key)));
            assert!(keys.insert(key), "{key} twice");
            files.push(file);
        }
        files.sort();
        assert_eq!(receiver.files(), (files, vec![]));
        assert!(answered.lock().unwrap().is_subset(&keys));
    }
}
