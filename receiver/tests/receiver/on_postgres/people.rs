//! People at several receivers on one database: what they follow, and who they are.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::together::two;
use crate::live::Stream;
use crate::support::postgres::Database;
use crate::support::{PASSWORD, Receiver, clip, event, noise, post, program, run, wait_until};

type Row = (String, i64);

fn store(receiver: &Receiver, number: u64) -> Row {
    if number % 5 == 4 {
        let answer = receiver.ask(post("/api/media", "", clip(&noise(500, number))));
        ("media".to_string(), answer.id())
    } else {
        let answer = receiver.ask(post("/api/evenements", "", event()));
        ("evenement".to_string(), answer.id())
    }
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn what_is_committed_through_either_is_seen_at_both_once_and_in_one_order() {
    const ROWS: u64 = 60;
    let database = Database::new();
    let receivers = two(&database);
    let streams = receivers.each_ref().map(|receiver| Stream::open(receiver, "", ""));
    let stored = Mutex::new(HashMap::new());
    let seen = std::thread::scope(|scope| {
        for writer in 0..3 {
            let (receivers, stored) = (&receivers, &stored);
            scope.spawn(move || {
                for number in (writer..ROWS).step_by(3) {
                    let row = store(&receivers[usize::from(number % 2 == 0)], number);
                    stored.lock().unwrap().insert(row, Instant::now());
                }
            });
        }
        let readers = streams.map(|mut stream| {
            scope.spawn(move || (0..ROWS).map(|_| (stream.next(), Instant::now())).collect::<Vec<_>>())
        });
        readers.map(|reader| reader.join().unwrap())
    });
    let stored = stored.into_inner().unwrap();
    let mut late: Vec<Duration> = Vec::new();
    for seen in &seen {
        let mut once: Vec<&Row> = seen.iter().map(|(row, _)| row).collect();
        once.sort();
        once.dedup();
        assert!(once.len() == seen.len() && once.iter().all(|row| stored.contains_key(*row)));
        late.extend(seen.iter().map(|(row, at)| at.saturating_duration_since(stored[row])));
    }
    let rows = |seen: &[(Row, Instant)]| seen.iter().map(|(row, _)| row.clone()).collect::<Vec<_>>();
    assert_eq!(rows(&seen[0]), rows(&seen[1]));
    late.sort();
    assert!(late[late.len() * 9 / 10] < Duration::from_secs(1), "{late:?}");
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn one_who_followed_a_receiver_that_was_killed_goes_on_at_the_other() {
    let database = Database::new();
    let [first, second] = two(&database);
    let mut stream = Stream::open(&first, "", "");
    let mut expected: Vec<Row> = (0..10).map(|number| store(&first, number)).collect();
    let mut seen: Vec<Row> = (0..7).map(|_| stream.next()).collect();
    let last = stream.last.clone();
    let folder = first.kill();
    expected.extend((10..20).map(|number| store(&second, number)));
    let mut stream = Stream::open(&second, "", &format!("Last-Event-ID: {last}\r\n"));
    seen.extend((0..13).map(|_| stream.next()));
    // And back, to one that has started again.
    let url = database.url();
    let first = Receiver::on(folder, &[("RECEIVER_DATABASE_URL", &url)]);
    let last = stream.last.clone();
    drop(stream);
    expected.push(store(&second, 20));
    let mut stream = Stream::open(&first, &format!("?after={last}"), "");
    expected.push(store(&first, 21));
    seen.extend((0..2).map(|_| stream.next()));
    assert_eq!(seen, expected);
}

fn command(database: &Database, arguments: &[&str], input: &str) -> String {
    let url = database.url();
    let output = run(program().args(arguments).env("RECEIVER_DATABASE_URL", url), input);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn people_and_tokens_are_the_same_at_both() {
    let database = Database::new();
    // Before any receiver was there.
    command(&database, &["user", "add", "anna", "--admin"], &format!("{PASSWORD}\n"));
    assert!(command(&database, &["user", "list"], "").contains("anna"));
    let [first, second] = two(&database);
    let at = |receiver: &Receiver, request: &str, cookie: &str| {
        receiver
            .ask(format!(
                "{request} HTTP/1.1\r\nHost: receiver\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n"
            ))
            .status
    };
    let cookie = first.sign_in("anna").cookie;
    for receiver in [&first, &second, &first] {
        assert_eq!(at(receiver, "GET /api/me", &cookie), 200);
    }
    assert_eq!(at(&second, "DELETE /api/session", &cookie), 204);
    assert_eq!(at(&first, "GET /api/me", &cookie), 401);
    // Guesses at one are counted at the other.
    let guess = || second.sign_in_answer("anna", "wrong password", "").status;
    // The pauses double: even a slow machine comes within one.
    assert_eq!((0..12).map(|_| guess()).find(|status| *status != 401), Some(429));
    assert_eq!(first.sign_in_answer("anna", PASSWORD, "").status, 429);

    let token = command(&database, &["token", "add", "raspberry-1"], "");
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    for receiver in [&first, &second] {
        let status = |headers: &str| receiver.ask(post("/api/evenements", headers, event())).status;
        wait_until("a token is needed", || status("") == 401);
        wait_until("the token is known", || status(&bearer) == 201);
    }
    // With another one left, a token stays needed.
    command(&database, &["token", "add", "shop-1"], "");
    let listed = command(&database, &["token", "list"], "");
    let number = listed.split_whitespace().next().unwrap();
    command(&database, &["token", "revoke", number], "");
    for receiver in [&first, &second] {
        wait_until("it is revoked", || {
            receiver.ask(post("/api/evenements", &bearer, event())).status == 401
        });
    }
}
