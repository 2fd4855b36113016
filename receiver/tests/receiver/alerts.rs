//! What people are told: once when it begins, once when it is over, until it is taken, by a real server that refuses,
//! stalls, and then takes. Rows are made old, nobody waits.

use std::time::Duration;

use rusqlite::params;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::hook::{Act, Hook};
use crate::support::{Answer, Receiver, event, post, wait_until};

fn with(hook: &Hook) -> Receiver {
    on(TempDir::new().unwrap(), hook)
}

fn on(folder: TempDir, hook: &Hook) -> Receiver {
    let settings = [
        ("RECEIVER_ALERT_URL", hook.url()),
        ("RECEIVER_PUBLIC_URL", "https://sync.example.org/cams/".to_string()),
    ];
    Receiver::on(
        folder,
        &settings.each_ref().map(|(name, value)| (*name, value.as_str())),
    )
}

/// A device tells how it is.
fn tell(receiver: &Receiver, device: &str, oldest_s: Option<i64>, free: u64, clock_ahead_ms: i64) {
    let oldest = oldest_s.map(|age| json!({ "id": 1, "age_seconds": age }));
    let status = json!({
        "version": 1, "service": { "mode": "continuous", "interval_s": 300.0 },
        "tables": { "evenement": { "waiting": 3, "oldest_waiting": oldest } },
        "disk": { "free_bytes": free, "total_bytes": 100 }, "clock_unix_ms": now_ms() + clock_ahead_ms,
    });
    let body = status.to_string();
    let answer = receiver.ask(format!(
        "PUT /api/devices/{device}/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status, 204, "{answer:?}");
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn well(receiver: &Receiver, device: &str) {
    tell(receiver, device, None, 50, 0);
}

/// Lets a device's last sign be so many seconds ago.
fn silence(receiver: &Receiver, device: &str, seconds: i64) {
    let sql = "UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || ?2 || ' seconds') WHERE device_id = ?1";
    assert_eq!(receiver.database().execute(sql, params![device, seconds]).unwrap(), 1);
}

fn wait_told(hook: &Hook, expected: &[&str]) {
    wait_until(&format!("{expected:?} is told, not {:?}", hook.told()), || {
        hook.told().len() >= expected.len()
    });
    let mut told = hook.told();
    told.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

fn mark(receiver: &Receiver, device: &str, sensor: &str, important: bool, headers: &str) -> Answer {
    let body = json!({ "device_id": device, "sensor": sensor, "important": important }).to_string();
    receiver.ask(format!(
        "PUT /api/important HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        receiver.address,
        body.len()
    ))
}

fn event_of(device: &str, sensor: &str, date: &str) -> String {
    event()
        .replace("raspberry-1", device)
        .replace("PIR Entrée", sensor)
        .replace("2025-12-18T17:30:00.123456", date)
}

#[test]
fn each_state_of_a_device_is_told_when_it_begins_and_when_it_is_over() {
    let hook = Hook::new(&[]);
    let receiver = with(&hook);
    for device in ["quiet", "full", "behind", "wrong", "fine"] {
        well(&receiver, device);
    }
    // Three intervals of 300 s are longer than ten minutes.
    silence(&receiver, "quiet", 901);
    silence(&receiver, "fine", 700);
    tell(&receiver, "full", None, 9, 0);
    tell(&receiver, "behind", Some(3601), 50, 0);
    tell(&receiver, "wrong", None, 50, -75_000);
    let begins = [
        "quiet silent begins",
        "full disk_low begins",
        "behind backlog begins",
        "wrong clock_off begins",
    ];
    wait_told(&hook, &begins);
    for device in ["quiet", "full", "behind", "wrong"] {
        well(&receiver, device);
    }
    let over = [
        "quiet silent over",
        "full disk_low over",
        "behind backlog over",
        "wrong clock_off over",
    ];
    wait_told(&hook, &[begins, over].concat());
    // Nothing is left to be told, and nothing holds.
    wait_until("all is taken", || receiver.count("notice") == 0);
    assert_eq!(receiver.count("alarm"), 0);
    let first = hook
        .taken()
        .into_iter()
        .find(|body| body["device_id"] == "quiet")
        .unwrap();
    assert!(
        first["link"]
            .as_str()
            .unwrap()
            .starts_with("https://sync.example.org/cams/day/2"),
        "{first}"
    );
    assert!(first["text"].as_str().unwrap().contains("quiet: silencieux"), "{first}");
}

#[test]
fn what_is_refused_and_what_stalls_is_told_again_until_it_is_taken_also_after_a_restart() {
    let acts = [
        Act::Answer("503 Service Unavailable"),
        Act::Drop,
        Act::Stall,
        Act::Answer("404 Not Found"),
    ];
    let hook = Hook::new(&acts);
    let receiver = with(&hook);
    tell(&receiver, "full", None, 9, 0);
    wait_until("it stalls", || hook.asked().len() == 3);
    // Nobody waits for that.
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
    assert_eq!(receiver.count("notice"), 1);
    // The one that is on its way is claimed for a minute by the one that died.
    let folder = receiver.kill();
    let database = crate::support::database(folder.path());
    assert_eq!(database.execute("UPDATE notice SET next_at = 0", []).unwrap(), 1);
    let receiver = on(folder, &hook);
    wait_told(&hook, &["full disk_low begins"]);
    assert_eq!(hook.asked().len(), 5);
    let bodies: Vec<Value> = hook.asked().into_iter().map(|(_, body)| body).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    wait_until("it is noted as taken", || receiver.count("notice") == 0);
    // Over, but not begun anew by the restart.
    well(&receiver, "full");
    wait_told(&hook, &["full disk_low begins", "full disk_low over"]);
}

#[test]
fn one_that_stalls_is_given_up_and_tried_again() {
    let hook = Hook::new(&[Act::Stall]);
    let receiver = with(&hook);
    tell(&receiver, "full", None, 9, 0);
    wait_until("it stalls", || hook.asked().len() == 1);
    // What comes meanwhile is told in its order.
    well(&receiver, "full");
    wait_until("both are told", || hook.told().len() == 2);
    assert_eq!(hook.told(), ["full disk_low begins", "full disk_low over"]);
    let text = receiver.local("GET /metrics").body;
    assert!(text.contains("receiver_alert_errors_total 1\n"), "{text}");
    wait_until("they are counted", || {
        receiver
            .local("GET /metrics")
            .body
            .contains("receiver_alerts_taken_total 2\n")
    });
}

#[test]
fn one_that_is_refused_for_good_keeps_no_other() {
    let hook = Hook::new(&[
        Act::Answer("400 Bad Request"),
        Act::Answer("301 Moved\r\nLocation: /elsewhere"),
    ]);
    let receiver = with(&hook);
    tell(&receiver, "one", None, 9, 0);
    wait_until("it is refused", || !hook.asked().is_empty());
    tell(&receiver, "two", None, 9, 0);
    wait_told(&hook, &["one disk_low begins", "two disk_low begins"]);
    // A redirect is not followed.
    assert!(
        hook.asked().iter().all(|(line, _)| line == "POST /hook HTTP/1.1"),
        "{:?}",
        hook.asked()
    );
}

#[test]
fn an_event_of_an_important_sensor_is_told_with_a_link_to_its_moment() {
    let hook = Hook::new(&[]);
    let receiver = with(&hook);
    // What came before the mark is not told.
    let door = |date: &str| event_of("shop 1", "Porte & co", date);
    assert_eq!(
        receiver
            .ask(post("/api/evenements", "", door("2025-12-17T08:00:00")))
            .status,
        201
    );
    assert_eq!(mark(&receiver, "shop 1", "Porte & co", true, "").status, 204);
    assert_eq!(mark(&receiver, "shop 1", "Porte & co", true, "").status, 204);
    let listed = receiver.local_json("/api/important");
    assert_eq!(
        (&listed["told"], listed["items"].as_array().unwrap().len()),
        (&Value::Bool(true), 1)
    );
    wait_until("events are followed", || {
        let followed = "SELECT followed IS NOT NULL FROM alert_watch";
        receiver
            .database()
            .query_row(followed, [], |row| row.get(0))
            .unwrap_or(false)
    });
    for (device, sensor) in [("shop 1", "other"), ("shop 2", "Porte & co")] {
        let other = event_of(device, sensor, "2025-12-18T09:00:00");
        assert_eq!(receiver.ask(post("/api/evenements", "", other)).status, 201);
    }
    for second in 0..5 {
        let date = format!("2025-12-18T17:30:0{second}.5");
        assert_eq!(receiver.ask(post("/api/evenements", "", door(&date))).status, 201);
    }
    wait_told(&hook, &["shop 1 event begins"]);
    let body = hook.taken().remove(0);
    let link = "https://sync.example.org/cams/day/2025-12-18?device=shop%201&sensor=Porte%20%26%20co&at=17:30:00";
    assert_eq!((&body["link"], &body["sensor"]), (&link.into(), &"Porte & co".into()));
    // Calm for ten minutes.
    let changed = receiver
        .database()
        .execute("UPDATE alarm SET last_at = last_at - 601", []);
    assert_eq!(changed.unwrap(), 1);
    wait_told(&hook, &["shop 1 event begins", "shop 1 event over"]);
    assert_eq!(
        receiver
            .ask(post("/api/evenements", "", door("2025-12-18T18:00:00")))
            .status,
        201
    );
    wait_told(
        &hook,
        &["shop 1 event begins", "shop 1 event begins", "shop 1 event over"],
    );
    // A notice that was taken is noted after that: killed between, it would be told once more.
    wait_until("what was told is noted", || receiver.count("notice") == 0);
    // What came while nobody was there is told by the next one.
    let folder = receiver.kill();
    let quiet = Receiver::on(folder, &[]);
    quiet.database().execute("DELETE FROM alarm", []).unwrap();
    assert_eq!(
        quiet
            .ask(post("/api/evenements", "", door("2025-12-18T19:00:00")))
            .status,
        201
    );
    let receiver = on(quiet.kill(), &hook);
    wait_until("it is told", || hook.told().len() == 4);
    assert!(hook.taken()[3]["link"].as_str().unwrap().ends_with("at=19:00:00"));
    // No mark, no alert.
    assert_eq!(mark(&receiver, "shop 1", "Porte & co", false, "").status, 204);
    assert_eq!(receiver.local_json("/api/important")["items"], json!([]));
}

#[test]
fn marking_is_for_admins_from_our_own_page_for_what_they_see() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &["--admin", "--devices", "shop-*"]);
    receiver.add_person("ben", &[]);
    let marked = |who: &str, device: &str, headers: &str| {
        let cookie = receiver.sign_in(who).cookie;
        mark(
            &receiver,
            device,
            "door",
            true,
            &format!("Cookie: {cookie}\r\n{headers}"),
        )
        .status
    };
    assert_eq!(mark(&receiver, "shop-1", "door", true, "").status, 401);
    assert_eq!(marked("ben", "shop-1", ""), 403);
    assert_eq!(marked("anna", "home", ""), 403);
    assert_eq!(marked("anna", "shop-1", "Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(marked("anna", "shop-1", "Origin: https://evil.example\r\n"), 403);
    assert_eq!(receiver.count("important_sensor"), 0);
    assert_eq!(marked("anna", "shop-1", ""), 204);
    let listed = receiver.sign_in("ben").json("/api/important");
    assert_eq!(
        (&listed["items"][0]["by"], &listed["told"]),
        (&"anna".into(), &Value::Bool(false))
    );
    let anna = receiver.sign_in("anna");
    for wrong in [
        "{}",
        r#"{"device_id":"","sensor":"a","important":true}"#,
        r#"{"device_id":"shop-1","sensor":"","important":true}"#,
    ] {
        assert_eq!(anna.ask("PUT", "/api/important", "", wrong).status, 400, "{wrong}");
    }
}

#[test]
fn after_a_long_absence_of_the_receiver_nobody_is_called_silent_for_it() {
    let hook = Hook::new(&[]);
    let receiver = with(&hook);
    well(&receiver, "here");
    wait_until("somebody looks", || receiver.count("alert_watch") == 1);
    let folder = receiver.kill();
    let database = crate::support::database(folder.path());
    // An hour without a receiver.
    let aged = "UPDATE alert_watch SET looked_at = looked_at - 3600; UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-3600 seconds')";
    database.execute_batch(aged).unwrap();
    let receiver = on(folder, &hook);
    wait_until("the absence is noticed", || {
        let since = receiver
            .database()
            .query_row("SELECT since_at FROM alert_watch", [], |row| row.get::<_, i64>(0));
        since.unwrap() > 0
    });
    tell(&receiver, "full", None, 9, 0);
    wait_told(&hook, &["full disk_low begins"]);
    // Somebody has listened for long enough now.
    receiver
        .database()
        .execute("UPDATE alert_watch SET since_at = since_at - 1000", [])
        .unwrap();
    let receiver = on(receiver.kill(), &hook);
    wait_told(&hook, &["full disk_low begins", "here silent begins"]);
    drop(receiver);
}

#[test]
fn what_is_secret_in_the_address_is_never_shown() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = format!("http://somebody:hushhush@{address}/T0/secretpath?token=alsosecret");
    let mut receiver = Receiver::with(&[("RECEIVER_ALERT_URL", &url), ("RUST_LOG", "trace")]);
    tell(&receiver, "full", None, 9, 0);
    wait_until("it fails", || {
        receiver
            .local("GET /metrics")
            .body
            .contains("receiver_alert_errors_total 2\n")
    });
    receiver.signal(rustix::process::Signal::TERM);
    receiver.wait(Duration::from_secs(5));
    let errors = receiver.errors();
    assert!(errors.contains(&format!("alerts: http://{address}: ")), "{errors}");
    for secret in ["hushhush", "secretpath", "alsosecret"] {
        let line = errors.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}

#[test]
fn another_one_that_leads_is_left_to_tell() {
    let hook = Hook::new(&[]);
    let folder = with(&hook).kill();
    let database = crate::support::database(folder.path());
    database
        .execute_batch(
            "INSERT OR REPLACE INTO lease (work, holder, until_ms)
             SELECT value, 'another', (unixepoch() + 1000) * 1000 FROM json_each('[\"alerts\", \"alert_delivery\"]')",
        )
        .unwrap();
    let receiver = on(folder, &hook);
    tell(&receiver, "full", None, 9, 0);
    wait_until("it has asked", || {
        receiver
            .local("GET /metrics")
            .body
            .contains(r#"receiver_leading{work="alerts"} 0"#)
    });
    assert_eq!((hook.asked().len(), receiver.count("notice")), (0, 0));
    receiver
        .database()
        .execute("UPDATE lease SET until_ms = 0", [])
        .unwrap();
    wait_told(&hook, &["full disk_low begins"]);
}

#[test]
fn ntfys_topic_is_in_the_body_and_links_lead_to_where_it_listens() {
    let hook = Hook::new(&[]);
    let receiver = Receiver::with(&[("RECEIVER_ALERT_URL", &format!("http://{}/#cams", hook.address))]);
    tell(&receiver, "full", None, 9, 0);
    wait_told(&hook, &["full disk_low begins"]);
    assert_eq!(hook.asked()[0].0, "POST / HTTP/1.1");
    let body = hook.taken().remove(0);
    assert_eq!(body["topic"], "cams");
    // Without a setting the links lead to where it listens.
    let here = format!("http://{}/day/", receiver.address);
    assert!(body["click"].as_str().unwrap().starts_with(&here), "{body}");
}

#[test]
fn an_address_of_https_is_asked_by_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let receiver = Receiver::with(&[("RECEIVER_ALERT_URL", &url)]);
    tell(&receiver, "full", None, 9, 0);
    let (mut stream, _) = listener.accept().unwrap();
    let mut first = [0; 3];
    std::io::Read::read_exact(&mut stream, &mut first).unwrap();
    // A handshake of TLS 1.
    assert_eq!(&first[..2], &[22, 3]);
    drop(stream);
    wait_until("it is tried again", || {
        receiver
            .local("GET /metrics")
            .body
            .contains("receiver_alert_errors_total 1\n")
    });
}
