//! Clips that are read on from where an earlier reader was.

use std::io::Read;

use ring::digest::{SHA256, digest};
use rusqlite::limits::Limit;

use super::*;
use crate::row::Video;

const MODES: [&str; 2] = ["delete", "wal"];

/// Opens the clip, and reads on from the last place up to `most`; the place, and what was read up to `until`.
fn read_on(device: &Device, id: i64, most: u64, until: usize) -> (u64, std::io::Result<Vec<u8>>, [u8; 32]) {
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    let place = reader.go_back(most).unwrap();
    let mut read = vec![0; until - usize::try_from(place).unwrap()];
    let result = reader.read_exact(&mut read).map(|()| read);
    (place, result, reader.sha256())
}

fn sum(video: &[u8]) -> [u8; 32] {
    digest(&SHA256, video).as_ref().try_into().unwrap()
}

/// Writes over one byte and nothing else: the row keeps its pages.
fn flip(recorder: &Recorder, id: i64, video: &mut [u8], at: usize) {
    video[at] ^= 1;
    let update = "UPDATE media SET video = ?1 WHERE id_media = ?2";
    recorder.conn.execute(update, (&*video, id)).unwrap();
}

#[test]
fn a_later_reader_goes_on_where_an_earlier_one_was() {
    for mode in MODES {
        for disturbed in [false, true] {
            let recorder = Recorder::with_journal(mode);
            let video = noise(3_000_000, 1);
            let id = recorder.clip(&video);
            let device = recorder.device();
            let (place, read, hash) = read_on(&device, id, 2_000_000, 2_500_000);
            assert_eq!((place, hash), (0, sum(&video[..2_500_000])));
            assert!(read.unwrap() == video[..2_500_000]);
            for most in [2_400_000, 1_700_000, 1_650_000, 2_000_000, 2_999_999] {
                if disturbed {
                    recorder.events(10);
                    recorder.clip(&noise(5_000, most));
                }
                let (place, read, hash) = read_on(&device, id, most, video.len());
                assert!(
                    (most.min(2_500_000) - 400_000..=most).contains(&place),
                    "{most}: {place}"
                );
                let from = usize::try_from(place).unwrap();
                assert!(read.unwrap() == video[from..] && hash == sum(&video), "{mode} {most}");
            }
        }
    }
}

#[test]
fn what_changed_before_the_place_is_found_before_the_last_byte_leaves() {
    for mode in MODES {
        for ours in [false, true] {
            let recorder = Recorder::with_journal(mode);
            let mut video = noise(3_000_000, 2);
            let id = recorder.clip(&video);
            let device = recorder.device();
            let (_, read, _) = read_on(&device, id, 0, 2_000_000);
            read.unwrap();
            if ours {
                // Through our own connection, of which `data_version` does not tell.
                device.conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, 10_000_000).unwrap();
                video[300_000] ^= 1;
                let update = "UPDATE media SET video = ?1 WHERE id_media = ?2";
                device.conn.execute(update, (&video, id)).unwrap();
            } else {
                flip(&recorder, id, &mut video, 300_000);
            }
            let (place, read, _) = read_on(&device, id, 1_500_000, video.len());
            assert!(place > 1_000_000, "{place}");
            let error = read.unwrap_err().downcast::<DeviceError>().unwrap();
            assert_eq!(error.kind, Kind::Changed, "{mode} {ours}");
            // From its start, it is what it is now.
            let (place, read, hash) = read_on(&device, id, 1_500_000, video.len());
            assert_eq!((place, hash), (0, sum(&video)));
            assert!(read.unwrap() == video);
        }
    }
}

#[test]
fn a_change_while_an_earlier_reader_read_is_found_by_the_later_one() {
    let recorder = Recorder::new();
    let mut video = noise(3_000_000, 3);
    let id = recorder.clip(&video);
    let device = recorder.device();
    let (_, mut reader) = device.clip(id, None).unwrap().unwrap();
    reader.go_back(0).unwrap();
    reader.read_exact(&mut vec![0; 1_000_000]).unwrap();
    flip(&recorder, id, &mut video, 300_000);
    reader.read_exact(&mut vec![0; 1_000_000]).unwrap();
    drop(reader);
    let (place, read, _) = read_on(&device, id, 1_900_000, video.len());
    assert!(place > 1_500_000, "{place}");
    assert!(read.is_err());
}

#[test]
fn another_row_or_other_pages_are_read_from_the_start() {
    let vacuum = "DELETE FROM media WHERE id_media < 20; VACUUM";
    let other_length = "UPDATE media SET video = randomblob(2999999) WHERE id_media = 20";
    let other_beginning = "UPDATE media SET video = randomblob(3000000) WHERE id_media = 20";
    let replaced = "CREATE TEMP TABLE kept AS SELECT * FROM media WHERE id_media = 20; DELETE FROM media;
        INSERT INTO media SELECT id_media, video, '2026-01-01T00:00:00', id_capteur, numero_camera FROM kept";
    for mode in MODES {
        for change in [vacuum, other_length, other_beginning, replaced] {
            let recorder = Recorder::with_journal(mode);
            for seed in 1..20 {
                recorder.clip(&noise(50_000, seed));
            }
            let id = recorder.clip(&noise(3_000_000, 1));
            let device = recorder.device();
            read_on(&device, id, 0, 2_500_000).1.unwrap();
            recorder.conn.execute_batch(change).unwrap();
            let now: Vec<u8> = recorder
                .conn
                .query_row("SELECT video FROM media WHERE id_media = ?1", [id], |row| row.get(0))
                .unwrap();
            let (place, read, hash) = read_on(&device, id, 2_000_000, now.len());
            assert_eq!((place, hash), (0, sum(&now)), "{mode} {change}");
            assert!(read.unwrap() == now, "{mode} {change}");
        }
        // One clip's places are not another's.
        let recorder = Recorder::with_journal(mode);
        let (one, other) = (recorder.clip(&noise(3_000_000, 1)), recorder.clip(&noise(3_000_000, 2)));
        let device = recorder.device();
        read_on(&device, one, 0, 2_500_000).1.unwrap();
        assert_eq!(read_on(&device, other, 2_000_000, 2_500_000).0, 0);
        assert_eq!(read_on(&device, one, 2_000_000, 2_500_000).0, 0);
    }
}

#[test]
fn a_short_clip_is_hashed_from_its_start() {
    let recorder = Recorder::new();
    let video = noise(20_000, 4);
    let id = recorder.clip(&video);
    let device = recorder.device();
    for _ in 0..2 {
        let (place, read, hash) = read_on(&device, id, 15_000, 15_000);
        assert_eq!((place, hash), (0, sum(&video[..15_000])));
        assert!(read.unwrap() == video[..15_000]);
    }
}

#[test]
fn what_is_kept_of_a_long_clip_does_not_grow() {
    let recorder = Recorder::new();
    let video = noise(24_000_000, 5);
    let id = recorder.clip(&video);
    let device = recorder.device();
    read_on(&device, id, 0, 23_000_000).1.unwrap();
    assert!(read_on(&device, id, 9_000_000, 9_100_000).0 > 8_500_000);
    read_on(&device, id, 9_000_000, 23_000_000).1.unwrap();
    // Before the oldest place that is kept.
    assert_eq!(read_on(&device, id, 4_000_000, 4_000_000).0, 0);
}

#[test]
fn columns_that_no_index_has_are_compared_with_those_of_the_earlier_reader() {
    let recorder = Recorder::new();
    let no_indexes = "DROP INDEX idx_media_date; DROP INDEX idx_media_capteur; DROP INDEX idx_media_camera";
    recorder.conn.execute_batch(no_indexes).unwrap();
    let video = noise(3_000_000, 6);
    let id = recorder.clip(&video);
    let device = recorder.device();
    read_on(&device, id, 0, 2_500_000).1.unwrap();
    let (place, read, _) = read_on(&device, id, 2_000_000, video.len());
    assert!(place > 1_500_000 && read.unwrap() == video[usize::try_from(place).unwrap()..]);
    // As long as before, behind the video.
    let update = "UPDATE media SET date = '2026-12-18T17:30:00' WHERE id_media = ?1";
    recorder.conn.execute(update, [id]).unwrap();
    let (place, read, _) = read_on(&device, id, 2_000_000, video.len());
    assert!(place > 1_500_000 && read.is_err());
    let (clip, _) = device.clip(id, None).unwrap().unwrap();
    assert_eq!(clip.date, Scalar::Text("2026-12-18T17:30:00".into()));
}
