//! Rows that a recorder can have written are stored, whatever their types.

use crate::support::{Receiver, post};

/// A value as JSON, and as SQLite tells it with `typeof` and `quote`.
const VALUES: [(&str, &str, &str); 8] = [
    ("null", "null", "NULL"),
    ("7", "integer", "7"),
    ("9007199254740993", "integer", "9007199254740993"),
    ("-9223372036854775808", "integer", "-9223372036854775808"),
    ("1734542345.25", "real", "1734542345.25"),
    (r#""""#, "text", "''"),
    (r#""123""#, "text", "'123'"),
    (r#""\ud83c\udfa5 \u00e9\ufffd""#, "text", "'🎥 é\u{fffd}'"),
];

fn held(receiver: &Receiver, table: &str, column: &str, id: i64) -> (String, String) {
    let query = format!("SELECT typeof({column}), quote({column}) FROM {table} WHERE id = ?1");
    receiver
        .database()
        .query_row(&query, [id], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

#[test]
fn any_value_of_a_column_is_stored_as_it_came() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    for (json, kind, quoted) in VALUES {
        let body = format!(
            r#"{{"date":{json},"capteur":{{"id":{json},"nom":{json},"etat":{json}}},"device_id":"d","source":"s"}}"#
        );
        let id = client.ask(post("/api/evenements", "", body)).id();
        for column in ["date", "capteur_id", "capteur_nom", "capteur_etat"] {
            assert_eq!(
                held(&receiver, "evenement", column, id),
                (kind.into(), quoted.into()),
                "{column}"
            );
        }
        let body = format!(
            r#"{{"date":{json},"capteur":{{"id":{json},"nom":{json}}},"numero_camera":{json},"video_data":"","device_id":"d","source":"s"}}"#
        );
        let id = client.ask(post("/api/media", "", body)).id();
        for column in ["date", "capteur_id", "capteur_nom", "numero_camera"] {
            assert_eq!(
                held(&receiver, "media", column, id),
                (kind.into(), quoted.into()),
                "{column}"
            );
        }
    }
}

#[test]
fn date_and_sensor_are_answered_as_they_came() {
    let receiver = Receiver::start();
    for (json, ..) in VALUES {
        let body = format!(
            r#"{{"date":{json},"capteur":{{"id":{json},"nom":null,"etat":null}},"device_id":"d","source":"s"}}"#
        );
        let answer = receiver.ask(post("/api/evenements", "", body));
        let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let sent: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!((&answer["date"], &answer["capteur_id"]), (&sent, &sent));
    }
}

#[test]
fn a_name_that_a_database_could_not_hold_is_refused_and_blocks_nothing() {
    let receiver = Receiver::start();
    let long = "d".repeat(1_001);
    for (device, source) in [
        (r"a\u0000", "s"),
        ("a", r"\u0000"),
        (long.as_str(), "s"),
        ("a", long.as_str()),
    ] {
        let fields = format!(
            r#""date":"2026","capteur":{{"id":1,"nom":null,"etat":1}},"device_id":"{device}","source":"{source}""#
        );
        let answer = receiver.ask(post("/api/evenements", "", format!("{{{fields}}}")));
        assert_eq!(answer.status, 400, "{answer:?}");
        let clip = format!(r#"{{{fields},"numero_camera":1,"video_data":""}}"#);
        assert_eq!(receiver.ask(post("/api/media", "", clip)).status, 400);
        let good = format!(
            r#"{{"key":"{}","evenement":{}}}"#,
            source.len() + device.len(),
            crate::support::event()
        );
        let batch = format!(r#"[{{"key":"k","evenement":{{{fields}}}}},{good}]"#);
        let answer = receiver.ask(post("/api/evenements/batch", "", batch));
        assert!(
            answer.body.contains(r#"{"results":[{"status":400"#) && answer.body.contains(r#"{"status":201"#),
            "{answer:?}"
        );
    }
    let status = receiver.ask("PUT /api/devices/a%00/status HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(status.status, 400, "{status:?}");
    // Elsewhere it is a character like any other.
    let body =
        r#"{"date":"\u0000","capteur":{"id":"\u0000","nom":"\u0000","etat":"\u0000"},"device_id":"d","source":"s"}"#;
    assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 201);
}

#[test]
fn fields_come_in_any_order_and_others_are_passed_over() {
    let receiver = Receiver::start();
    let body = r#" {"source":"s","autre":[{"video_data":"x"},"}"],"device_id":"d","video_\u0064ata" : "aGVs\u0062G8=" ,
        "numero_camera":2,"capteur":{"nom":"n","encore":{},"id":5},"date":"2026"} "#;
    let answer = receiver.ask(post("/api/media", "", body));
    assert_eq!(answer.status, 201, "{answer:?}");
    let clips = receiver.files().0;
    assert_eq!(
        std::fs::read(receiver.path().join("clips").join(&clips[0])).unwrap(),
        b"hello"
    );
    assert_eq!(held(&receiver, "media", "capteur_id", 1).1, "5");
    let body = r#"{"source":"s","device_id":"d","capteur":{"etat":0,"nom":"n","id":5},"plus":1,"date":"2026"}"#;
    assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 201);
}

#[test]
fn slashes_in_base64_may_be_escaped() {
    let receiver = Receiver::start();
    let body = crate::support::media_body(r"\/+8=");
    assert_eq!(receiver.ask(post("/api/media", "", body)).status, 201);
    let clips = receiver.files().0;
    assert_eq!(
        std::fs::read(receiver.path().join("clips").join(&clips[0])).unwrap(),
        [0xff, 0xef]
    );
}
