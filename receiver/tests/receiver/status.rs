//! What devices tell of themselves.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::NamedTempFile;

use crate::support::Receiver;

fn put(device: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!(
        "PUT /api/devices/{device}/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

fn status(events: u64, clips: u64) -> String {
    format!(
        r#"{{"version":1,"tables":{{"evenement":{{"waiting":{events},"failed":1}},"media":{{"waiting":{clips}}}}},"later":[1]}}"#
    )
}

type Row = (String, String, Option<i64>, i64);

fn devices(receiver: &Receiver) -> Vec<Row> {
    let database = receiver.database();
    let mut query = database
        .prepare("SELECT device_id, status, clock_ahead_ms, unixepoch('now') - unixepoch(received_at) FROM device ORDER BY 1")
        .unwrap();
    let rows = query.query_map([], |row| row.try_into());
    rows.unwrap().map(Result::unwrap).collect()
}

fn backlogs(receiver: &Receiver) -> Vec<(String, i64, i64)> {
    let database = receiver.database();
    let mut query = database
        .prepare("SELECT device_id, quarter, most_rows FROM device_backlog ORDER BY 1, 2")
        .unwrap();
    let rows = query.query_map([], |row| row.try_into());
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_latest_of_each_device_is_kept() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (device, body) in [
        ("pi", status(5, 2)),
        ("b%2Fack%20d%C3%A9", status(0, 0)),
        ("pi", status(3, 1)),
    ] {
        let answer = client.ask(put(device, "", body));
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        assert_eq!(answer.header("sync-extensions"), Some("batch, uploads, status"));
    }
    let rows = devices(&receiver);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].0.as_str(), rows[0].1.as_str()),
        ("b/ack dé", status(0, 0).as_str())
    );
    assert_eq!((rows[1].0.as_str(), rows[1].1.as_str()), ("pi", status(3, 1).as_str()));
    assert!(
        rows.iter().all(|row| row.2.is_none() && (0..60).contains(&row.3)),
        "{rows:?}"
    );
    // And another process.
    let receiver = Receiver::on(receiver.kill(), &[]);
    assert_eq!(devices(&receiver).len(), 2);
}

#[test]
fn a_quarter_of_an_hour_keeps_its_worst_backlog_and_a_day_goes_by() {
    let receiver = Receiver::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    assert_eq!(receiver.ask(put("pi", "", status(0, 0))).status, 204);
    receiver
        .database()
        .execute_batch(&format!(
            "DELETE FROM device_backlog;
             INSERT INTO device_backlog VALUES ('pi', {}, 7), ('pi', {}, 8), ('other', {}, 9)",
            now - 100_000,
            now - 40_000,
            now - 100_000
        ))
        .unwrap();
    for (events, clips) in [(5, 2), (40, 1), (3, 0)] {
        assert_eq!(receiver.ask(put("pi", "", status(events, clips))).status, 204);
    }
    let rows = backlogs(&receiver);
    // A test that began in one quarter may end in the next.
    let (kept, new): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.1 < now - 1_000);
    assert_eq!(
        kept,
        [
            ("other".to_string(), now - 100_000, 9),
            ("pi".to_string(), now - 40_000, 8)
        ]
    );
    assert!((1..=2).contains(&new.len()), "{new:?}");
    assert!(new.iter().all(|row| row.1 % 900 == 0));
    // Waiting and failed rows of both tables.
    assert_eq!(new.iter().map(|row| row.2).max(), Some(42));
}

#[test]
fn how_wrong_a_devices_clock_is_is_kept() {
    let receiver = Receiver::start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let body = format!(r#"{{"clock_unix_ms":{}}}"#, now + 90_000);
    assert_eq!(receiver.ask(put("pi", "", body)).status, 204);
    let ahead = devices(&receiver)[0].2.unwrap();
    assert!((60_000..=90_000).contains(&ahead), "{ahead}");
}

#[test]
fn what_is_no_status_is_refused() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (body, status) in [
        ("", 400),
        ("7", 400),
        (r#"{"tables":7}"#, 400),
        (r#"{"tables":{"media":{"waiting":-1}}}"#, 400),
        (&format!(r#"{{"x":"{}"}}"#, "n".repeat(4_096)), 413),
    ] {
        assert_eq!(client.ask(put("pi", "", body)).status, status, "{body}");
    }
    let packed = zstd::stream::encode_all(vec![b' '; 1 << 20].as_slice(), 1).unwrap();
    assert_eq!(client.ask(put("pi", "Content-Encoding: zstd\r\n", packed)).status, 413);
    assert_eq!(client.ask(put("%ff", "", "{}")).status, 400);
    assert_eq!(client.ask(put(&"n".repeat(300), "", "{}")).status, 400);
    assert_eq!(client.ask(put("pi/more", "", "{}")).status, 404);
    let get = "GET /api/devices/pi/status HTTP/1.1\r\nHost: receiver\r\n\r\n";
    assert_eq!(client.ask(get).status, 405);
    assert_eq!((devices(&receiver).len(), backlogs(&receiver).len()), (0, 0));
    // The longest that fits, packed.
    let body = format!(r#"{{"x":"{}"}}"#, "n".repeat(4_096 - 8));
    assert_eq!(body.len(), 4_096);
    let packed = zstd::stream::encode_all(body.as_bytes(), 1).unwrap();
    assert_eq!(client.ask(put("pi", "Content-Encoding: zstd\r\n", packed)).status, 204);
    assert_eq!(client.ask(put("pi", "", body)).status, 204);
}

#[test]
fn a_token_tells_of_its_own_device_alone() {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "raspberry-1 secret-1\nback door\tsecret-2").unwrap();
    let path = file.path().to_str().unwrap().to_string();
    let receiver = Receiver::with(&[("RECEIVER_TOKENS_FILE", &path)]);
    for (device, headers, status) in [
        ("raspberry-1", "", 401),
        ("raspberry-1", "Authorization: Bearer nobody\r\n", 401),
        ("raspberry-1", "Authorization: Bearer secret-2\r\n", 403),
        ("back%20door", "Authorization: Bearer secret-1\r\n", 403),
        ("raspberry-1", "Authorization: Bearer secret-1\r\n", 204),
        ("back%20door", "Authorization: Bearer secret-2\r\n", 204),
    ] {
        assert_eq!(
            receiver.ask(put(device, headers, "{}")).status,
            status,
            "{device} {headers}"
        );
    }
    let names: Vec<_> = devices(&receiver).into_iter().map(|row| row.0).collect();
    assert_eq!(names, ["back door", "raspberry-1"]);
}
