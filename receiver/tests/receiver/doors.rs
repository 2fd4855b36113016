//! Doors that stay open for a while: sessions and their cookies, answers that last, requests that never come whole.

use std::time::{Duration, Instant};

use crate::live::Stream;
use crate::support::{Answer, PASSWORD, Receiver, clip, event, noise, post, wait_until};

const MONTH: &str = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";

/// As if the session had not been used for weeks.
fn unused_for_weeks(receiver: &Receiver) {
    let sql = "UPDATE session SET expires_at = unixepoch() + 3600";
    receiver.database().execute(sql, []).unwrap();
}

fn get(receiver: &Receiver, path: &str, headers: &str) -> Answer {
    receiver.ask(format!("GET {path} HTTP/1.1\r\nHost: receiver\r\n{headers}\r\n"))
}

#[test]
fn a_session_that_lives_on_has_its_cookie_sent_again() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    assert_eq!(anna.get("/api/me").header("set-cookie"), None);
    for path in ["/api/me", "/api/devices", "/api/evenements", "/api/media/7"] {
        unused_for_weeks(&receiver);
        let again = anna.get(path);
        let cookie = format!("{}{MONTH}", anna.cookie);
        assert_eq!(again.header("set-cookie"), Some(cookie.as_str()), "{path}");
        assert_eq!(anna.get(path).header("set-cookie"), None, "{path}");
    }
    // Who signs out is not signed in again by the same answer.
    unused_for_weeks(&receiver);
    let out = anna.ask("DELETE", "/api/session", "", "");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"), "{out:?}");
}

#[test]
fn a_cookie_that_began_behind_tls_stays_there_and_no_other_counts_there() {
    const TLS: &str = "X-Forwarded-Proto: https\r\n";
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let planted = receiver.sign_in("anna");
    let answer = receiver.sign_in_answer("anna", PASSWORD, TLS);
    let set = answer.header("set-cookie").unwrap();
    let cookie = set.split(';').next().unwrap();
    // A browser takes a cookie of this prefix over TLS alone, and from nobody but the host itself.
    assert!(cookie.starts_with("__Host-receiver_session="), "{set}");
    assert_eq!(set, format!("{cookie}{MONTH}; Secure"));
    unused_for_weeks(&receiver);
    // A page asks for its lists without `Origin`, and not every proxy says how it was asked.
    let again = get(&receiver, "/api/me", &format!("Cookie: {cookie}\r\n"));
    assert_eq!(again.header("set-cookie"), Some(set));
    let status = |headers: &str| get(&receiver, "/api/me", headers).status;
    assert_eq!(status(&format!("Cookie: {}\r\n{TLS}", planted.cookie)), 401);
    assert_eq!(status(&format!("Cookie: {}; {cookie}\r\n{TLS}", planted.cookie)), 200);
}

#[test]
fn a_stream_whose_session_is_to_live_on_ends_for_its_cookie() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    let headers = format!("Cookie: {}\r\nConnection: close\r\n", anna.cookie);
    let mut stream = Stream::open(&receiver, "", &headers);
    unused_for_weeks(&receiver);
    let end = Instant::now() + Duration::from_secs(20);
    while !stream.is_over() {
        assert!(Instant::now() < end, "still open");
    }
    assert!(anna.get("/api/me").header("set-cookie").is_some());
}

#[test]
fn a_narrowed_view_narrows_an_open_stream() {
    let receiver = Receiver::with(&[
        ("RECEIVER_PROXY_HEADER", "X-Forwarded-User"),
        ("RECEIVER_PROXY_ADDRESSES", "127.0.0.1"),
    ]);
    receiver.add_person("anna", &["--no-password"]);
    let mut stream = Stream::open(&receiver, "", "X-Forwarded-User: anna\r\n");
    let store = |device: &str| {
        receiver
            .ask(post("/api/evenements", "", event().replace("raspberry-1", device)))
            .id()
    };
    let (home, shop) = (store("home"), store("shop-1"));
    assert_eq!((stream.next().1, stream.next().1), (home, shop));
    let narrow = "UPDATE person SET devices = 'shop-*'";
    receiver.database().execute(narrow, []).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (home, shop) = (store("home"), store("shop-1"));
        let told = stream.next().1;
        if told == shop {
            break;
        }
        assert_eq!((told, stream.next().1), (home, shop));
        assert!(Instant::now() < end, "still told");
    }
}

#[test]
fn a_download_ends_with_the_right_to_it() {
    const LENGTH: usize = 60_000_000;
    let receiver = Receiver::start();
    let stored = receiver.ask(post("/api/media", "", clip(&noise(LENGTH, 1))));
    assert_eq!(stored.status, 201);
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    let mut client = receiver.client();
    client.send(format!(
        "GET /api/media/1/video HTTP/1.1\r\nHost: receiver\r\nConnection: close\r\nCookie: {}\r\n\r\n",
        anna.cookie
    ));
    assert!(client.line().contains("200"));
    assert!(receiver.command(&["user", "remove", "anna"], "").status.success());
    // As slowly as a player takes it.
    let mut got = 0;
    while let Some(bytes) = client.some(32 << 10) {
        got += bytes;
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(got < LENGTH, "all of it");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let receiver = Receiver::with(&[("RECEIVER_STALL_SECONDS", "1")]);
    let mut silent = receiver.client();
    let start = Instant::now();
    let answer = silent.ask("POST /api/session HTTP/1.1\r\nHost: receiver\r\nContent-Length: 50\r\n\r\n{\"name\":");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(silent.is_over());
    let long = receiver.ask(post("/api/session", "", "x".repeat(17 << 10)));
    assert_eq!(long.status, 413, "{long:?}");
    assert!(long.error().contains("16384"), "{long:?}");
}

#[test]
fn nothing_between_keeps_what_a_person_was_shown() {
    let receiver = Receiver::start();
    assert_eq!(
        receiver
            .ask(post("/api/media", "", clip(b"\x00\x00\x00\x20ftypisom....")))
            .status,
        201
    );
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    let cache = |path: &str| anna.get(path).header("cache-control").unwrap().to_string();
    for path in [
        "/api/me",
        "/api/devices",
        "/api/media",
        "/api/media/1",
        "/api/evenements.csv",
        "/api/media/9/video",
    ] {
        assert_eq!(cache(path), "no-store", "{path}");
    }
    let mut client = receiver.client();
    let head = format!(
        "HEAD /api/media/1/video HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\n\r\n",
        anna.cookie
    );
    assert_eq!(client.head(head).header("cache-control"), Some("private, no-cache"));
}

#[test]
fn a_page_elsewhere_stores_nothing_where_no_token_is_needed() {
    let receiver = Receiver::start();
    for site in [
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\n",
    ] {
        let answer = receiver.ask(post("/api/evenements", site, event()));
        assert_eq!(answer.status, 403, "{site} {answer:?}");
        assert_eq!(receiver.ask(post("/api/media", site, clip(b"x"))).status, 403, "{site}");
    }
    assert!(receiver.holds_nothing());
    let own = format!("Origin: http://{}\r\n", "receiver");
    assert_eq!(receiver.ask(post("/api/evenements", &own, event())).status, 201);
}

/// As on a full disk: no session can be prolonged.
const NO_ROOM: &str = "CREATE TRIGGER no_room BEFORE UPDATE ON session BEGIN SELECT raise(ABORT, 'no room'); END";

#[test]
fn who_reads_goes_on_reading_where_nothing_can_be_written() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    unused_for_weeks(&receiver);
    receiver.database().execute_batch(NO_ROOM).unwrap();
    for path in ["/api/me", "/api/devices", "/api/evenements"] {
        let answer = anna.get(path);
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{path}");
    }
    // A stream that begins so does not end for a cookie that could not be sent.
    let mut stream = Stream::open(&receiver, "", &format!("Cookie: {}\r\n", anna.cookie));
    let end = Instant::now() + Duration::from_secs(7);
    while Instant::now() < end {
        let stored = receiver.ask(post("/api/evenements", "", event())).id();
        assert_eq!(stream.next().1, stored);
    }
    receiver.database().execute_batch("DROP TRIGGER no_room").unwrap();
    wait_until("the session lives on", || {
        anna.get("/api/me").header("set-cookie").is_some()
    });
}
