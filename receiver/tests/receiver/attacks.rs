//! What strangers, and people who are no admins, try at each door.

use serde_json::Value;

use crate::live::Stream;
use crate::support::{PASSWORD, Receiver, SignedIn, clip, event, json, post, wait_until};

/// Two devices: one that anybody here sees, and one that `shops` does not.
fn with_two_devices() -> Receiver {
    let receiver = Receiver::start();
    for (device, sensor) in [("hidden-7", "Coffre"), ("shop-1", "Porte")] {
        let own = |body: String| body.replace("raspberry-1", device);
        let event = own(event()).replace("PIR Entrée", sensor);
        assert_eq!(receiver.ask(post("/api/evenements", "", event)).status, 201);
        let clip = own(clip(b"\x00\x00\x00\x20ftypisom....")).replace("Caméra 1", sensor);
        assert_eq!(receiver.ask(post("/api/media", "", clip)).status, 201);
    }
    receiver
        .database()
        .execute_batch(
            "INSERT INTO removal (day, device_id, kind, reason, rows, bytes, oldest, newest)
             VALUES (date('now'), 'hidden-7', 'media', 'age', 1, 1, '2025-12-18', '2025-12-18');
             INSERT INTO important_sensor (device_id, sensor, marked_by, marked_at) VALUES ('hidden-7', 'Coffre', 'anna', 1);",
        )
        .unwrap();
    receiver.add_person("anna", &["--admin"]);
    receiver.add_person("shops", &["--admin", "--devices", "shop-*"]);
    receiver
}

/// All that is written by a person, each with a body that is a good one for device `shop-1` or `hidden-7`.
const WRITING: [(&str, &str, &str); 5] = [
    ("PUT", "/api/media/1/pin", r#"{"pinned":true}"#),
    ("PUT", "/api/new", r#"{"seen":1}"#),
    (
        "PUT",
        "/api/important",
        r#"{"device_id":"hidden-7","sensor":"Porte","important":true}"#,
    ),
    ("POST", "/api/devices/hidden-7/tokens", ""),
    ("DELETE", "/api/session", ""),
];

#[test]
fn nothing_of_a_device_that_one_does_not_see_is_told_whatever_is_asked() {
    let receiver = with_two_devices();
    let (anna, shops) = (receiver.sign_in("anna"), receiver.sign_in("shops"));
    // What is told to one who sees all, so that the question is a good one, is not told to the other.
    let lists = [
        "/api/devices",
        "/api/devices?q=hid",
        "/api/devices?cursor=0~a",
        "/api/devices/hidden-7",
        "/api/evenements",
        "/api/evenements?device=hidden-7",
        "/api/evenements?sensor=Coffre",
        "/api/evenements?from=2025-12-18&to=2025-12-19&order=asc",
        "/api/evenements?cursor=9~9",
        "/api/evenements.csv",
        "/api/evenements.csv?device=hidden-7&sensor=Coffre",
        "/api/media",
        "/api/media?device=hidden-7&camera=1",
        "/api/media?camera=1",
        "/api/media?sensor=Coffre&order=asc",
        "/api/media/1",
        "/api/new",
        "/api/new?limit=1",
        "/api/retention",
        "/api/important",
    ];
    // As it comes over the wire, in pieces or not.
    let told = |who: &SignedIn<'_>, path: &str| {
        let mut client = receiver.client();
        let head = format!("GET {path} HTTP/1.1\r\nHost: receiver\r\nConnection: close\r\n");
        client.send(format!("{head}Cookie: {}\r\n\r\n", who.cookie));
        client.rest()
    };
    let tells = |answer: &str| answer.contains("hidden-7") || answer.contains("Coffre");
    for path in lists {
        assert!(tells(&told(&anna, path)), "{path}");
        let answer = told(&shops, path);
        let is_answered = ["HTTP/1.1 200 ", "HTTP/1.1 404 "]
            .iter()
            .any(|status| answer.starts_with(status));
        assert!(is_answered && !tells(&answer), "{path} {answer}");
    }
    for path in [
        "/api/hours?day=2025-12-18&device=hidden-7",
        "/api/hours?day=2025-12-18&sensor=Coffre",
    ] {
        let count = |who: &SignedIn<'_>| who.json(path)["hours"][17]["events"].clone();
        assert_eq!((count(&anna), count(&shops)), (1.into(), 0.into()), "{path}");
    }
    let counts = shops.json("/api/devices")["counts"].clone();
    let counted: u64 = counts.as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, 1, "{counts}");
    assert_eq!(shops.json("/api/new")["count"], 1);
    for from in ["?after=0.0", ""] {
        let headers = format!("Cookie: {}\r\nLast-Event-ID: 0.0\r\n", shops.cookie);
        let mut stream = Stream::open(&receiver, from, &headers);
        assert_eq!((stream.next().1, stream.next().1), (2, 2));
    }
}

#[test]
fn a_clip_that_one_does_not_see_is_not_there_in_any_way() {
    let receiver = with_two_devices();
    let shops = receiver.sign_in("shops");
    let there = shops.get("/api/media/99/video");
    for headers in [
        "",
        "Range: bytes=0-1\r\n",
        "If-None-Match: *\r\n",
        "If-Range: *\r\nRange: bytes=-1\r\n",
    ] {
        for path in ["/api/media/1", "/api/media/1/video", "/api/media/1/video?download=1"] {
            let answer = shops.ask("GET", path, headers, "");
            assert_eq!((answer.status, &answer.body), (404, &there.body), "{path} {headers}");
            assert_eq!(answer.header("etag"), None);
        }
    }
    let head = format!(
        "HEAD /api/media/1/video HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\n\r\n",
        shops.cookie
    );
    assert_eq!(receiver.client().head(head).status, 404);
    // Nor is it told whether a device is there.
    let answer = |path: &str| shops.ask("POST", path, "", "");
    let (hidden, none) = (
        answer("/api/devices/hidden-7/tokens"),
        answer("/api/devices/none/tokens"),
    );
    assert_eq!((hidden.status, hidden.body), (none.status, none.body));
    assert_eq!(
        shops.get("/api/devices/hidden-7").body,
        shops.get("/api/devices/none").body
    );
    for (method, path, body) in WRITING.into_iter().take(4) {
        let status = shops.ask(method, path, "", body).status;
        assert!(
            matches!(status, 403 | 404) || path == "/api/new",
            "{method} {path} {status}"
        );
    }
    let written = "media WHERE pinned";
    assert_eq!(
        (
            receiver.count(written),
            receiver.count("token"),
            receiver.count("important_sensor")
        ),
        (0, 0, 1)
    );
}

#[test]
fn who_is_not_signed_in_writes_nothing_and_neither_does_a_device() {
    let receiver = with_two_devices();
    let token = String::from_utf8(receiver.command(&["token", "add", "hidden-7"], "").stdout).unwrap();
    let anna = receiver.sign_in("anna").cookie;
    let device = format!("Authorization: Bearer {}\r\n", token.trim());
    let sessions = receiver.count("session");
    for (method, path, body) in WRITING {
        let ask = |headers: &str| {
            let length = body.len();
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n",
                receiver.address
            );
            receiver.ask(format!("{head}{headers}\r\n{body}")).status
        };
        assert_eq!(ask(""), 401, "{method} {path}");
        assert_eq!(ask("X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-User: anna\r\n"), 401);
        assert_eq!(ask(&device), 403, "{method} {path}");
        // A token beside a session makes it no more than a token.
        assert_eq!(ask(&format!("{device}Cookie: {anna}\r\n")), 403, "{method} {path}");
    }
    let written = [
        "media WHERE pinned",
        "person_seen",
        "important_sensor WHERE sensor = 'Porte'",
    ];
    assert_eq!(written.map(|table| receiver.count(table)), [0; 3]);
    assert_eq!((receiver.count("token"), receiver.count("session")), (1, sessions));
    // And a person's session stores nothing. That a token is needed, another process has said.
    wait_until("a token is needed", || {
        receiver.ask(post("/api/evenements", "", "{}")).status == 401
    });
    let session = format!("Cookie: {anna}\r\n");
    for path in [
        "/api/evenements",
        "/api/evenements/batch",
        "/api/media",
        "/api/media/uploads",
    ] {
        assert_eq!(receiver.ask(post(path, &session, event())).status, 401, "{path}");
    }
    assert_eq!((receiver.count("evenement"), receiver.count("media")), (2, 2));
}

#[test]
fn rights_that_are_taken_away_are_gone_in_the_same_session() {
    let receiver = with_two_devices();
    let anna = receiver.sign_in("anna");
    let pin = || anna.ask("PUT", "/api/media/1/pin", "", r#"{"pinned":true}"#).status;
    assert_eq!(pin(), 204);
    let database = receiver.database();
    database
        .execute("UPDATE person SET role = 'viewer' WHERE name = 'anna'", [])
        .unwrap();
    assert_eq!(pin(), 403);
    assert_eq!(anna.json("/api/me")["role"], "viewer");
    database
        .execute("UPDATE person SET devices = 'shop-*' WHERE name = 'anna'", [])
        .unwrap();
    assert_eq!(anna.get("/api/media/1").status, 404);
    assert!(!anna.get("/api/evenements").body.contains("hidden-7"));
    database.execute("DELETE FROM person WHERE name = 'anna'", []).unwrap();
    assert_eq!(anna.get("/api/me").status, 401);
}

#[test]
fn what_is_asked_is_a_value_and_never_a_statement() {
    let receiver = with_two_devices();
    let shops = receiver.sign_in("shops");
    let hostile = [
        "'%20OR%201=1%20--",
        "x'%3B%20DELETE%20FROM%20media%3B%20--",
        "%25",
        "_______",
        "*",
        "hidden-?",
        "[a-z]*",
        "%00",
        "%FF",
        "\\",
    ];
    let fields = [
        "evenements?device=",
        "evenements?sensor=",
        "evenements?camera=",
        "evenements?cursor=",
        "evenements?cursor=9~",
        "evenements?order=",
        "evenements?from=",
        "evenements?to=",
        "evenements?limit=",
        "media?device=",
        "media?sensor=",
        "media?camera=",
        "evenements.csv?device=",
        "hours?day=2025-12-18&sensor=",
        "hours?day=",
        "devices?q=",
        "devices?state=",
        "devices?cursor=0~",
        "devices/",
        "media/",
        "live?after=",
    ];
    for field in fields {
        for text in hostile {
            let answer = shops.get(&format!("/api/{field}{text}"));
            assert!(matches!(answer.status, 200 | 400 | 404), "{field}{text} {answer:?}");
            assert!(!answer.body.contains("hidden-7"), "{field}{text} {answer:?}");
            // Whatever is wrong is said as everything else is.
            if answer.status != 200 {
                assert!(!answer.error().is_empty(), "{field}{text}");
            }
        }
    }
    for (field, text) in [
        ("evenements?device=", "*"),
        ("media?sensor=", "%25"),
        ("media?device=", "shop-?"),
    ] {
        assert_eq!(
            json(&shops.get(&format!("/api/{field}{text}")))["items"],
            Value::Array(vec![]),
            "{field}{text}"
        );
    }
    assert_eq!((receiver.count("evenement"), receiver.count("media")), (2, 2));
}

#[test]
fn long_names_and_passwords_cost_nothing_and_are_kept_nowhere() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &["--no-password"]);
    let too_long = receiver.sign_in_answer("anna", &"x".repeat(1 << 20), "");
    assert_eq!(too_long.status, 413);
    assert_eq!(receiver.count("sign_in_failure"), 0);
    // Within a body's length, but beyond what any password has: refused as any other wrong one is, for whoever it is.
    let answers = ["anna", "ben", "nobody"].map(|name| receiver.sign_in_answer(name, &"x".repeat(15_000), ""));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (401, &answers[0].body));
    }
    let longest: i64 = {
        assert_eq!(
            receiver.sign_in_answer(&"é".repeat(7_000), "wrong wrong", "").status,
            401
        );
        let sql = "SELECT max(length(subject)) FROM sign_in_failure";
        receiver.database().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert!(longest < 120, "{longest}");
    let long = receiver.command(&["user", "passwd", "anna"], &"x".repeat(1025));
    assert!(!long.status.success() && String::from_utf8(long.stderr).unwrap().contains("1024"));
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, "").status, 200);
}

#[test]
fn a_name_that_a_proxy_passes_on_beside_its_own_is_nobodys() {
    let receiver = Receiver::with(&[
        ("RECEIVER_PROXY_HEADER", "X-Forwarded-User"),
        ("RECEIVER_PROXY_ADDRESSES", "127.0.0.1"),
    ]);
    receiver.add_person("anna", &["--admin", "--no-password"]);
    receiver.add_person("Zoé", &["--no-password"]);
    let status = |headers: &str| {
        receiver
            .ask(format!("GET /api/me HTTP/1.1\r\nHost: a\r\n{headers}\r\n"))
            .status
    };
    assert_eq!(status("X-Forwarded-User: anna\r\n"), 200);
    assert_eq!(status("X-Forwarded-User: Zoé\r\n"), 200);
    for forged in [
        "X-Forwarded-User: anna\r\nX-Forwarded-User: Zoé\r\n",
        "X-Forwarded-User: anna, Zoé\r\n",
        "X-Forwarded-User: anna\r\nx-forwarded-user: anna\r\n",
        "X-Forwarded-User: \r\n",
    ] {
        assert_eq!(status(forged), 403, "{forged}");
    }
    assert_eq!(
        receiver
            .ask(b"GET /api/me HTTP/1.1\r\nHost: a\r\nX-Forwarded-User: Zo\xe9\r\n\r\n")
            .status,
        403
    );
}

#[test]
fn signing_in_ends_the_session_that_was_planted_and_nobody_elses() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &[]);
    let anna = receiver.sign_in("anna");
    let sign_in_with = |cookie: &str| receiver.sign_in_answer("ben", PASSWORD, &format!("Cookie: {cookie}\r\n"));
    // Who knows an id alone, from an old log or a backup, signs nobody out.
    let id = anna.cookie.split_once('.').unwrap().0;
    assert_eq!(sign_in_with(&format!("{id}.guessed")).status, 200);
    assert_eq!(anna.get("/api/me").status, 200);
    // A browser that was given somebody's session has another one afterwards, and the old one is over.
    let own = sign_in_with(&anna.cookie);
    assert!(!own.header("set-cookie").unwrap().starts_with(&anna.cookie));
    assert_eq!(anna.get("/api/me").status, 401);
}

#[test]
fn who_revokes_the_last_token_is_told_what_that_opens() {
    let receiver = Receiver::start();
    for device in ["a", "b"] {
        assert!(receiver.command(&["token", "add", device], "").status.success());
    }
    let revoke = |number: &str| String::from_utf8(receiver.command(&["token", "revoke", number], "").stdout).unwrap();
    assert_eq!(revoke("1"), "token 1 is revoked\n");
    let last = revoke("2");
    assert!(
        last.contains("token 2 is revoked\n") && last.contains("whoever reaches the receiver may store"),
        "{last}"
    );
}
