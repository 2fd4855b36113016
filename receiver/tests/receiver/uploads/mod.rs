//! Clips that go on after a break.

mod breaks;
mod crash;
mod fights;
mod keys;
mod protocol;
mod refusals;

use rusqlite::Connection;

use crate::support::{Receiver, sha256};

/// There is one clip, with these bytes, and nothing else.
fn holds_one(receiver: &Receiver, video: &[u8]) {
    let (clips, incoming) = receiver.files();
    assert_eq!((clips.len(), incoming), (1, vec![]));
    assert_eq!(
        std::fs::read(receiver.path().join("clips").join(&clips[0])).unwrap(),
        video
    );
    let row: (i64, String, String, i64, Option<String>) = receiver
        .database()
        .query_row(
            "SELECT count(*), file, sha256, size_bytes, device_id FROM media",
            [],
            |row| row.try_into(),
        )
        .unwrap();
    let expected = (1, clips[0].clone(), sha256(video), i64::try_from(video.len()).unwrap());
    assert_eq!(
        row,
        (
            expected.0,
            expected.1,
            expected.2,
            expected.3,
            Some("raspberry-1".into())
        )
    );
}

/// Uploads that are not complete.
fn on_their_way(database: &Connection) -> i64 {
    let query = "SELECT count(*) FROM upload WHERE media_id IS NULL";
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

/// How many bytes have come in, of the one clip that is on its way.
fn come(receiver: &Receiver) -> usize {
    let name = receiver.files().1.pop();
    let file = name.map(|name| receiver.path().join("incoming").join(name));
    let length = file.and_then(|file| std::fs::metadata(file).ok());
    length.map_or(0, |file| usize::try_from(file.len()).unwrap())
}
