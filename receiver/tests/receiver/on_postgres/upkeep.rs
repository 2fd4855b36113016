//! What one of several receivers does at a time: the one that does it dies, another goes on.

use rustix::process::Signal;

use super::together::two_with;
use crate::support::hook::Hook;
use crate::support::postgres::{Database, Line, ask};
use crate::support::{Receiver, clip, noise, post, wait_until};

const CLIPS: i64 = 2_000;

fn metrics(receiver: &Receiver) -> String {
    receiver.local("GET /metrics").body
}

fn leads(receiver: &Receiver, work: &str) -> bool {
    metrics(receiver).contains(&format!("receiver_leading{{work=\"{work}\"}} 1\n"))
}

/// Which of the two leads; never both.
fn leader(receivers: &[Receiver; 2], work: &str) -> usize {
    let who = || receivers.each_ref().map(|receiver| leads(receiver, work));
    wait_until("somebody leads", || who() != [false, false]);
    let who = who();
    assert_ne!(who, [true, true]);
    usize::from(who[1])
}

/// Old clips with their files, as if receivers had stored them.
fn old_clips(database: &Database, receiver: &Receiver) {
    for number in 1..=CLIPS {
        std::fs::write(receiver.path().join("clips").join(format!("{number:05}.mp4")), b"video").unwrap();
    }
    let sql = format!(
        "INSERT INTO media (id, device_id, source, file, size_bytes, sha256, moment, idempotency_key, key_owner, received_at)
         SELECT i, 'raspberry-1', 's', to_char(i, 'FM00000') || '.mp4', 5, '', '2025-12-18T17:30:00', 'key-' || i, '',
                now() - interval '100 days' + i * interval '1 second' FROM generate_series(1, {CLIPS}) AS i"
    );
    ask(&database.url(), &sql);
    ask(&database.url(), "SELECT setval('media_id_seq', 100000)");
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn the_one_that_removes_is_killed_in_the_middle_and_the_other_goes_on() {
    let database = Database::new();
    let first = Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]);
    old_clips(&database, &first);
    ask(&database.url(), "UPDATE media SET pinned = true WHERE id = 1000");
    let folder = first.kill();
    let receivers = two_with(folder, &database, &[("RECEIVER_KEEP_DAYS", "30")]);
    let leader = leader(&receivers, "retention");
    wait_until("some are gone", || database.count("media") < CLIPS - 100);
    receivers[leader].signal(Signal::KILL);
    let left = database.count("media");
    assert!(left > 1, "it was done before it was killed");
    // No row that is seen is without its bytes.
    let files = receivers[0].files().0;
    let seen = ask(&database.url(), "SELECT file FROM media WHERE removing IS NULL");
    assert!(
        seen.iter().all(|file| files.contains(file)),
        "{} {}",
        seen.len(),
        files.len()
    );
    // The other one waits for the end of the lease, which is now.
    let other = &receivers[1 - leader];
    ask(&database.url(), "UPDATE lease SET until_at = now()");
    wait_until("the other one has removed the rest", || database.count("media") == 1);
    assert!(leads(other, "retention"));
    assert_eq!(receivers[0].files().0, ["01000.mp4"]);
    // Each is told once, and none comes back.
    assert_eq!(database.number("SELECT sum(rows)::bigint FROM removal"), CLIPS - 1);
    for id in [1, 999, CLIPS] {
        let answer = other.ask(post(
            "/api/media",
            &format!("Idempotency-Key: key-{id}\r\n"),
            clip(b"video"),
        ));
        assert_eq!(answer.id(), id);
    }
    assert_eq!(database.count("media"), 1);
}

fn tell(receiver: &Receiver, device: &str, free: u32) {
    let body = format!(r#"{{"version":1,"disk":{{"free_bytes":{free},"total_bytes":100}}}}"#);
    let answer = receiver.ask(format!(
        "PUT /api/devices/{device}/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn alerts_of_two_receivers_are_told_once_each_also_when_one_of_them_dies() {
    let (database, hook) = (Database::new(), Hook::new(&[]));
    let settings = [("RECEIVER_ALERT_URL", hook.url())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let receivers = two_with(tempfile::tempdir().unwrap(), &database, &settings);
    let devices: Vec<String> = (0..20).map(|number| format!("shop-{number:02}")).collect();
    for (number, device) in devices.iter().enumerate() {
        tell(&receivers[number % 2], device, 5);
    }
    // Taken and noted: one that dies between the two tells once more, as the manual says.
    let is_told = |count: usize| hook.told().len() >= count && database.count("notice") == 0;
    wait_until("all is told", || is_told(devices.len()));
    let leader = leader(&receivers, "alerts");
    receivers[leader].signal(Signal::KILL);
    let other = &receivers[1 - leader];
    devices.iter().for_each(|device| tell(other, device, 50));
    ask(&database.url(), "UPDATE lease SET until_at = now()");
    wait_until("all is over", || {
        hook.told().len() >= 2 * devices.len() && database.count("notice") == 0
    });
    let mut told = hook.told();
    told.sort();
    let lines = |state: &'static str| devices.iter().map(move |device| format!("{device} disk_low {state}"));
    let mut expected: Vec<String> = lines("begins").chain(lines("over")).collect();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn age_is_by_the_databases_clock() {
    let database = Database::new();
    let first = Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]);
    old_clips(&database, &first);
    let folder = first.kill();
    // To a database that is 40 days behind us, one clip is young that is 60 days old here.
    for sql in [
        "UPDATE media SET received_at = now() - interval '60 days' WHERE id = 1000",
        "CREATE SCHEMA behind",
        "CREATE FUNCTION behind.now() RETURNS timestamptz STABLE LANGUAGE sql
         AS $$ SELECT pg_catalog.now() - interval '40 days' $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, behind, pg_catalog', current_database()); END $$",
    ] {
        ask(&database.url(), sql);
    }
    let settings = [
        ("RECEIVER_DATABASE_URL", database.url()),
        ("RECEIVER_KEEP_DAYS", "30".to_string()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let receiver = Receiver::on(folder, &settings);
    wait_until("the others are gone", || {
        ask(&database.url(), "SELECT id FROM media WHERE id <> 1000").is_empty()
    });
    assert_eq!(ask(&database.url(), "SELECT id::text FROM media"), ["1000"]);
    assert_eq!(receiver.files().0, ["01000.mp4"]);
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn no_more_goes_for_space_where_the_answer_is_lost() {
    let (database, line) = (Database::new(), Line::at("127.0.0.1:0"));
    let receiver = Receiver::with(&[("RECEIVER_DATABASE_URL", &database.url())]);
    for number in 0..6 {
        let body = clip(&noise(1_000_000, number));
        assert_eq!(receiver.ask(post("/api/media", "", body)).status, 201);
    }
    // The first commit takes long enough for its answer to be lost.
    ask(
        &database.url(),
        "CREATE SEQUENCE times;
         CREATE FUNCTION wait_once() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('times') = 1 THEN PERFORM pg_sleep(2); END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER wait_once AFTER UPDATE OF removing ON media INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait_once()",
    );
    let url = database.url_at(&line.address);
    let settings = [("RECEIVER_DATABASE_URL", url.as_str()), ("RECEIVER_KEEP_GB", "0.003")];
    let folder = receiver.kill();
    ask(&database.url(), "DELETE FROM lease");
    let receiver = Receiver::on(folder, &settings);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait_until("clips are to go", || database.number(waits) == 1);
    line.cut();
    wait_until("some of them are gone", || database.count("media") <= 3);
    // What it found to do then is done when it has looked twice more.
    let looked = "SELECT max(query_start) FROM pg_stat_activity
                  WHERE datname = current_database() AND query LIKE '%ORDER BY id LIMIT%' AND pid <> pg_backend_pid()";
    for _ in 0..2 {
        let before = ask(&database.url(), looked);
        wait_until("it looks again", || ask(&database.url(), looked) > before);
    }
    assert_eq!((database.count("media"), receiver.files().0.len()), (3, 3));
}
