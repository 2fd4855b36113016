//! Our own trouble is a 503 that leaves nothing, and is over when it is over.

use tempfile::TempDir;

use crate::support::tus::{UPLOADS, metadata_of, request};
use crate::support::{Receiver, clip, event, noise, post, program, wait_until};

const READY: &str = "GET /ready HTTP/1.1\r\nHost: receiver\r\n\r\n";

/// A receiver whose files can't grow beyond `blocks` of 512 bytes: as on a full disk, writing fails.
fn on_a_small_disk(blocks: u64) -> Receiver {
    let mut command = std::process::Command::new("sh");
    // Ignored, the signal that comes with it becomes an error, also in what the shell becomes.
    command.env_clear().arg("-c").arg(format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec {}",
        program().get_program().to_str().unwrap()
    ));
    Receiver::run(TempDir::new().unwrap(), command)
}

#[test]
fn a_clip_that_finds_no_room_is_503_and_leaves_nothing() {
    let receiver = on_a_small_disk(2_000);
    for body in [clip(&noise(2 << 20, 1)), clip(&noise(9 << 20, 2))] {
        let answer = receiver.ask(post("/api/media", "Idempotency-Key: a\r\n", body));
        assert_eq!(answer.status, 503);
        // Where our files are is none of a device's business.
        assert!(!answer.error().contains('/'), "{}", answer.error());
        assert!(receiver.holds_nothing());
    }
    // The same key, smaller: nothing of it was kept.
    let answer = receiver.ask(post("/api/media", "Idempotency-Key: a\r\n", clip(b"fits")));
    assert_eq!(answer.id(), 1);
    assert_eq!(receiver.ask(READY).status, 200);
}

#[test]
fn a_row_that_finds_no_room_is_503_and_leaves_nothing() {
    let receiver = on_a_small_disk(900);
    let long = event().replace("PIR Entrée", &"n".repeat(900_000));
    let answer = receiver.ask(post("/api/evenements", "Idempotency-Key: a\r\n", &long));
    assert_eq!(answer.status, 503, "{answer:?}");
    let body = clip(b"hello").replace("Caméra 1", &"n".repeat(900_000));
    let answer = receiver.ask(post("/api/media", "Idempotency-Key: a\r\n", body));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(receiver.holds_nothing());
    // There is room for small ones: readiness notices by writing.
    assert_eq!(receiver.ask(READY).status, 200);
    assert_eq!(
        receiver
            .ask(post("/api/evenements", "Idempotency-Key: a\r\n", event()))
            .id(),
        1
    );
}

#[test]
fn a_database_that_somebody_holds_is_503_until_it_is_let_go() {
    let receiver = Receiver::start();
    let database = receiver.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let requests = [
            READY.as_bytes().to_vec(),
            post("/api/evenements", "", event()),
            post("/api/media", "", clip(b"hello")),
        ];
        let asked = requests.map(|request| scope.spawn(|| receiver.ask(request).status));
        for status in asked {
            assert_eq!(status.join().unwrap(), 503);
        }
    });
    database.execute_batch("ROLLBACK").unwrap();
    assert!(receiver.holds_nothing());
    assert_eq!(receiver.ask(READY).status, 200);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).id(), 1);
}

/// Devices called `poison` find a trigger that refuses each of their rows.
const POISON: &str = "
CREATE TRIGGER no_event BEFORE INSERT ON evenement WHEN new.device_id = 'poison' BEGIN SELECT raise(ABORT, 'no'); END;
CREATE TRIGGER no_clip BEFORE INSERT ON media WHEN new.device_id = 'poison' BEGIN SELECT json(new.file); END;
CREATE TRIGGER no_status BEFORE INSERT ON device WHEN new.status LIKE '%poison%' BEGIN SELECT raise(FAIL, 'no'); END;
CREATE TRIGGER no_upload BEFORE INSERT ON upload WHEN new.device_id = 'poison' BEGIN SELECT raise(IGNORE); END;";

#[test]
fn what_cannot_be_stored_is_the_trouble_of_who_sent_it_alone() {
    let receiver = Receiver::start();
    let database = receiver.database();
    database.execute_batch(POISON).unwrap();
    let requests_of = |device: &str| {
        let of = |body: String| body.replace("raspberry-1", device);
        let entry = |key: &str, event: String| format!(r#"{{"key":"{device}{key}","evenement":{event}}}"#);
        // All or nothing, as ever: one of the two could be stored.
        let batch = format!("[{},{}]", entry("1", event()), entry("2", of(event())));
        let status = format!(r#"{{"version":1,"tables":{{}},"program_version":"{device}"}}"#);
        let announced = metadata_of(&of(clip(b"")).replace(r#""video_data":"","#, ""));
        [
            post("/api/evenements", "", of(event())),
            post("/api/evenements/batch", "", batch),
            post("/api/media", "", of(clip(b"hello"))),
            request("PUT", "/api/devices/any/status", "", status.as_bytes()),
            request("POST", UPLOADS, &format!("Upload-Length: 5\r\n{announced}"), b""),
        ]
    };
    let waiting = |count: usize| {
        let sample = format!("receiver_database_waiting{{used_for=\"rows\"}} {count}\n");
        wait_until("all of them wait", || {
            receiver.local("GET /metrics").body.contains(&sample)
        });
    };
    // Who comes while somebody holds the database waits alone; those after it are stored together.
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let send = |request: Vec<u8>| {
        let mut client = receiver.client();
        client.send(request);
        client
    };
    let mut first = send(post("/api/evenements", "", event()));
    waiting(1);
    let requests = ["one", "poison", "two"].map(requests_of);
    let sent = requests.map(|requests| requests.map(send));
    waiting(1 + 15);
    database.execute_batch("ROLLBACK").unwrap();
    let [one, poison, two] = sent.map(|clients| clients.map(|mut client| client.answer().status));
    assert_eq!(one, [201, 200, 201, 204, 201]);
    assert_eq!(two, one);
    assert_eq!(poison, [503; 5]);
    assert_eq!(first.answer().status, 201);
    assert_eq!(receiver.ask(READY).status, 200);
    // One alone, and three of each that could be stored; nothing of a batch of which one could not.
    let stored = ["evenement", "media", "upload"].map(|table| receiver.count(table));
    assert_eq!(stored, [7, 2, 2]);
    assert_eq!(receiver.files().0.len(), 2);
}

#[test]
fn a_folder_that_is_gone_is_503() {
    let receiver = Receiver::start();
    std::fs::remove_dir(receiver.path().join("incoming")).unwrap();
    let answer = receiver.ask(READY);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    // It serves, and says so: nothing is won by starting it again.
    assert_eq!(
        receiver.ask("GET /health HTTP/1.1\r\nHost: receiver\r\n\r\n").status,
        200
    );
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 503);
    assert_eq!(receiver.count("media"), 0);
    std::fs::create_dir(receiver.path().join("incoming")).unwrap();
    assert_eq!(receiver.ask(READY).status, 200);
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).id(), 1);
}
