use super::*;
use crate::device::record::StoredRecord;
use crate::device::scalar::COLUMN_BYTES;

/// A database whose `media` is made by `sql`, with one clip of this length and the small columns behind it.
fn made(sql: &str, length: i64, values: &str) -> Recorder {
    let recorder = Recorder::new();
    recorder
        .conn
        .execute_batch(&format!(
            "DROP TABLE media; {sql}; INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (randomblob({length}), {values})"
        ))
        .unwrap();
    recorder
}

const UNTYPED: &str = "CREATE TABLE media (id_media INTEGER PRIMARY KEY, video, date, id_capteur, numero_camera)";

#[test]
fn columns_behind_a_video_are_read_as_sql_reads_them() {
    let values = [
        "'2025-12-18T17:30:00', 4, 1",
        "'Entrée', -1, 127",
        "NULL, 0, -128",
        "1766075400.5, 32768, -8388609",
        "x'41ff', 2147483648, -9223372036854775808",
        "'', 140737488355328, 1",
        "printf('%.60000c', 'x'), 1, 2",
    ];
    let first = "CREATE TABLE media (date, id_capteur, numero_camera, video, id_media INTEGER PRIMARY KEY)";
    for (place, values) in values.iter().enumerate() {
        for (sql, length) in [(UNTYPED, 0), (UNTYPED, 3_000), (UNTYPED, 1_500_000), (first, 1_500_000)] {
            let recorder = made(sql, length, values);
            let device = recorder.device();
            let mut record = StoredRecord::find(&device.conn, &device.path, 1).unwrap().unwrap();
            let read = record.values(device.layout.media_columns).unwrap();
            let sql = rows::clip_columns(&device.conn, &device.layout, 1).unwrap();
            assert_eq!(rows::ClipColumns::from(read), sql, "{place}, {length}: {values}");
        }
    }
}

#[test]
fn columns_of_a_database_in_utf_16_and_columns_that_were_added_later_are_read() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("surveillance.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(&format!(
            "PRAGMA encoding = '{encoding}';
             CREATE TABLE capteur (id_capteur INTEGER PRIMARY KEY, nom_capteur, etat_capteur);
             CREATE TABLE evenement (id_evenement INTEGER PRIMARY KEY, date, id_capteur);
             CREATE TABLE media (id_media INTEGER PRIMARY KEY, video, date, id_capteur);
             INSERT INTO media (video, date, id_capteur) VALUES (randomblob(1000000), 'été 2025', 4);
             ALTER TABLE media ADD COLUMN numero_camera INTEGER NOT NULL DEFAULT 2;"
        ))
        .unwrap();
        let device = Found::open(&path).unwrap().set_up().unwrap();
        let (clip, _) = device.clip(1, None).unwrap().unwrap();
        assert_eq!(clip.date, Scalar::Text("été 2025".into()), "{encoding}");
        assert_eq!((clip.sensor_id, clip.camera), (Scalar::Integer(4), Scalar::Integer(2)));
    }
}

#[test]
fn a_column_that_is_too_long_is_refused_without_being_read() {
    let recorder = made(UNTYPED, 1_000_000, "printf('%.70000c', 'x'), 4, 1");
    let device = recorder.device();
    let error = device.clip(1, None).map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Row);
    assert!(
        error.message.contains("`date` fait 70000 octets") && error.message.contains(&COLUMN_BYTES.to_string()),
        "{error}"
    );
}

#[test]
fn no_lock_is_held_between_the_steps_to_a_column_behind_a_video() {
    let recorder = made(UNTYPED, 3_000_000, "'2025-12-18T17:30:00', 4, 1");
    let device = recorder.device();
    let mut record = StoredRecord::find(&device.conn, &device.path, 1).unwrap().unwrap();
    recorder.conn.busy_timeout(Duration::ZERO).unwrap();
    let mut out = Vec::new();
    while !record.is_read() {
        out.clear();
        record.step(100_000, &mut out).unwrap();
        assert!(out.len() < 200_000);
        recorder.events(1);
    }
}

#[test]
fn the_date_of_a_waiting_clip_is_found_cheaply_or_not_at_all() {
    let recorder = Recorder::new();
    for (length, date) in [(10, "2025-01-01"), (3_000_000, "2025-01-02"), (10, "2025-01-03")] {
        recorder
            .conn
            .execute(
                "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (randomblob(?1), ?2, 4, 1)",
                (length, date),
            )
            .unwrap();
    }
    let date = |id: i64, thorough: bool| {
        let device = recorder.device();
        let find = if thorough { dates::thorough } else { dates::cheap };
        find(&device.conn, &device.path, &device.layout, id).unwrap()
    };
    let text = |date: &str| Some(Scalar::Text(date.into()));
    assert_eq!(
        (date(1, false), date(2, false)),
        (text("2025-01-01"), text("2025-01-02"))
    );
    recorder.conn.execute_batch("DROP INDEX idx_media_date").unwrap();
    assert_eq!((date(1, false), date(2, false)), (text("2025-01-01"), None));
    assert_eq!((date(2, true), date(9, true)), (text("2025-01-02"), None));
}
