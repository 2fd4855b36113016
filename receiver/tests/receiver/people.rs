//! Doors: who may read, whose rows they see, and who may change what.

use crate::support::{PASSWORD, Receiver, event, json, post};

/// Every place that tells something of rows, devices or people.
const PLACES: [&str; 14] = [
    "/api/me",
    "/api/devices",
    "/api/devices/raspberry-1",
    "/api/evenements",
    "/api/evenements.csv",
    "/api/media",
    "/api/media/1",
    "/api/media/1/video",
    "/api/hours?day=2025-12-18",
    "/api/new",
    "/api/retention",
    "/api/important",
    "/api/live",
    "/api/live?after=0.0",
];

fn event_of(device: &str) -> String {
    event().replace("raspberry-1", device)
}

fn clip_of(device: &str) -> String {
    crate::support::clip(b"\x00\x00\x00\x20ftypisom....").replace("raspberry-1", device)
}

fn with_rows() -> Receiver {
    let receiver = Receiver::start();
    for device in ["shop-1", "shop-2", "home"] {
        assert_eq!(receiver.ask(post("/api/evenements", "", event_of(device))).status, 201);
        assert_eq!(receiver.ask(post("/api/media", "", clip_of(device))).status, 201);
    }
    receiver
}

fn get(receiver: &Receiver, path: &str, headers: &str) -> u16 {
    let host = &receiver.address;
    receiver
        .ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"))
        .status
}

#[test]
fn without_people_this_machine_alone_reads() {
    let receiver = with_rows();
    for place in PLACES
        .iter()
        .filter(|place| !place.contains("live") && !place.contains("raspberry"))
    {
        assert_eq!(get(&receiver, place, ""), 200, "{place}");
        // A proxy on this machine speaks for others, and a name that is not ours is one of a page elsewhere.
        for foreign in [
            "X-Forwarded-For: 192.0.2.1\r\n",
            "Forwarded: for=192.0.2.1\r\n",
            "X-Real-IP: 192.0.2.1\r\n",
            "Via: 1.1 proxy\r\n",
        ] {
            let status = get(&receiver, place, foreign);
            // Where devices write, one that asks is answered as ever.
            assert!(
                status == 401 || status == 405 && !place.contains("media/"),
                "{place} {foreign} {status}"
            );
        }
        let rebound = receiver.ask(format!(
            "GET {place} HTTP/1.1\r\nHost: evil.example\r\nCookie: a=b\r\n\r\n"
        ));
        assert_eq!(rebound.status, 401, "{place}");
        assert!(
            rebound.body.contains(r#""reason":"no_people""#)
                && rebound.body.contains("--data /var/lib/sync-receiver user add"),
            "{}",
            rebound.body
        );
        // A stranger learns nothing of this machine.
        assert!(!rebound.body.contains(receiver.path().to_str().unwrap()));
        // nginx 1.28 as it comes: no header of its own, our address as the name, but HTTP/1.0.
        let behind = format!(
            "GET {place} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\nCookie: a=b\r\n\r\n",
            receiver.address
        );
        let behind = receiver.ask(behind);
        assert!(
            behind.status == 401 && behind.body.contains("no_people"),
            "{place} {behind:?}"
        );
    }
}

#[test]
fn with_people_nobody_reads_without_a_session() {
    let receiver = with_rows();
    receiver.add_person("anna", &["--admin"]);
    let anna = receiver.sign_in("anna");
    let (id, secret) = anna
        .cookie
        .strip_prefix("receiver_session=")
        .unwrap()
        .split_once('.')
        .unwrap();
    let forged = [
        "Cookie: a=b\r\n".to_string(),
        format!("Cookie: receiver_session={id}.\r\n"),
        format!(
            "Cookie: receiver_session={id}.{}\r\n",
            secret.chars().rev().collect::<String>()
        ),
        format!("Cookie: receiver_session={secret}.{id}\r\n"),
        format!("Cookie: receiver_session=' OR 1=1 --.{secret}\r\n"),
        format!("Cookie: receiver_session={id}%00.{secret}\r\n"),
        "Cookie: receiver_session=.\r\n".to_string(),
        "X-Forwarded-User: anna\r\nCookie: x=y\r\n".to_string(),
    ];
    for place in PLACES {
        for headers in &forged {
            assert_eq!(get(&receiver, place, headers), 401, "{place} {headers}");
        }
    }
    // What is kept of a session opens nothing.
    let database = receiver.database();
    let kept: Vec<u8> = database
        .query_row("SELECT secret_sha256 FROM session", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept.len(), 32);
    let dump = std::fs::read(receiver.path().join("receiver.db-wal")).unwrap();
    let holds = |needle: &str| dump.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds(id) && !holds(secret) && !holds(PASSWORD));
    assert_eq!(anna.get("/api/devices").status, 200);
}

#[test]
fn signing_out_and_a_new_password_end_sessions() {
    let receiver = with_rows();
    receiver.add_person("anna", &[]);
    let (first, second) = (receiver.sign_in("anna"), receiver.sign_in("anna"));
    assert_eq!(json(&first.get("/api/me"))["role"], "viewer");
    let answer = first.ask("DELETE", "/api/session", "", "");
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!((first.get("/api/me").status, second.get("/api/me").status), (401, 200));
    let output = receiver.command(&["user", "passwd", "anna"], "another long one\n");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(second.get("/api/me").status, 401);
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, "").status, 401);
    assert_eq!(receiver.sign_in_answer("anna", "another long one", "").status, 200);
    assert!(receiver.command(&["user", "remove", "anna"], "").status.success());
    assert_eq!(receiver.count("session"), 0);
}

#[test]
fn a_session_that_is_over_opens_nothing_and_one_in_use_lives_on() {
    let receiver = with_rows();
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    let database = receiver.database();
    let set = |expires: &str| {
        database
            .execute(&format!("UPDATE session SET expires_at = unixepoch() + {expires}"), [])
            .unwrap()
    };
    // Little is left of it; or far too much, since it began while the clock was years ahead.
    for left in ["3600", "100000000"] {
        set(left);
        assert_eq!(anna.get("/api/me").status, 200);
        let left: i64 = database
            .query_row("SELECT expires_at - unixepoch() FROM session", [], |row| row.get(0))
            .unwrap();
        assert!((29 * 86_400..=30 * 86_400).contains(&left), "{left}");
    }
    set("0");
    assert_eq!(anna.get("/api/me").status, 401);
}

#[test]
fn the_cookie_is_for_the_server_alone_and_for_tls_where_there_is_tls() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    for (headers, secure) in [
        ("", false),
        (
            "Origin: https://sync.example.org\r\nSec-Fetch-Site: same-origin\r\n",
            true,
        ),
        ("X-Forwarded-Proto: https\r\n", true),
    ] {
        let answer = receiver.sign_in_answer("anna", PASSWORD, headers);
        let cookie = answer.header("set-cookie").unwrap();
        assert!(
            cookie.contains("; Path=/; ") && cookie.contains("; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
    }
}

#[test]
fn guessing_is_slowed_down_and_tells_nothing() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    // A name that is there and one that is not are refused alike.
    let known = receiver.sign_in_answer("anna", "wrong wrong", "");
    let unknown = receiver.sign_in_answer("nobody", "wrong wrong", "");
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    // The first three are free; from then on each waits twice as long as the one before.
    for _ in 0..3 {
        receiver.sign_in_answer("anna", "wrong wrong", "");
    }
    let database = receiver.database();
    let wait: i64 = database
        .query_row(
            "SELECT next_at - last_at FROM sign_in_failure WHERE subject = '127.0.0.1 anna'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wait, 1);
    // Too early: not even the right password is looked at.
    database
        .execute("UPDATE sign_in_failure SET next_at = next_at + 100", [])
        .unwrap();
    let early = receiver.sign_in_answer("anna", PASSWORD, "");
    assert_eq!(early.status, 429, "{early:?}");
    assert!(early.header("retry-after").unwrap().parse::<u32>().unwrap() > 90);
    database.execute("UPDATE sign_in_failure SET next_at = 0", []).unwrap();
    assert_eq!(receiver.sign_in_answer("anna", PASSWORD, "").status, 200);
    // From this address it goes on as if nothing had been; of guesses from elsewhere it says nothing.
    let counted = |subject: &str| -> i64 {
        let sql = "SELECT coalesce(sum(failures), 0) FROM sign_in_failure WHERE subject = ?1";
        database.query_row(sql, [subject], |row| row.get(0)).unwrap()
    };
    assert_eq!((counted("127.0.0.1 anna"), counted("* anna")), (0, 4));
}

#[test]
fn many_guesses_at_a_time_are_one_after_another() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| receiver.sign_in_answer("anna", "wrong wrong", "").status))
            .collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!((1..=5).contains(&looked_at), "{statuses:?}");
}

#[test]
fn one_sees_only_what_is_ones_own() {
    let receiver = with_rows();
    receiver.add_person("shops", &["--devices", "shop-*", "--admin"]);
    let shops = receiver.sign_in("shops");
    let names = |path: &str| -> Vec<String> {
        let page = shops.json(path);
        let list = page.get("items").or(page.get("devices")).unwrap().as_array().unwrap();
        let mut names: Vec<_> = list
            .iter()
            .map(|row| row["device_id"].as_str().unwrap().to_string())
            .collect();
        names.sort();
        names
    };
    for path in [
        "/api/evenements",
        "/api/media",
        "/api/devices",
        "/api/new",
        "/api/evenements?sensor=PIR%20Entr%C3%A9e",
        "/api/media?camera=1",
    ] {
        assert_eq!(names(path), ["shop-1", "shop-2"], "{path}");
    }
    for path in ["/api/evenements?device=home", "/api/media?device=home"] {
        assert_eq!(names(path), [""; 0], "{path}");
    }
    for path in ["/api/devices/home", "/api/media/3", "/api/media/3/video"] {
        assert_eq!(shops.get(path).status, 404, "{path}");
    }
    assert_eq!(
        shops.ask("PUT", "/api/media/3/pin", "", r#"{"pinned":true}"#).status,
        404
    );
    assert_eq!(shops.ask("POST", "/api/devices/home/tokens", "", "").status, 403);
    assert_eq!(shops.json("/api/hours?day=2025-12-18")["hours"][17]["events"], 2);
    let csv = shops.get("/api/evenements.csv");
    assert_eq!(csv.status, 200);
}

#[test]
fn a_viewer_changes_nothing() {
    let receiver = with_rows();
    receiver.add_person("anna", &[]);
    let anna = receiver.sign_in("anna");
    assert_eq!(
        anna.ask("PUT", "/api/media/1/pin", "", r#"{"pinned":true}"#).status,
        403
    );
    assert_eq!(anna.ask("POST", "/api/devices/new/tokens", "", "").status, 403);
    assert_eq!(receiver.count("token"), 0);
    assert_eq!(receiver.count("media WHERE pinned"), 0);
    // What one has seen is one's own.
    assert_eq!(anna.ask("PUT", "/api/new", "", r#"{"seen":1}"#).status, 204);
}

#[test]
fn another_sites_page_changes_nothing() {
    let receiver = with_rows();
    receiver.add_person("anna", &["--admin"]);
    let anna = receiver.sign_in("anna");
    for site in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
    ] {
        for (method, path, body) in [
            ("PUT", "/api/media/1/pin", r#"{"pinned":true}"#),
            ("POST", "/api/devices/new/tokens", ""),
            ("PUT", "/api/new", r#"{"seen":3}"#),
            (
                "PUT",
                "/api/important",
                r#"{"device_id":"shop-1","sensor":"PIR","important":true}"#,
            ),
            ("DELETE", "/api/session", ""),
            (
                "POST",
                "/api/session",
                r#"{"name":"anna","password":"correct horse battery"}"#,
            ),
        ] {
            let answer = anna.ask(method, path, site, body);
            assert_eq!(answer.status, 403, "{site} {method} {path}");
            assert!(answer.header("set-cookie").is_none());
        }
    }
    assert_eq!(
        (
            receiver.count("token"),
            receiver.count("media WHERE pinned"),
            receiver.count("person_seen") + receiver.count("important_sensor")
        ),
        (0, 0, 0)
    );
    assert_eq!(anna.get("/api/me").status, 200);
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", receiver.address);
    assert_eq!(
        anna.ask("PUT", "/api/media/1/pin", &own, r#"{"pinned":true}"#).status,
        204
    );
    assert_eq!(receiver.count("media WHERE pinned"), 1);
}

#[test]
fn a_devices_token_reads_nothing() {
    let receiver = with_rows();
    let token = String::from_utf8(receiver.command(&["token", "add", "shop-1"], "").stdout).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    for place in PLACES {
        let status = get(&receiver, place, &bearer);
        // 405 tells a device that asks that its token is good.
        let expected = if matches!(place, "/api/evenements" | "/api/media") {
            405
        } else {
            403
        };
        assert_eq!(status, expected, "{place}");
    }
    assert_eq!(
        get(&receiver, "/api/evenements", "Authorization: Bearer wrong\r\n"),
        401
    );
}

#[test]
fn a_token_of_the_database_stores_for_its_device_until_it_is_revoked() {
    let receiver = Receiver::start();
    let add = |device: &str| receiver.command(&["token", "add", device], "");
    let store = |token: &str, device: &str| {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        receiver.ask(post("/api/evenements", &bearer, event_of(device))).status
    };
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
    let first = String::from_utf8(add("raspberry-1").stdout).unwrap().trim().to_string();
    let second = String::from_utf8(add("raspberry-1").stdout).unwrap().trim().to_string();
    assert!(first.len() >= 43 && first != second);
    // Two at a time, for a change without a gap.
    let third = add("raspberry-1");
    assert!(!third.status.success() && String::from_utf8(third.stderr).unwrap().contains("token list"));
    // Other processes made them: this one notices within seconds.
    crate::support::wait_until("a token is needed", || {
        receiver.ask(post("/api/evenements", "", event())).status == 401
    });
    assert_eq!(
        (store(&first, "raspberry-1"), store(&second, "raspberry-1")),
        (201, 201)
    );
    assert_eq!(store(&first, "other"), 403);
    let list = String::from_utf8(receiver.command(&["token", "list"], "").stdout).unwrap();
    assert!(list.lines().count() == 2 && !list.contains(&first), "{list}");
    assert!(receiver.command(&["token", "revoke", "1"], "").status.success());
    crate::support::wait_until("the token is revoked", || store(&first, "raspberry-1") == 401);
    assert_eq!(store(&second, "raspberry-1"), 201);
    let database = std::fs::read(receiver.path().join("receiver.db-wal")).unwrap();
    assert!(!database.windows(second.len()).any(|window| window == second.as_bytes()));
}

#[test]
fn the_page_makes_a_token_that_is_shown_once() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &["--admin"]);
    let anna = receiver.sign_in("anna");
    assert_eq!(anna.json("/api/me")["tokens_needed"], false);
    assert!(anna.json("/api/me")["public_url"].is_null());
    let answer = anna.ask("POST", "/api/devices/shop%2F81%20%C3%A9/tokens", "", "");
    assert_eq!(answer.status, 201, "{answer:?}");
    let made: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(made["device_id"], "shop/81 é");
    assert_eq!(anna.json("/api/me")["tokens_needed"], true);
    let bearer = format!("Authorization: Bearer {}\r\n", made["token"].as_str().unwrap());
    assert_eq!(
        receiver
            .ask(post("/api/evenements", &bearer, event_of("shop/81 é")))
            .status,
        201
    );
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 401);
    for bad in ["%0A", "%20x", "%00"] {
        assert_eq!(
            anna.ask("POST", &format!("/api/devices/{bad}/tokens"), "", "").status,
            400,
            "{bad}"
        );
    }
}

#[test]
fn a_proxy_that_is_trusted_says_who_reads() {
    let receiver = Receiver::with(&[
        ("RECEIVER_PROXY_HEADER", "X-Forwarded-User"),
        ("RECEIVER_PROXY_ADDRESSES", "127.0.0.1"),
    ]);
    receiver.add_person("anna", &["--no-password"]);
    assert_eq!(get(&receiver, "/api/me", "X-Forwarded-User: anna\r\n"), 200);
    assert_eq!(get(&receiver, "/api/me", "X-Forwarded-User: bob\r\n"), 403);
    let old = "GET /api/me HTTP/1.0\r\nHost: a\r\nX-Forwarded-User: anna\r\n\r\n";
    assert_eq!(receiver.ask(old).status, 200);
    assert_eq!(get(&receiver, "/api/me", ""), 401);
    // Who has no password signs in with none.
    assert_eq!(receiver.sign_in_answer("anna", "", "").status, 401);
    let elsewhere = Receiver::with(&[
        ("RECEIVER_PROXY_HEADER", "X-Forwarded-User"),
        ("RECEIVER_PROXY_ADDRESSES", "192.0.2.0/24"),
    ]);
    elsewhere.add_person("anna", &["--no-password"]);
    assert_eq!(get(&elsewhere, "/api/me", "X-Forwarded-User: anna\r\n"), 401);
}

#[test]
fn people_are_kept_by_commands_that_say_what_is_wrong() {
    let receiver = Receiver::start();
    let run = |arguments: &[&str], input: &str| {
        let output = receiver.command(arguments, input);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    assert!(run(&["user", "list"], "").1.starts_with("nobody"));
    for (arguments, input, named) in [
        (&["user", "add", "anna"][..], "short\n", "at least 8"),
        (&["user", "add", "anna"], "", "at least 8"),
        (&["user", "add", "a\nb"], "long enough\n", "control character"),
        (&["user", "passwd", "anna"], "long enough\n", "nobody is called anna"),
        (&["user", "remove", "anna"], "", "nobody is called anna"),
        (&["token", "revoke", "7"], "", "no token 7"),
        (&["token", "add", ""], "", "1 to 100"),
    ] {
        let (code, text) = run(arguments, input);
        assert!(
            code == 2 && text.lines().count() == 1 && text.contains(named),
            "{arguments:?} {text}"
        );
    }
    assert_eq!(
        run(&["user", "add", "anna", "--devices", "shop-*"], "long enough\n"),
        (
            0,
            format!(
                "added anna  viewer  shop-*  in {}/receiver.db\n",
                receiver.path().display()
            )
        )
    );
    assert!(
        run(&["user", "add", "anna"], "long enough\n")
            .1
            .contains("there already")
    );
    assert_eq!(run(&["user", "list"], ""), (0, "anna  viewer  shop-*\n".into()));
    // Argon2id, whoever reads the file.
    let hash: String = receiver
        .database()
        .query_row("SELECT password_hash FROM person", [], |row| row.get(0))
        .unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert!(run(&["user", "remove", "anna"], "").1.contains("nobody is left"));
}

#[test]
fn a_command_works_before_the_first_start_and_on_another_ones_folder() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = crate::support::program();
    let output = command
        .args(["token", "add", "a", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let receiver = Receiver::on(folder, &[]);
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 401);
}
