use std::io::Read;

use super::*;
use crate::row::Video;

fn read_all(reader: &mut ClipReader) -> std::io::Result<Vec<u8>> {
    let mut video = Vec::new();
    reader.read_to_end(&mut video).map(|_| video)
}

fn kind_of(error: std::io::Error) -> Kind {
    error.downcast::<DeviceError>().unwrap().kind
}

#[test]
fn clips_of_every_length_are_read_as_they_are() {
    for mode in ["delete", "wal"] {
        let recorder = Recorder::with_journal(mode);
        for (seed, length) in [0, 1, 100, 4_000, 4_096, 65_000, 70_000, 262_144, 1_000_000, 3_000_001]
            .into_iter()
            .enumerate()
        {
            let video = noise(length, seed as u64);
            let id = recorder.clip(&video);
            let device = recorder.device();
            let (clip, mut reader) = device.clip(id, None).unwrap().unwrap();
            assert_eq!(clip.video_len, length as u64);
            assert_eq!(clip.date, Scalar::Text("2025-12-18T17:30:00".into()));
            assert_eq!((clip.sensor_id, clip.camera), (Scalar::Integer(4), Scalar::Integer(1)));
            assert_eq!(clip.sensor_name, Scalar::Text("Caméra 1".into()));
            assert!(read_all(&mut reader).unwrap() == video, "{mode}, {length} bytes");
        }
    }
}

#[test]
fn the_pages_of_a_large_clip_are_not_kept() {
    let recorder = Recorder::new();
    let id = recorder.clip(&noise(1_000_000, 1));
    let device = recorder.device();
    let cache_size = || -> i64 {
        let size = device.conn.pragma_query_value(None, "cache_size", |row| row.get(0));
        size.unwrap()
    };
    let usual = cache_size();
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    assert_eq!(cache_size(), -128);
    read_all(&mut reader).unwrap();
    drop(reader);
    // What is written has its room again: the recorder would wait for pages that leave early.
    assert_eq!(cache_size(), usual);
}

#[test]
fn a_clip_with_a_known_date_is_described_by_the_indexes_alone() {
    let recorder = Recorder::new();
    let video = noise(2_000_000, 1);
    recorder.clip(&noise(10, 2));
    let id = recorder.clip(&video);
    let device = recorder.device();
    let date = Scalar::Text("2025-12-18T17:30:00".into());
    let columns = rows::clip_columns_from_indexes(&device.conn, &device.layout, id, Some(&date))
        .unwrap()
        .unwrap();
    assert_eq!(
        (columns.date, columns.sensor_id, columns.camera),
        (date, Scalar::Integer(4), Scalar::Integer(1))
    );
    let other = Scalar::Text("2024-01-01T00:00:00".into());
    assert!(
        rows::clip_columns_from_indexes(&device.conn, &device.layout, id, Some(&other))
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_the_recorder_writes_between_two_chunks_does_not_disturb_the_clip() {
    for mode in ["delete", "wal"] {
        let recorder = Recorder::with_journal(mode);
        let video = noise(3_000_000, 3);
        let id = recorder.clip(&video);
        let device = recorder.device();
        let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
        let mut read = Vec::new();
        let mut buffer = vec![0; 100_000];
        loop {
            let count = reader.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            read.extend_from_slice(&buffer[..count]);
            // No lock is held between two reads: with one, this would fail at once.
            recorder.conn.busy_timeout(Duration::ZERO).unwrap();
            recorder.events(10);
            recorder.clip(&noise(5_000, read.len() as u64));
        }
        assert!(read == video, "{mode}");
    }
}

#[test]
fn a_clip_that_changes_on_the_way_never_ends_well() {
    // (what the recorder does after the first chunk, what is said)
    let same_length = "UPDATE media SET video = randomblob(length(video)) WHERE id_media = ?1";
    let other_length = "UPDATE media SET video = randomblob(1500000) WHERE id_media = ?1";
    let cases = [
        (same_length, Kind::Changed),
        (other_length, Kind::Changed),
        (
            "UPDATE media SET date = '2026-01-01T00:00:00' WHERE id_media = ?1",
            Kind::Changed,
        ),
        ("DELETE FROM media WHERE id_media = ?1", Kind::Vanished),
    ];
    for mode in ["delete", "wal"] {
        for (sql, expected) in cases {
            let recorder = Recorder::with_journal(mode);
            let id = recorder.clip(&noise(2_000_000, 5));
            let device = recorder.device();
            let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
            reader.read_exact(&mut [0; 1_000]).unwrap();
            recorder.conn.execute(sql, [id]).unwrap();
            let read = read_all(&mut reader).map(|video| video.len());
            assert_eq!(kind_of(read.unwrap_err()), expected, "{mode}: {sql}");
        }
    }
}

#[test]
fn a_change_in_the_middle_alone_is_found_before_the_last_byte_leaves() {
    let recorder = Recorder::new();
    let mut video = noise(2_000_000, 7);
    let id = recorder.clip(&video);
    let device = recorder.device();
    let (clip, mut reader) = device.clip(id, None).unwrap().unwrap();
    // Far enough that the changed byte below has left already, so that only the comparison at the end can tell.
    let mut sent = vec![0; 1_000_000];
    reader.read_exact(&mut sent).unwrap();
    video[300_000] ^= 1;
    video[1_900_000] ^= 1;
    recorder
        .conn
        .execute("UPDATE media SET video = ?1 WHERE id_media = ?2", (&video, id))
        .unwrap();
    let mut rest = Vec::new();
    let error = reader.read_to_end(&mut rest).unwrap_err();
    assert_eq!(kind_of(error), Kind::Changed);
    assert!(
        (sent.len() + rest.len()) < usize::try_from(clip.video_len).unwrap(),
        "the server can't have it all"
    );
}

#[test]
fn what_is_left_is_compared_and_held_before_it_is_asked_for() {
    let recorder = Recorder::new();
    let video = noise(2_000_000, 7);
    let id = recorder.clip(&video);
    let device = recorder.device();
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    let mut read = vec![0; 1_500_000];
    reader.read_exact(&mut read).unwrap();
    recorder.events(1);
    let mut steps = 0;
    let held = reader.hold_rest(&mut || {
        steps += 1;
        false
    });
    assert!(held.unwrap());
    assert!(steps > 4, "the whole of it is read once more: {steps}");
    // Nothing of the row is needed any more.
    recorder
        .conn
        .execute("DELETE FROM media WHERE id_media = ?1", [id])
        .unwrap();
    reader.read_to_end(&mut read).unwrap();
    assert!(read == video);
}

#[test]
fn what_changed_is_found_while_the_rest_is_held_and_a_stop_ends_it() {
    for stops in [false, true] {
        let recorder = Recorder::new();
        let mut video = noise(2_000_000, 7);
        let id = recorder.clip(&video);
        let device = recorder.device();
        let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
        reader.read_exact(&mut vec![0; 1_500_000]).unwrap();
        video[300_000] ^= 1;
        recorder
            .conn
            .execute("UPDATE media SET video = ?1 WHERE id_media = ?2", (&video, id))
            .unwrap();
        let held = reader.hold_rest(&mut || stops);
        if stops {
            assert!(!held.unwrap());
        } else {
            assert_eq!(kind_of(held.unwrap_err()), Kind::Changed);
        }
    }
}

#[test]
fn a_vacuum_on_the_way_leaves_the_clip_whole_or_refused() {
    let recorder = Recorder::new();
    for seed in 0..20 {
        recorder.clip(&noise(50_000, seed));
    }
    let video = noise(2_000_000, 11);
    let id = recorder.clip(&video);
    let device = recorder.device();
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    reader.read_exact(&mut [0; 1_000]).unwrap();
    recorder
        .conn
        .execute_batch("DELETE FROM media WHERE id_media < 20; VACUUM;")
        .unwrap();
    assert_eq!(
        kind_of(read_all(&mut reader).map(|video| video.len()).unwrap_err()),
        Kind::Changed
    );
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    assert!(read_all(&mut reader).unwrap() == video);
}

#[test]
fn a_row_that_is_gone_is_none() {
    let recorder = Recorder::new();
    assert!(recorder.device().clip(1, None).unwrap().is_none());
}
