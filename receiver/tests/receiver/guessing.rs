//! Who guesses passwords is slowed down, and nobody else with them.

use crate::support::{Client, PASSWORD, Receiver, post};

/// The header of a proxy on this machine.
fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

fn failures(receiver: &Receiver, subject: &str) -> i64 {
    let sql = "SELECT coalesce(sum(failures), 0) FROM sign_in_failure WHERE subject = ?1";
    receiver.database().query_row(sql, [subject], |row| row.get(0)).unwrap()
}

/// As if some minutes more had to be waited.
fn delay(receiver: &Receiver) {
    let sql = "UPDATE sign_in_failure SET next_at = next_at + 100 WHERE next_at > last_at";
    receiver.database().execute(sql, []).unwrap();
}

#[test]
fn a_stranger_behind_the_proxy_locks_nobody_else_out() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let stranger = from("203.0.113.5, 198.51.100.66");
    for number in 0..11 {
        let answer = receiver.sign_in_answer(&format!("x{number}"), "wrong wrong", &stranger);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(failures(&receiver, "198.51.100.66"), 11);
    delay(&receiver);
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, &stranger).status, 429);
    for other in ["192.0.2.7", "198.51.100.66, 192.0.2.7"] {
        assert_eq!(receiver.sign_in_answer("anna", PASSWORD, &from(other)).status, 200);
    }
}

#[test]
fn a_stranger_behind_a_proxy_that_says_nothing_locks_nobody_else_out() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    for number in 0..12 {
        let answer = receiver.sign_in_answer(&format!("x{number}"), "wrong wrong", "");
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    delay(&receiver);
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, "").status, 200);
    assert_eq!(failures(&receiver, "127.0.0.1"), 0);
}

#[test]
fn signing_in_oneself_makes_no_room_for_guesses() {
    let receiver = Receiver::start();
    receiver.add_person("ben", &[]);
    let stranger = from("198.51.100.66");
    for number in 0..10 {
        receiver.sign_in_answer(&format!("x{number}"), "wrong wrong", &stranger);
    }
    assert_eq!(receiver.sign_in_answer("ben", PASSWORD, &stranger).status, 200);
    assert_eq!(failures(&receiver, "198.51.100.66"), 10);
    assert_eq!(failures(&receiver, "198.51.100.66 ben"), 0);
    receiver.sign_in_answer("x10", "wrong wrong", &stranger);
    delay(&receiver);
    assert_eq!(receiver.sign_in_answer("ben", PASSWORD, &stranger).status, 429);
}

#[test]
fn a_household_of_ipv6_addresses_guesses_as_one() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    for number in 0..4 {
        let address = from(&format!("2001:db8::{number:x}:1"));
        assert_eq!(receiver.sign_in_answer("anna", "wrong wrong", &address).status, 401);
    }
    assert_eq!(failures(&receiver, "2001:db8:: anna"), 4);
    delay(&receiver);
    let answer = receiver.sign_in_answer("anna", PASSWORD, &from("2001:db8::ffff"));
    assert_eq!(answer.status, 429);
    let neighbour = receiver.sign_in_answer("anna", PASSWORD, &from("2001:db8:0:1::1"));
    assert_eq!(neighbour.status, 200);
}

#[test]
fn too_many_guesses_at_a_time_are_sent_away_before_they_cost_anything() {
    const GUESSES: usize = 300;
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let mut clients: Vec<Client> = (0..GUESSES).map(|_| receiver.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let body = format!(r#"{{"name":"x{number}","password":"wrong wrong"}}"#);
        client.send(post("/api/session", "", body));
    }
    let answers: Vec<_> = clients.iter_mut().map(Client::answer).collect();
    let away: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert!(!away.is_empty() && looked_at > 0);
    assert_eq!(away.len() + looked_at, GUESSES);
    for answer in away {
        assert_eq!(answer.header("retry-after"), Some("5"), "{answer:?}");
    }
    // Of each that was looked at: the name, and the name from that address.
    let rows = usize::try_from(receiver.count("sign_in_failure")).unwrap();
    assert_eq!(rows, 2 * looked_at);
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, "").status, 200);
}
