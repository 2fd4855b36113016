//! What is stored, followed as it is committed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Client, Receiver, clip, event, post, wait_until};

/// A stream of server-sent events, read line by line.
pub struct Stream {
    client: Client,
    pub last: String,
}

impl Stream {
    pub fn open(receiver: &Receiver, query: &str, headers: &str) -> Self {
        let mut client = receiver.client();
        client.send(format!(
            "GET /api/live{query} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            receiver.address
        ));
        let mut stream = Self {
            client,
            last: String::new(),
        };
        let status = stream.client.line();
        assert!(status.contains("200"), "{status}");
        let mut headers = String::new();
        loop {
            let line = stream.client.line();
            if line.is_empty() {
                break;
            }
            headers += &format!("{line}\n");
        }
        for wanted in [
            "content-type: text/event-stream",
            "x-accel-buffering: no",
            "cache-control: no-store",
        ] {
            assert!(headers.contains(wanted), "{headers}");
        }
        assert_eq!(stream.next().0, "hello");
        stream
    }

    /// Whether it has ended; takes what has come before that.
    pub fn is_over(&mut self) -> bool {
        self.client.is_over()
    }

    /// The next event: its kind, and the id of its row.
    pub fn next(&mut self) -> (String, i64) {
        let (mut kind, mut id) = (String::new(), 0);
        let mut empty = 0;
        loop {
            let line = self.client.line();
            // Of one that is over nothing else is read.
            empty = if line.is_empty() { empty + 1 } else { 0 };
            assert!(empty < 100, "the stream is over");
            if let Some(text) = line.strip_prefix("event: ") {
                kind = text.to_string();
            } else if let Some(text) = line.strip_prefix("id: ") {
                self.last = text.to_string();
            } else if let Some(text) = line.strip_prefix("data: ") {
                let row: serde_json::Value = serde_json::from_str(text).unwrap();
                id = row["id"].as_i64().unwrap_or(0);
                return (kind, id);
            } else {
                // Chunk lengths, comments and `retry`.
                let _ = id;
            }
        }
    }
}

fn store_event(receiver: &Receiver) -> i64 {
    receiver.ask(post("/api/evenements", "", event())).id()
}

#[test]
fn what_is_stored_is_seen_within_a_second_in_order_and_once() {
    let receiver = Receiver::start();
    store_event(&receiver);
    let mut stream = Stream::open(&receiver, "", "");
    let start = Instant::now();
    let mut expected = Vec::new();
    for number in 0..20 {
        if number % 5 == 4 {
            expected.push((
                "media".to_string(),
                receiver.ask(post("/api/media", "", clip(b"x"))).id(),
            ));
        } else {
            expected.push(("evenement".to_string(), store_event(&receiver)));
        }
    }
    let seen: Vec<_> = (0..20).map(|_| stream.next()).collect();
    assert_eq!(seen, expected);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn the_order_is_that_of_the_commits_whatever_the_clock_did() {
    let receiver = Receiver::start();
    let mut expected = Vec::new();
    for number in 0..9 {
        if number % 3 == 1 {
            let id = receiver.ask(post("/api/media", "", clip(b"x"))).id();
            expected.push(("media".to_string(), id));
        } else {
            expected.push(("evenement".to_string(), store_event(&receiver)));
        }
    }
    // Two in one millisecond, and a clock that goes back.
    let clocks = "UPDATE evenement SET received_at = '2026-11-20T10:00:00.000Z';
        UPDATE media SET received_at = '2026-11-20T10:00:00.000Z' WHERE id = 1;
        UPDATE media SET received_at = '2026-11-20T09:00:00.000Z' WHERE id = 2;
        UPDATE media SET received_at = '2026-11-20T11:00:00.000Z' WHERE id = 3;";
    receiver.database().execute_batch(clocks).unwrap();
    let mut stream = Stream::open(&receiver, "?after=0.0", "");
    let seen: Vec<_> = (0..9).map(|_| stream.next()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn one_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let receiver = Receiver::start();
    let mut stream = Stream::open(&receiver, "", "");
    let first = store_event(&receiver);
    assert_eq!(stream.next(), ("evenement".into(), first));
    let last = stream.last.clone();
    drop(stream);
    let missed: Vec<_> = (0..250).map(|_| store_event(&receiver)).collect();
    // By the browser's header, by the page's query, and the header wins.
    for (query, headers) in [
        (String::new(), format!("Last-Event-ID: {last}\r\n")),
        (format!("?after={last}"), String::new()),
        ("?after=99.99".to_string(), format!("Last-Event-ID: {last}\r\n")),
    ] {
        let mut stream = Stream::open(&receiver, &query, &headers);
        let seen: Vec<_> = missed.iter().map(|_| stream.next().1).collect();
        assert_eq!(seen, missed);
    }
    // After the receiver's death too.
    let folder = receiver.kill();
    let receiver = Receiver::on(folder, &[]);
    let mut stream = Stream::open(&receiver, &format!("?after={last}"), "");
    assert_eq!(stream.next().1, missed[0]);
    let wrong = receiver.local("GET /api/live?after=x");
    assert_eq!(wrong.status, 400);
}

#[test]
fn a_row_that_another_program_commits_is_seen_too() {
    let receiver = Receiver::start();
    let mut stream = Stream::open(&receiver, "", "");
    receiver
        .database()
        .execute(
            "INSERT INTO evenement (date, device_id, source) VALUES ('2025-12-18T10:00:00', 'a', 's')",
            [],
        )
        .unwrap();
    assert_eq!(stream.next(), ("evenement".into(), 1));
}

#[test]
fn a_clock_that_goes_back_loses_nothing_to_one_that_comes_back() {
    let receiver = Receiver::start();
    receiver
        .database()
        .execute_batch(
            "INSERT INTO evenement (date, device_id, source, received_at) VALUES
             ('2025-12-18T10:00:00', 'a', 's', '2025-12-18T10:00:05.000Z'),
             ('2025-12-18T10:00:00', 'a', 's', '2025-12-18T10:00:01.000Z'),
             ('2025-12-18T10:00:00', 'a', 's', '2025-12-18T10:00:09.000Z')",
        )
        .unwrap();
    for first in 1..=3 {
        let mut stream = Stream::open(&receiver, "?after=0.0", "");
        let mut seen: Vec<_> = (0..first).map(|_| stream.next().1).collect();
        let last = stream.last.clone();
        drop(stream);
        store_event(&receiver);
        let mut stream = Stream::open(&receiver, &format!("?after={last}"), "");
        seen.extend((first..=3).map(|_| stream.next().1));
        assert_eq!(seen, [1, 2, 3, 4], "broken after {first}");
        receiver
            .database()
            .execute("DELETE FROM evenement WHERE id > 3", [])
            .unwrap();
        receiver
            .database()
            .execute("UPDATE sqlite_sequence SET seq = 3", [])
            .unwrap();
    }
}

#[test]
fn a_place_in_another_database_is_gone_on_from_here_and_said() {
    let receiver = Receiver::start();
    store_event(&receiver);
    let answer = |after: &str| {
        let mut client = receiver.client();
        client.send(format!(
            "GET /api/live?after={after} HTTP/1.1\r\nHost: {}\r\n\r\n",
            receiver.address
        ));
        loop {
            let line = client.line();
            if line.starts_with("data: ") {
                return line;
            }
        }
    };
    assert_eq!(answer("c123456789.e1"), r#"data: {"missed":true}"#);
    assert_eq!(answer("99999999999999999999.1"), r#"data: {"missed":true}"#);
    // Of this one before it was put back from a backup.
    assert_eq!(answer("2.0"), r#"data: {"missed":true}"#);
    assert_eq!(answer("1.1"), r#"data: {"missed":true}"#);
    assert_eq!(answer("1.0"), r#"data: {"missed":false}"#);
    assert_eq!(answer("0.0"), r#"data: {"missed":false}"#);
}

#[test]
fn a_tab_that_is_ahead_of_a_database_from_a_backup_is_told_what_comes() {
    let receiver = Receiver::start();
    store_event(&receiver);
    receiver
        .database()
        .execute("VACUUM INTO ?1", [receiver.path().join("backup.db").to_str().unwrap()])
        .unwrap();
    let mut stream = Stream::open(&receiver, "?after=0.0", "");
    let lost: Vec<_> = (0..3).map(|_| store_event(&receiver)).collect();
    assert_eq!((0..4).map(|_| stream.next().1).last(), lost.last().copied());
    let last = stream.last.clone();
    drop(stream);
    let folder = receiver.kill();
    std::fs::rename(folder.path().join("backup.db"), folder.path().join("receiver.db")).unwrap();
    for beside in ["receiver.db-wal", "receiver.db-shm"] {
        std::fs::remove_file(folder.path().join(beside)).unwrap();
    }
    let receiver = Receiver::on(folder, &[]);
    let mut stream = Stream::open(&receiver, "", &format!("Last-Event-ID: {last}\r\n"));
    let stored = store_event(&receiver);
    assert!(lost.contains(&stored));
    assert_eq!(stream.next(), ("evenement".into(), stored));
}

#[test]
fn one_follows_only_ones_own_devices() {
    let receiver = Receiver::start();
    receiver.add_person("shops", &["--devices", "shop-*"]);
    let shops = receiver.sign_in("shops");
    let mut stream = Stream::open(&receiver, "", &format!("Cookie: {}\r\n", shops.cookie));
    for device in ["home", "shop-1", "home", "shop-2"] {
        let body = event().replace("raspberry-1", device);
        assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 201);
    }
    assert_eq!((stream.next().1, stream.next().1), (2, 4));
}

#[test]
fn a_reader_that_does_not_read_costs_nothing_and_a_stop_ends_every_stream() {
    let mut receiver = Receiver::start();
    let before = receiver.peak_kb();
    let readers: Vec<Stream> = (0..20).map(|_| Stream::open(&receiver, "", "")).collect();
    // More than any socket holds, for each of them; of the names, which may be a million long, a start is told.
    receiver
        .database()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
             INSERT INTO evenement (date, capteur_nom, device_id, source)
             SELECT '2025-12-18T10:00:00', printf('%.*c', iif(i < 5, 900000, 900), 'x'), 'a', 's' FROM n",
        )
        .unwrap();
    let mut fast = Stream::open(&receiver, "?after=0.0", "");
    while fast.next().1 < 4000 {}
    let grown = receiver.peak_kb() - before;
    assert!(grown < 60_000, "{grown} KB");
    let start = Instant::now();
    receiver.signal(Signal::TERM);
    assert!(receiver.wait(Duration::from_secs(5)).success());
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(readers);
}

#[test]
fn one_who_may_no_longer_read_is_no_longer_told() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &[]);
    let anna = receiver.sign_in("anna");
    let headers = format!("Cookie: {}\r\nConnection: close\r\n", anna.cookie);
    let mut stream = Stream::open(&receiver, "", &headers);
    assert!(receiver.command(&["user", "remove", "anna"], "").status.success());
    let end = Instant::now() + Duration::from_secs(20);
    while !stream.is_over() {
        assert!(Instant::now() < end, "still told");
        store_event(&receiver);
    }
}

#[test]
fn a_quiet_stream_says_that_it_is_alive_and_where_it_is() {
    let receiver = Receiver::start();
    let mut stream = Stream::open(&receiver, "", "");
    store_event(&receiver);
    assert_eq!(stream.next().0, "evenement");
    let last = stream.last.clone();
    assert_eq!(stream.next().0, "alive");
    assert_eq!(stream.last, last);
}

#[test]
fn one_person_takes_not_everybodys_places() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &[]);
    let (anna, ben) = (receiver.sign_in("anna"), receiver.sign_in("ben"));
    let open = |cookie: &str| Stream::open(&receiver, "", &format!("Cookie: {cookie}\r\n"));
    let mut streams: Vec<_> = (0..32).map(|_| open(&anna.cookie)).collect();
    let refused = anna.get("/api/live");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("30")),
        "{refused:?}"
    );
    drop(open(&ben.cookie));
    streams.pop();
    let status = || {
        let mut client = receiver.client();
        client.send(format!(
            "GET /api/live HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\n\r\n",
            anna.cookie
        ));
        client.line()
    };
    wait_until("there is a place again", || status().contains("200"));
}
