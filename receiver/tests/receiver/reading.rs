//! What is read: lists, pages, a clip and its bytes.

use serde_json::Value;

use crate::support::{Client, Receiver, clip, event, json, noise, post, sha256};

const MP4: &[u8] = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41";

fn store_event(receiver: &Receiver, device: &str, date: &str, sensor: &str) {
    let body = event()
        .replace("raspberry-1", device)
        .replace("2025-12-18T17:30:00.123456", date)
        .replace("PIR Entrée", sensor);
    assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 201);
}

fn store_clip(receiver: &Receiver, video: &[u8]) -> i64 {
    receiver.ask(post("/api/media", "", clip(video))).id()
}

fn dates(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["date"].as_str().unwrap()[11..16].to_string())
        .collect()
}

fn head(client: &mut Client, receiver: &Receiver, request: &str, headers: &str) -> crate::support::Answer {
    client.ask(format!(
        "{request} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        receiver.address
    ))
}

#[test]
fn a_list_comes_in_pages_newest_first_each_row_once() {
    let receiver = Receiver::start();
    // Not in the order in which they came, and several at one moment.
    for minute in [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5] {
        store_event(&receiver, "a", &format!("2025-12-18T17:0{minute}:00"), "PIR");
    }
    for (order, expected) in [("desc", "9 6 5 5 5 4 3 3 2 1 1"), ("asc", "1 1 2 3 3 4 5 5 5 6 9")] {
        for limit in [1, 3, 11, 1000] {
            let (mut seen, mut ids, mut cursor) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = receiver.local_json(&format!("/api/evenements?limit={limit}&order={order}&cursor={cursor}"));
                seen.extend(dates(&page));
                ids.extend(
                    page["items"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|row| row["id"].as_i64().unwrap()),
                );
                match page["next"].as_str() {
                    Some(next) => cursor = next.to_string(),
                    None => break,
                }
            }
            let expected: Vec<_> = expected.split(' ').map(|minute| format!("17:0{minute}")).collect();
            assert_eq!(seen, expected, "{order} {limit}");
            ids.sort_unstable();
            assert_eq!(ids, (1..=11).collect::<Vec<_>>());
        }
    }
}

#[test]
fn filters_narrow_a_list() {
    let receiver = Receiver::start();
    for (device, date, sensor) in [
        ("a", "2025-12-18T10:00:00", "PIR"),
        ("a", "2025-12-18T11:00:00", "Tapis"),
        ("b", "2025-12-18T12:00:00", "PIR"),
        ("b", "2025-12-19T00:00:00", "PIR"),
        ("b", "2025-12-19 01:00:00", "Tapis 100%_'\\\""),
    ] {
        store_event(&receiver, device, date, sensor);
    }
    for (query, expected) in [
        ("", "01:00 00:00 12:00 11:00 10:00"),
        ("?device=a", "11:00 10:00"),
        ("?sensor=PIR", "00:00 12:00 10:00"),
        ("?device=b&sensor=PIR", "00:00 12:00"),
        ("?from=2025-12-18T11:00:00&to=2025-12-19", "12:00 11:00"),
        ("?from=2025-12-19", "01:00 00:00"),
        ("?to=2025-12-19&device=b&order=asc", "12:00"),
        ("?sensor=Tapis%20100%25_%27%22", "01:00"),
        ("?device=A", ""),
        ("?device=&sensor=&from=&camera=", "01:00 00:00 12:00 11:00 10:00"),
        ("?camera=1", ""),
        // A name is a value, never SQL and never a pattern.
        ("?device=a%27%20OR%20%271%27=%271", ""),
        ("?sensor=%25", ""),
        ("?sensor=*", ""),
    ] {
        let page = receiver.local_json(&format!("/api/evenements{query}"));
        assert_eq!(dates(&page).join(" "), expected, "{query}");
    }
    for wrong in [
        "from=yesterday",
        "to=2025-12-18T",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "order=up",
        "from=2025-12-18%27--",
        "limit=-1",
    ] {
        let answer = receiver.local(&format!("GET /api/evenements?{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(
            answer.error().contains(wrong.split('=').next().unwrap()),
            "{}",
            answer.error()
        );
    }
    let hours = receiver.local_json("/api/hours?day=2025-12-18");
    let counted: Vec<u64> = hours["hours"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hour| hour["events"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (counted.len(), counted[10], counted[12], counted.iter().sum::<u64>()),
        (24, 1, 1, 3)
    );
    assert_eq!(receiver.local("GET /api/hours?day=18/12/2025").status, 400);
}

#[test]
fn rows_are_read_as_they_were_sent() {
    let receiver = Receiver::start();
    let odd = r#"{"date":null,"capteur":{"id":2.5,"nom":null,"etat":"?"},"device_id":"<b>é","source":"s"}"#;
    assert_eq!(receiver.ask(post("/api/evenements", "", odd)).status, 201);
    let page = receiver.local_json("/api/evenements");
    let row = &page["items"][0];
    assert_eq!(row["date"], Value::Null);
    assert_eq!(row["capteur"].to_string(), r#"{"etat":"?","id":2.5,"nom":null}"#);
    assert_eq!(row["device_id"], "<b>é");
    // Its moment is when it came.
    let day = &row["received_at"].as_str().unwrap()[..10];
    assert_eq!(
        receiver.local_json(&format!("/api/evenements?from={day}"))["items"][0]["id"],
        1
    );
    assert_eq!(receiver.local_json("/api/devices")["devices"][0]["device_id"], "<b>é");
    assert_eq!(receiver.local_json("/api/devices/%3Cb%3E%C3%A9")["states"][0], "ok");
}

#[test]
fn a_csv_holds_every_event_and_no_formula() {
    let receiver = Receiver::start();
    store_event(&receiver, "a", "2025-12-18T10:00:00", "=HYPERLINK(1)");
    store_event(&receiver, "b,c", "2025-12-18T11:00:00", "PIR");
    let mut client = receiver.client();
    client.send(format!(
        "GET /api/evenements.csv HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        receiver.address
    ));
    let text = client.rest();
    assert!(
        text.contains("content-type: text/csv") && text.contains("attachment"),
        "{text}"
    );
    assert!(text.contains("\r\nid,date,capteur_id,"), "{text}");
    assert!(
        text.contains("1,2025-12-18T10:00:00,1,\"'=HYPERLINK(1)\",1,a,"),
        "{text}"
    );
    assert!(text.contains(",\"b,c\","), "{text}");
}

#[test]
fn a_clip_is_played_from_anywhere_in_it() {
    let receiver = Receiver::start();
    let video = [MP4, &noise(1_000_000, 7)].concat();
    let id = store_clip(&receiver, &video);
    let path = format!("/api/media/{id}/video");
    let tag = format!("\"{}\"", sha256(&video));
    let length = video.len();
    let mut client = receiver.client();
    for (range, status, part) in [
        ("bytes=0-1", 206, 0..2),
        ("bytes=500000-", 206, 500_000..length),
        ("bytes=-10", 206, length - 10..length),
        ("bytes=300000-299999", 200, 0..length),
        ("bytes=0-0,5-6", 200, 0..length),
    ] {
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nRange: {range}\r\n\r\n",
            receiver.address
        ));
        let (answer, bytes) = client.answer_with_bytes();
        assert_eq!(answer.status, status, "{range}");
        assert!(bytes == video[part.clone()], "{range}");
        assert_eq!(answer.header("content-type"), Some("video/mp4"));
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        if status == 206 {
            let expected = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            assert_eq!(answer.header("content-range"), Some(expected.as_str()));
        }
    }
    let beyond = head(
        &mut client,
        &receiver,
        &format!("GET {path}"),
        &format!("Range: bytes={length}-\r\n"),
    );
    let expected = format!("bytes */{length}");
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some(expected.as_str()))
    );
    let known = head(
        &mut client,
        &receiver,
        &format!("GET {path}"),
        &format!("If-None-Match: {tag}\r\n"),
    );
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nRange: bytes=0-1\r\nIf-Range: \"other\"\r\n\r\n",
        receiver.address
    ));
    assert_eq!(client.answer_with_bytes().1.len(), length);
    let only_head = client.head(format!(
        "HEAD {path} HTTP/1.1\r\nHost: {}\r\nRange: bytes=0-9\r\n\r\n",
        receiver.address
    ));
    assert_eq!(
        (only_head.status, only_head.header("content-length")),
        (206, Some("10"))
    );
    assert_eq!(
        json(&head(&mut client, &receiver, &format!("GET /api/media/{id}"), ""))["sha256"],
        sha256(&video).as_str()
    );
}

#[test]
fn what_is_neither_video_nor_picture_is_only_downloaded() {
    let receiver = Receiver::start();
    for (bytes, media_type, attached) in [
        (
            &b"<html><script>alert(1)</script>"[..],
            "application/octet-stream",
            true,
        ),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'>",
            "application/octet-stream",
            true,
        ),
        (b"", "application/octet-stream", true),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg", false),
        (b"\x89PNG\r\n\x1a\nrest", "image/png", false),
        (b"\x00\x00\x00\x01raw", "video/h264", true),
        (MP4, "video/mp4", false),
    ] {
        let id = store_clip(&receiver, bytes);
        let answer = receiver.client().head(format!(
            "HEAD /api/media/{id}/video HTTP/1.1\r\nHost: {}\r\n\r\n",
            receiver.address
        ));
        assert_eq!(answer.header("content-type"), Some(media_type));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-disposition").is_some(), attached, "{media_type}");
        assert_eq!(
            receiver.local_json(&format!("/api/media/{id}"))["media_type"],
            media_type
        );
    }
    let asked = receiver.client().head(format!(
        "HEAD /api/media/7/video?download=1 HTTP/1.1\r\nHost: {}\r\n\r\n",
        receiver.address
    ));
    let name = asked.header("content-disposition").unwrap();
    assert_eq!(name, "attachment; filename=\"raspberry-1-2025-12-18T17-30-00-7.mp4\"");
}

#[test]
fn nothing_outside_the_clips_is_read() {
    let receiver = Receiver::start();
    store_clip(&receiver, MP4);
    for path in [
        "/api/media/..%2f..%2freceiver.db/video",
        "/api/media/1%00/video",
        "/api/media/0/video",
        "/api/media/-1",
        "/api/media/9223372036854775808",
        "/api/media/1%27",
        "/assets/x/main.js",
        "/assets/x/..%2f..%2freceiver.db",
        "/assets/../receiver.db",
        "//etc/passwd",
    ] {
        assert_eq!(receiver.local(&format!("GET {path}")).status, 404, "{path}");
    }
    // A clip that somebody deleted by hand is told as broken, not as something else.
    let (clips, _) = receiver.files();
    std::fs::remove_file(receiver.path().join("clips").join(&clips[0])).unwrap();
    assert_eq!(
        receiver.local_json("/api/media/1")["media_type"],
        "application/octet-stream"
    );
}

#[test]
fn devices_come_worst_first_in_pages() {
    let receiver = Receiver::start();
    for number in 0..7 {
        store_event(&receiver, &format!("shop-{number}"), "2025-12-18T10:00:00", "PIR");
    }
    receiver
        .database()
        .execute(
            "UPDATE device_row SET row_at = unixepoch() - 86500 WHERE device_id IN ('shop-3', 'shop-5')",
            [],
        )
        .unwrap();
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = receiver.local_json(&format!("/api/devices?limit=2&cursor={cursor}"));
        assert_eq!(
            (
                page["counts"]["silent"].as_u64(),
                page["counts"]["ok"].as_u64(),
                page["total"].as_u64()
            ),
            (Some(2), Some(5), Some(7))
        );
        names.extend(
            page["devices"]
                .as_array()
                .unwrap()
                .iter()
                .map(|device| device["device_id"].as_str().unwrap().to_string()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = next.to_string(),
            None => break,
        }
    }
    assert_eq!(names.join(" "), "shop-3 shop-5 shop-0 shop-1 shop-2 shop-4 shop-6");
    let found = receiver.local_json("/api/devices?q=OP-5&state=silent");
    assert_eq!(
        (found["total"].as_u64(), found["devices"][0]["device_id"].as_str()),
        (Some(1), Some("shop-5"))
    );
    assert_eq!(receiver.local("GET /api/devices?state=odd").status, 400);
}

#[test]
fn new_clips_are_gone_through_and_finished_each_persons_own() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &[]);
    receiver.add_person("ben", &[]);
    for _ in 0..5 {
        store_clip(&receiver, MP4);
    }
    let (anna, ben) = (receiver.sign_in("anna"), receiver.sign_in("ben"));
    let page = anna.json("/api/new?limit=2");
    let ids: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|clip| clip["id"].as_i64().unwrap())
        .collect();
    assert_eq!(
        (page["count"].as_u64(), page["newest"].as_i64(), ids),
        (Some(5), Some(5), vec![1, 2])
    );
    assert_eq!(anna.ask("PUT", "/api/new", "", r#"{"seen":3}"#).status, 204);
    // Never back, and not beyond what is there.
    assert_eq!(anna.ask("PUT", "/api/new", "", r#"{"seen":2}"#).status, 204);
    assert_eq!(anna.json("/api/new")["count"], 2);
    assert_eq!(anna.ask("PUT", "/api/new", "", r#"{"seen":99}"#).status, 204);
    assert_eq!(
        (
            anna.json("/api/new")["count"].as_u64(),
            ben.json("/api/new")["count"].as_u64()
        ),
        (Some(0), Some(5))
    );
    store_clip(&receiver, MP4);
    assert_eq!(anna.json("/api/new")["items"][0]["id"], 6);
    assert_eq!(anna.ask("PUT", "/api/new", "", "{}").status, 400);
}

#[test]
fn a_device_is_listed_as_it_said_it_is() {
    let receiver = Receiver::start();
    store_event(&receiver, "rows-only", "2025-12-18T10:00:00", "PIR");
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let put = |device: &str, clock_ms: u128, waiting: u64, age_s: i64, free: u64| {
        let body = format!(
            r#"{{"version":1,"program_version":"0.1.0","service":{{"mode":"continuous","interval_s":300}},"clock_unix_ms":{clock_ms},"utc_offset_s":-12600,
            "disk":{{"free_bytes":{free},"total_bytes":1000}},
            "tables":{{"evenement":{{"waiting":{waiting},"oldest_waiting":{{"age_seconds":{age_s}}}}},"media":{{"failed":1}}}}}}"#
        );
        let answer = receiver.ask(format!(
            "PUT /api/devices/{device}/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert_eq!(answer.status, 204, "{answer:?}");
    };
    put("fine", now_ms, 0, 10, 500);
    put("trouble", now_ms + 600_000, 41, 4000, 40);
    put("late", now_ms, 0, 0, 500);
    put("gone", now_ms, 0, 0, 500);
    for (device, ago_s) in [("late", 400), ("gone", 901)] {
        let changed = receiver.database().execute(
            "UPDATE device SET received_at = strftime('%Y-%m-%dT%H:%M:%SZ', unixepoch() - ?2, 'unixepoch') WHERE device_id = ?1",
            (device, ago_s),
        );
        assert_eq!(changed, Ok(1));
    }
    let page = receiver.local_json("/api/devices");
    let states: Vec<String> = page["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| format!("{} {}", device["device_id"].as_str().unwrap(), device["states"]))
        .collect();
    assert_eq!(
        states,
        [
            r#"gone ["silent"]"#,
            r#"trouble ["disk_low","backlog","clock_off"]"#,
            r#"late ["late"]"#,
            r#"fine ["ok"]"#,
            r#"rows-only ["ok"]"#,
        ]
    );
    let trouble = receiver.local_json("/api/devices/trouble");
    assert_eq!(
        (trouble["waiting"].as_u64(), trouble["oldest_waiting_s"].as_i64()),
        (Some(42), Some(4000))
    );
    assert_eq!(
        (trouble["disk_free_percent"].as_f64(), trouble["version"].as_str()),
        (Some(4.0), Some("0.1.0"))
    );
    assert!(
        (595..=600).contains(&trouble["clock_off_s"].as_i64().unwrap()),
        "{trouble}"
    );
    assert_eq!(
        (trouble["backlog_day"][23].as_u64(), trouble["backlog_day"][0].as_u64()),
        (Some(42), None)
    );
    assert_eq!(trouble["utc_offset_s"], -12_600);
    let unsaid = receiver.local_json("/api/devices/rows-only");
    assert!(unsaid["utc_offset_s"].is_null());
    assert_eq!(
        (unsaid["waiting"].as_u64(), unsaid["disk_free_percent"].as_f64()),
        (None, None)
    );
    assert_eq!(receiver.local("GET /api/devices/nobody").status, 404);
}

#[test]
fn a_long_list_is_packed_for_those_who_take_it() {
    let receiver = Receiver::start();
    for minute in 0..40 {
        store_event(&receiver, "a", &format!("2025-12-18T17:{minute:02}:00"), "PIR");
    }
    let mut client = receiver.client();
    let mut ask = |path: &str, accepted: &str| {
        client.send(format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: {accepted}\r\n\r\n",
            receiver.address
        ));
        client.answer_with_bytes()
    };
    let (plain, bytes) = ask("/api/evenements", "identity");
    assert_eq!(plain.header("content-encoding"), None);
    let (packed, fewer) = ask("/api/evenements", "gzip, br");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("vary"), Some("accept-encoding"));
    assert!(fewer.len() * 5 < bytes.len(), "{} of {}", fewer.len(), bytes.len());
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&fewer[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, bytes);
    // What is short goes as it is.
    assert_eq!(
        ask("/api/hours?day=2025-12-18&device=b", "gzip")
            .0
            .header("content-encoding"),
        None
    );
}
