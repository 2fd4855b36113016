//! What travels on the wire, to the letter.

use crate::support::expected::{clip_body, event_body, json};
use crate::support::random::video;
use crate::support::{Backend, Device, Journal, Layout, Service};

const DATE: &str = "2025-12-18T17:30:00.123456";

#[test]
fn an_event_is_the_contracts_json_to_the_letter() {
    for (layout, state) in [(Layout::Current, 1), (Layout::Older, 0)] {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        device.event_at(DATE, 1);
        Service::once(&device, &backend).run().exits(0);
        let [request] = &backend.received()[..] else {
            panic!("one row, one request")
        };
        let body = format!(
            r#"{{"date":"2025-12-18T17:30:00.123456","capteur":{{"id":1,"nom":"PIR Entrée","etat":{state}}},"device_id":"raspberry-1","source":"sync_service"}}"#
        );
        assert_eq!(request.text(), body, "{layout:?}");
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/api/evenements")
        );
    }
}

#[test]
fn a_clip_is_the_contracts_json_to_the_letter() {
    for layout in Layout::ALL {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        let date = device.next_date();
        device.clip_at(&date, 4, 1, b"\x00\x00\x00\x18ftyp\xff");
        Service::once(&device, &backend).run().exits(0);
        let [request] = &backend.received()[..] else {
            panic!("one row, one request")
        };
        let body = format!(
            r#"{{"date":"{date}","capteur":{{"id":4,"nom":"Caméra 1"}},"numero_camera":1,"video_data":"AAAAGGZ0eXD/","device_id":"raspberry-1","source":"sync_service"}}"#
        );
        assert_eq!(request.text(), body, "{layout:?}");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/media"));
    }
}

#[test]
fn a_clip_of_any_length_is_padded_base64_of_all_its_bytes() {
    let (device, backend) = (Device::new(), Backend::start());
    let lengths = [0, 1, 2, 3, 4, 5, 511, 512, 4096, 65_535, 65_536, 65_537, 1_000_003];
    for len in lengths {
        device.clip_at(DATE, 5, 2, &video(9, len));
    }
    Service::once(&device, &backend).run().exits(0);
    let received = backend.received();
    assert_eq!(received.len(), lengths.len());
    for (request, len) in received.iter().zip(lengths) {
        let body = clip_body(
            &json(DATE),
            r#"{"id":5,"nom":"Caméra 2"}"#,
            "2",
            &video(9, len),
            "raspberry-1",
        );
        assert!(
            request.text() == body,
            "{len} bytes became another body: {}",
            request.outline
        );
    }
}

#[test]
fn requests_say_what_they_carry_and_nothing_of_the_body_moves_elsewhere() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    device.clip(&video(1, 5_000));
    Service::once(&device, &backend).run().exits(0);
    for request in backend.received() {
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("content-length"),
            Some(request.body.len().to_string().as_str())
        );
        assert_eq!(
            request.header("host"),
            Some(backend.url().trim_start_matches("http://"))
        );
        for absent in [
            "transfer-encoding",
            "content-encoding",
            "expect",
            "authorization",
            "cookie",
            "referer",
        ] {
            assert_eq!(request.header(absent), None, "{}", request.head);
        }
    }
}

#[test]
fn the_base_url_may_end_in_a_slash_and_have_a_path() {
    for (suffix, prefix) in [
        ("", ""),
        ("/", ""),
        ("/base", "/base"),
        ("/base/", "/base"),
        ("/a/b%20c/", "/a/b%20c"),
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        device.clip(b"clip");
        Service::of(&device, &format!("{}{suffix}", backend.url()), "once")
            .run()
            .exits(0);
        let paths: Vec<String> = backend.received().into_iter().map(|request| request.path).collect();
        assert_eq!(
            paths,
            [format!("{prefix}/api/evenements"), format!("{prefix}/api/media")]
        );
    }
}

#[test]
fn names_with_any_character_arrive_as_they_are() {
    let name = "\"Entrée\" \\ \t\u{1} \u{1F4A1} \u{7f} \u{2028} <é>&";
    let device_id = "pi \"salon\" \\ caméra \u{1F4F9}";
    let (device, backend) = (Device::new(), Backend::start());
    device
        .db()
        .execute("UPDATE capteur SET nom_capteur = ? WHERE id_capteur = 1", [name])
        .unwrap();
    device.event_at(DATE, 1);
    Service::once(&device, &backend)
        .env("DEVICE_ID", device_id)
        .run()
        .exits(0);
    let sensor = format!(r#"{{"id":1,"nom":{},"etat":1}}"#, json(name));
    assert_eq!(
        backend.received()[0].text(),
        event_body(&json(DATE), &sensor, device_id)
    );
}

#[test]
fn events_go_before_media_and_oldest_first() {
    let (device, backend) = (Device::new(), Backend::start());
    for (day, camera) in [(3, 1), (1, 2), (2, 1), (1, 1)] {
        device.clip_at(&format!("2025-12-0{day}T00:00:00"), 4, camera, b"clip");
    }
    for (day, sensor) in [(3, 1), (1, 2), (2, 3), (1, 1), (3, 2)] {
        device.event_at(&format!("2025-12-0{day}T00:00:00"), sensor);
    }
    Service::once(&device, &backend).run().exits(0);
    let ids = |table| -> Vec<i64> {
        let mut rows = device.tracking();
        rows.retain(|row| row.table == table);
        rows.sort_by_key(|row| row.remote_id);
        rows.into_iter().map(|row| row.local_id).collect()
    };
    // Of the same date, in the order they were inserted.
    assert_eq!(ids("evenement"), [2, 4, 3, 1, 5]);
    assert_eq!(ids("media"), [2, 4, 3, 1]);
    let tables: Vec<&str> = backend.received().iter().map(|request| request.table()).collect();
    assert_eq!(tables, [vec!["evenement"; 5], vec!["media"; 4]].concat());
}

#[test]
fn a_pass_uses_one_connection() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(50);
    for len in [0, 1_000, 300_000, 1_500_000, 10] {
        device.clip(&video(len as u64, len));
    }
    Service::once(&device, &backend).run().exits(0);
    let received = backend.received();
    assert_eq!(received.len(), 55);
    assert!(
        received.iter().all(|request| request.connection == 0),
        "a connection was thrown away"
    );
}

#[test]
fn an_answer_with_a_decimal_string_as_id_is_understood() {
    let (device, backend) = (Device::new(), Backend::start());
    let event = device.event();
    backend.always(crate::support::Act::stored_but_says(r#"{"message":"ok","id":"123"}"#));
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(device.tracked("evenement", event).unwrap().remote_id, Some(123));
}
