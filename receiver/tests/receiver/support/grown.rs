//! A receiver's folder after a life with everything in it, and all of it found again wherever that was moved to.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::device::{Balancer, Device};
use super::hook::Hook;
use super::tus::{creation, offset, patch, place};
use super::{PASSWORD, Receiver, clip, event, noise, post, wait_until};

/// Nobody takes alerts there.
const NOBODY: &str = "http://127.0.0.1:9/hook";

const UPLOAD: &str = "Idempotency-Key: upload\r\n";

/// The event that was removed for its age, and the clip that is pinned.
const REMOVED: i64 = 30;
const PINNED: i64 = 2;

/// The last clip that ada has seen.
const SEEN: i64 = 5;

/// What is in a folder, to be found again elsewhere.
pub struct Grown {
    pub folder: TempDir,
    pub clips: Vec<Vec<u8>>,
    /// On its way, and how much of it is there.
    upload: Vec<u8>,
    pub sent: usize,
    /// Of the device.
    authorization: String,
    /// Of ada's session.
    cookie: String,
    /// Events of others that came after.
    others: i64,
}

/// A device that goes on sending while everything is moved, whoever is there.
pub struct Trying {
    device: Device,
    balancer: Balancer,
    _recordings: TempDir,
}

fn keyed(name: &str, number: i64) -> String {
    format!("Idempotency-Key: {name}-{number}\r\n")
}

fn door() -> String {
    event().replace("PIR Entrée", "Porte")
}

impl Grown {
    pub fn new() -> Self {
        let receiver = Receiver::start();
        let clips: Vec<_> = (0..12_u64).map(|seed| noise(seed as usize * 900_000, seed)).collect();
        for number in 1..=REMOVED {
            let body = event().replace("PIR Entrée", &format!("Entrée {number} \\u0000"));
            let answer = receiver.ask(post("/api/evenements", &keyed("event", number), body));
            assert_eq!(answer.id(), number);
        }
        for (bytes, number) in clips.iter().zip(1..) {
            let answer = receiver.ask(post("/api/media", &keyed("clip", number), clip(bytes)));
            assert_eq!(answer.id(), number);
        }
        let old = "UPDATE evenement SET received_at = '2020-01-01T00:00:00.000Z' WHERE id = ?1";
        receiver.database().execute(old, [REMOVED]).unwrap();
        // Its key is remembered, and ids are never given twice, also those of rows that are gone.
        let settings = [("RECEIVER_KEEP_EVENTS_DAYS", "30"), ("RECEIVER_ALERT_URL", NOBODY)];
        let receiver = Receiver::on(receiver.kill(), &settings);
        wait_until("the old event is gone", || receiver.count("evenement") == REMOVED - 1);
        let (upload, sent) = (noise(6_000_000, 77), 5_000_000);
        let created = receiver.ask(creation(upload.len(), UPLOAD, &upload[..sent]));
        assert_eq!(offset(&created), sent);
        receiver.add_person("ada", &["--admin"]);
        assert_eq!(receiver.sign_in_answer("eve", "wrong", "").status, 401);
        let cookie = ada_uses(&receiver);
        assert_eq!(
            receiver.ask(post("/api/evenements", &keyed("door", 1), door())).id(),
            31
        );
        wait_until("somebody is to be told", || receiver.count("notice") == 1);
        let authorization = format!("Authorization: Bearer {}\r\n", token_of(&receiver, "raspberry-1"));
        let grown = Self {
            folder: TempDir::new().unwrap(),
            clips,
            upload,
            sent,
            authorization,
            cookie,
            others: 0,
        };
        grown.tell(&receiver, 50);
        let folder = receiver.kill();
        // A try that was under way when it ended keeps others from the next one for a minute.
        let next = "UPDATE notice SET next_at = unixepoch() + 1";
        assert_eq!(super::database(folder.path()).execute(next, []).unwrap(), 1);
        Self { folder, ..grown }
    }

    /// One more device sends some of what it has, until nobody answers any more.
    pub fn with_a_device(&mut self) -> Trying {
        let receiver = Receiver::on(std::mem::replace(&mut self.folder, TempDir::new().unwrap()), &[]);
        let balancer = Balancer::before(&[&receiver.address]);
        let recordings = TempDir::new().unwrap();
        let mut device = Device::new(recordings.path(), 0, &balancer.address);
        device.set("BACKEND_TOKEN", &token_of(&receiver, &device.name));
        device.record(640, None);
        device.tend();
        let theirs = format!("evenement WHERE device_id = '{}'", device.name);
        // And has its answers: a row whose answer is lost is tried before those that come later.
        wait_until("it has sent", || device.unsent() == 0);
        // What was stored and not told comes again.
        balancer.loses_answers(true);
        device.record(100, None);
        wait_until("more is sent", || receiver.count(&theirs) > 640);
        self.folder = receiver.kill();
        balancer.loses_answers(false);
        self.others = super::database(self.folder.path())
            .query_row(&format!("SELECT count(*) FROM {theirs}"), [], |row| row.get(0))
            .unwrap();
        device.record(20, Some(3_000_000));
        Trying {
            device,
            balancer,
            _recordings: recordings,
        }
    }

    /// A request of the device.
    fn post(&self, path: &str, key: &str, body: String) -> Vec<u8> {
        post(path, &format!("{key}{}", self.authorization), body)
    }

    /// The device tells how much of its disk is free.
    fn tell(&self, receiver: &Receiver, free: u32) {
        let status = json!({
            "version": 1, "disk": { "free_bytes": free, "total_bytes": 100 },
            "tables": { "evenement": { "waiting": 3, "failed": 1 }, "media": { "waiting": 0 } },
        });
        let (status, headers) = (status.to_string(), &self.authorization);
        let answer = receiver.ask(format!(
            "PUT /api/devices/raspberry-1/status HTTP/1.1\r\nHost: receiver\r\n{headers}Content-Length: {}\r\n\r\n{status}",
            status.len()
        ));
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    fn get(&self, receiver: &Receiver, path: &str) -> Value {
        let answer = receiver.ask(format!(
            "GET {path} HTTP/1.1\r\nHost: receiver\r\nCookie: {}\r\n\r\n",
            self.cookie
        ));
        super::json(&answer)
    }

    fn video(&self, receiver: &Receiver, id: i64) -> Vec<u8> {
        crate::on_s3::video(receiver, id, &format!("Cookie: {}\r\n", self.cookie)).1
    }

    /// Everything is there, and goes on, at a receiver on `folder` or elsewhere, which tells `hook`.
    pub fn assert_all_there(&self, receiver: &Receiver, hook: &Hook) {
        self.assert_people_find_theirs(receiver);
        self.assert_devices_go_on(receiver);
        self.assert_told_once(receiver, hook);
    }

    /// Whose session goes on, too.
    fn assert_people_find_theirs(&self, receiver: &Receiver) {
        assert_eq!(self.get(receiver, "/api/me")["name"], "ada");
        let unseen = self.get(receiver, "/api/new");
        assert_eq!(unseen["count"], self.clips.len() as i64 - SEEN, "{unseen}");
        assert_eq!(self.get(receiver, &format!("/api/media/{PINNED}"))["pinned"], true);
        assert_eq!(self.get(receiver, "/api/media/1")["pinned"], false);
        let important = self.get(receiver, "/api/important");
        assert_eq!(important["items"][0]["sensor"], "Porte", "{important}");
        assert_eq!(important["items"][0]["by"], "ada", "{important}");
        let removed = self.get(receiver, "/api/retention");
        assert_eq!(removed["items"][0]["rows"], 1, "{removed}");
        let device = self.get(receiver, "/api/devices/raspberry-1");
        assert_eq!(
            (&device["waiting"], &device["disk_free_percent"]),
            (&4.into(), &50.0.into())
        );
        assert!(
            device["backlog_day"].as_array().unwrap().contains(&4.into()),
            "{device}"
        );
        for (bytes, id) in self.clips.iter().zip(1..) {
            assert!(self.video(receiver, id) == *bytes, "clip {id}");
        }
        // Who was slowed down still is, and her password is known.
        assert_eq!(receiver.sign_in_answer("ada", PASSWORD, "").status, 200);
    }

    /// Every key has its id, also that of a row that is gone, and the upload goes on.
    fn assert_devices_go_on(&self, receiver: &Receiver) {
        assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 401);
        let ask = |path: &str, key: &str, body| receiver.ask(self.post(path, key, body)).id();
        for number in 1..=REMOVED {
            assert_eq!(ask("/api/evenements", &keyed("event", number), event()), number);
        }
        assert_eq!(ask("/api/evenements", &keyed("door", 1), door()), 31);
        for (_, number) in self.clips.iter().zip(1..) {
            assert_eq!(ask("/api/media", &keyed("clip", number), clip(b"again")), number);
        }
        let headers = format!("{UPLOAD}{}", self.authorization);
        let known = receiver.ask(creation(self.upload.len(), &headers, b""));
        assert_eq!(offset(&known), self.sent);
        let rest = patch(
            &place(&known),
            self.sent,
            &self.authorization,
            &self.upload[self.sent..],
        );
        assert_eq!(receiver.ask(rest).status, 204);
        assert_eq!(receiver.ask(creation(self.upload.len(), &headers, b"")).id(), 13);
        assert!(self.video(receiver, 13) == self.upload);
    }

    /// What nobody had taken is told, and what goes on holding is not told to begin again.
    fn assert_told_once(&self, receiver: &Receiver, hook: &Hook) {
        let mut expected = vec!["raspberry-1 event begins"];
        let told = |expected: &[&str]| {
            let theirs = || {
                let mut told = hook.told();
                told.retain(|line| line.starts_with("raspberry-1 "));
                told
            };
            wait_until(&format!("{expected:?} is told"), || theirs().len() >= expected.len());
            assert_eq!(theirs(), expected);
        };
        told(&expected);
        let request = self.post("/api/evenements", "Idempotency-Key: new\r\n", door());
        assert_eq!(receiver.ask(request).id(), 32 + self.others);
        // Whoever tells this has seen that event.
        self.tell(receiver, 5);
        expected.push("raspberry-1 disk_low begins");
        told(&expected);
    }
}

fn token_of(receiver: &Receiver, device: &str) -> String {
    let token = receiver.command(&["token", "add", device], "");
    String::from_utf8(token.stdout).unwrap().trim().to_string()
}

impl Trying {
    /// Somebody answers again: all is sent, and is there once, under the id that the device was told, as `kept` tells of a
    /// table (ids and dates of a device, by id).
    pub fn assert_goes_on(mut self, receiver: &Receiver, kept: impl Fn(&str, &str) -> Vec<(i64, String)>) {
        assert!(self.device.unsent() > 20, "nothing was left to be sent");
        self.balancer.replace(0, &receiver.address);
        wait_until("all is sent", || {
            self.device.tend();
            self.device.unsent() == 0
        });
        for (table, count) in [("evenement", self.device.events), ("media", self.device.clips)] {
            let kept = kept(table, &self.device.name);
            assert_eq!(kept.len(), count, "{table}");
            assert_eq!(self.device.told(table), kept, "{table}");
        }
    }
}

/// Somebody looks, pins, and marks; gives her cookie.
fn ada_uses(receiver: &Receiver) -> String {
    let ada = receiver.sign_in("ada");
    for (path, body) in [
        (format!("/api/media/{PINNED}/pin"), json!({ "pinned": true })),
        ("/api/new".to_string(), json!({ "seen": SEEN })),
        (
            "/api/important".to_string(),
            json!({ "device_id": "raspberry-1", "sensor": "Porte", "important": true }),
        ),
    ] {
        assert_eq!(ada.ask("PUT", &path, "", &body.to_string()).status, 204, "{path}");
    }
    // Who begins to follow sees what comes then.
    let followed = "SELECT count(*) FROM alert_watch WHERE followed IS NOT NULL";
    wait_until("events are followed", || {
        receiver
            .database()
            .query_row(followed, [], |row| row.get::<_, i64>(0))
            .unwrap()
            == 1
    });
    ada.cookie
}
