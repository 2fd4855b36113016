//! The built receiver on a database that does something else with a row than it was told.

use rusqlite::Connection;
use tempfile::TempDir;

use super::play;
use super::receiver::start;

/// Three devices with two events and a clip each; the second event of one of them, or its clip, meets with `fate`.
fn play_with(table: &str, number: u32, fate: &str) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let (_running, address) = start("127.0.0.1:0", folder.path());
    let database = Connection::open(folder.path().join("receiver.db")).unwrap();
    let trigger = format!(
        "CREATE TRIGGER fate AFTER INSERT ON {table} WHEN NEW.device_id = 'fleet-00001' AND NEW.date LIKE '%.00000{number}' \
         BEGIN {fate}; END"
    );
    database.execute_batch(&trigger).unwrap();
    let work = [
        "--devices",
        "3",
        "--seconds",
        "0",
        "--backlog-events",
        "2",
        "--backlog-clips",
        "1",
    ];
    play(&format!("http://{address}"), &work)
}

#[test]
fn a_row_that_its_database_lost_is_missing() {
    let (status, text) = play_with("evenement", 1, "DELETE FROM evenement WHERE id = NEW.id");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("events: 6; missing 1, doubled 0"), "{text}");
    assert!(
        text.contains("clips: 3; missing 0") && text.contains("clips read back: 3 whole"),
        "{text}"
    );
    let (status, text) = play_with("media", 0, "DELETE FROM media WHERE id = NEW.id");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("clips: 3; missing 1, doubled 0"), "{text}");
}

#[test]
fn a_row_that_its_database_has_twice_is_doubled() {
    let columns = "date, capteur_id, capteur_nom, capteur_etat, device_id, source";
    let twice = format!("INSERT INTO evenement ({columns}) SELECT {columns} FROM evenement WHERE id = NEW.id");
    let (status, text) = play_with("evenement", 1, &twice);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("events: 6; missing 0, doubled 1"), "{text}");
}

#[test]
fn a_row_that_its_database_changed_is_not_what_was_sent() {
    for change in ["capteur_etat = 9", "capteur_id = '1'", "date = '2025-12-18'"] {
        let (status, text) = play_with(
            "evenement",
            1,
            &format!("UPDATE evenement SET {change} WHERE id = NEW.id"),
        );
        assert_eq!(status, 1, "{change}: {text}");
        assert!(
            text.contains("events: 6; missing 1, doubled 0, under another id 0, never sent 1"),
            "{change}: {text}"
        );
    }
    let (status, text) = play_with("media", 0, "UPDATE media SET numero_camera = 9 WHERE id = NEW.id");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("clips: 3; missing 1"), "{text}");
}

#[test]
fn a_clip_whose_bytes_are_not_all_there_is_not_whole() {
    let (status, text) = play_with(
        "media",
        0,
        "UPDATE media SET size_bytes = size_bytes - 1 WHERE id = NEW.id",
    );
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("clips: 3; missing 0, doubled 0"), "{text}");
    assert!(
        text.contains("clips read back: 2 whole") && text.contains(" 1 not, 0 not any more"),
        "{text}"
    );
}
