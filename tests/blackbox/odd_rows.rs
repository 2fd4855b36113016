//! Rows that are odd but real: sent as they are, never skipped, never fatal.

use crate::support::expected::{clip_body, event_body};
use crate::support::{Act, Backend, Device, Journal, Layout, Service, assert_everything_arrived_once};

/// A device whose columns take any value: the recorder's without its constraints.
fn lenient() -> Device {
    let device = Device::new();
    device.sql(
        "DROP TABLE evenement; DROP TABLE media;
         CREATE TABLE evenement (id_evenement INTEGER PRIMARY KEY AUTOINCREMENT, date, id_capteur);
         CREATE TABLE media (id_media INTEGER PRIMARY KEY AUTOINCREMENT, video, date, id_capteur, numero_camera);",
    );
    device
}

fn bodies(backend: &Backend) -> Vec<String> {
    backend
        .received()
        .iter()
        .map(|request| request.text().to_owned())
        .collect()
}

#[test]
fn a_row_whose_sensor_is_gone_is_sent_without_its_name() {
    for (layout, state) in [(Layout::Current, "null"), (Layout::Older, "0")] {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        let date = device.next_date();
        device.event_at(&date, 99);
        device.clip_at(&date, 4, 1, b"clip");
        device.sql("DELETE FROM capteur WHERE id_capteur = 4");
        Service::once(&device, &backend).run().exits(0);
        let date = format!("{date:?}");
        let event = event_body(
            &date,
            &format!(r#"{{"id":99,"nom":null,"etat":{state}}}"#),
            "raspberry-1",
        );
        let clip = clip_body(&date, r#"{"id":4,"nom":null}"#, "1", b"clip", "raspberry-1");
        assert_eq!(bodies(&backend), [event, clip]);
    }
}

#[test]
fn dates_that_are_no_text_are_sent_as_what_they_are() {
    let (device, backend) = (lenient(), Backend::start());
    for date in [
        "NULL",
        "5",
        "1766075400.5",
        "''",
        "-9223372036854775808",
        "'not a date'",
    ] {
        device.sql(&format!("INSERT INTO evenement (date, id_capteur) VALUES ({date}, 1)"));
        device.sql(&format!(
            "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (x'00', {date}, 4, 1)"
        ));
    }
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
    let bodies = bodies(&backend);
    for date in [
        r#"{"date":null,"#,
        r#"{"date":5,"#,
        r#"{"date":1766075400.5,"#,
        r#"{"date":"","#,
        r#"{"date":-9223372036854775808,"#,
        r#"{"date":"not a date","#,
    ] {
        assert_eq!(
            bodies.iter().filter(|body| body.starts_with(date)).count(),
            2,
            "{date}: {bodies:?}"
        );
    }
}

#[test]
fn sensors_and_cameras_that_are_no_numbers_are_sent_as_what_they_are() {
    let (device, backend) = (lenient(), Backend::start());
    device.sql("INSERT INTO evenement (date, id_capteur) VALUES ('1', NULL), ('2', 'porte'), ('3', 1.5)");
    device.sql("INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (x'00', '1', NULL, NULL), (x'00', '2', 'x', 'y')");
    Service::once(&device, &backend).run().exits(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn text_that_is_not_utf_8_is_sent_with_replaced_characters_and_a_warning() {
    let (device, backend) = (Device::new(), Backend::start());
    device.sql("UPDATE capteur SET nom_capteur = CAST(x'456E7472E965' AS TEXT) WHERE id_capteur = 1");
    device.sql("INSERT INTO evenement (date, id_capteur) VALUES (CAST(x'32FF36' AS TEXT), 1)");
    let run = Service::once(&device, &backend)
        .env("RUST_LOG", "warn")
        .run()
        .exits_with_words(0);
    let sensor = "{\"id\":1,\"nom\":\"Entr\u{fffd}e\",\"etat\":1}";
    assert_eq!(bodies(&backend), [event_body("\"2\u{fffd}6\"", sensor, "raspberry-1")]);
    assert!(run.stderr.contains("UTF-8"), "{run}");
}

#[test]
fn text_with_a_nul_inside_is_sent_whole() {
    let (device, backend) = (Device::new(), Backend::start());
    device.sql("INSERT INTO evenement (date, id_capteur) VALUES (CAST(x'310032' AS TEXT), 1)");
    Service::once(&device, &backend).run().exits(0);
    assert!(
        bodies(&backend)[0].starts_with(r#"{"date":"1\u00002","#),
        "{:?}",
        bodies(&backend)
    );
}

#[test]
fn a_number_json_cannot_say_does_not_stop_the_rows_behind_it() {
    let (device, backend) = (lenient(), Backend::start());
    device.sql("INSERT INTO evenement (date, id_capteur) VALUES (9e999, 1), (-9e999, 1), ('3', 1)");
    Service::once(&device, &backend).run().exits_with_words(0);
    assert_eq!(backend.stored_count(), 3);
    for body in bodies(&backend) {
        serde_json::from_str::<serde_json::Value>(&body).expect(&body);
    }
}

#[test]
fn an_empty_video_and_a_video_as_text_are_sent() {
    let (device, backend) = (Device::new(), Backend::start());
    let (empty, text) = (device.clip(b""), device.clip(b""));
    device.sql("UPDATE media SET video = 'caf\u{e9}' WHERE id_media = 2");
    Service::once(&device, &backend).run().exits(0);
    let bodies = bodies(&backend);
    assert!(bodies[0].contains(r#""video_data":"","#), "{empty}: {bodies:?}");
    assert!(bodies[1].contains(r#""video_data":"Y2Fmw6k=","#), "{text}: {bodies:?}");
}

#[test]
fn a_large_video_as_text_is_sent_like_any_other() {
    let (device, backend) = (Device::new(), Backend::start());
    let clip = device.clip(b"");
    device.sql("UPDATE media SET video = replace(hex(zeroblob(3000000)), '0', 'ab')");
    assert_eq!(
        device.value::<i64>("SELECT typeof(video) = 'text' AND length(video) = 12000000 FROM media"),
        1
    );
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received()[0].video, Some(device.fingerprint(clip)));
}

#[test]
fn ids_are_64_bits_wide_and_may_be_negative() {
    let (device, backend) = (Device::new(), Backend::start());
    let ids = [
        i64::MIN + 1,
        -5,
        0,
        7,
        9_007_199_254_740_992,
        9_007_199_254_740_993,
        i64::MAX,
    ];
    for id in ids {
        let date = device.next_date();
        device.sql(&format!("INSERT INTO evenement VALUES ({id}, '{date}', {id})"));
        let video = format!("x'{:02x}'", id & 0xff);
        device.sql(&format!("INSERT INTO media VALUES ({id}, {video}, '{date}', 4, 1)"));
    }
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(run.stdout.contains("✅ Événement 9007199254740993 → "), "{run}");
    assert_everything_arrived_once(&device, &backend);
    assert!(
        bodies(&backend)
            .iter()
            .any(|body| body.contains(r#"{"id":9007199254740993,"#))
    );
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.received().len(), 14);
}

#[test]
fn an_id_of_the_server_may_be_64_bits_wide() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    backend.always(Act::stored_but_says(r#"{"id":9223372036854775807}"#));
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(device.tracked("evenement", 1).unwrap().remote_id, Some(i64::MAX));
}

#[test]
fn a_row_deleted_since_the_list_was_read_is_passed_over_silently() {
    for layout in Layout::ALL {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        device.events(4);
        for _ in 0..3 {
            device.clip(b"clip");
        }
        let path = device.path();
        let mut first = true;
        backend.script(move |_| {
            if std::mem::take(&mut first) {
                let delete = "DELETE FROM evenement WHERE id_evenement = 3; DELETE FROM media WHERE id_media = 2;";
                crate::support::device::connect(&path)
                    .unwrap()
                    .execute_batch(delete)
                    .unwrap();
            }
            Act::created()
        });
        let run = Service::once(&device, &backend).run().exits(0);
        assert!(!run.stdout.contains("❌"), "{run}");
        assert_everything_arrived_once(&device, &backend);
        assert_eq!(device.tracking().len(), 3 + 2, "a row that is gone was tracked");
    }
}

#[test]
fn an_old_clip_that_the_recorders_trigger_deletes_is_no_trouble() {
    let (device, backend) = (Device::with(Layout::Older, Journal::Delete), Backend::start());
    device.clip(b"new");
    Service::once(&device, &backend).run().exits(0);
    // A month passes: the recorder's next clip deletes the first one.
    device.sql("UPDATE media SET date_media = '2001-01-01T00:00:00'");
    device.clip(b"newer");
    assert_eq!(device.value::<i64>("SELECT count(*) FROM media"), 1);
    let run = Service::once(&device, &backend).run().exits(0);
    assert!(run.stdout.contains("   media        - success :    2\n"), "{run}");
}

#[test]
fn rows_of_the_same_moment_are_all_sent() {
    let (device, backend) = (Device::new(), Backend::start());
    for _ in 0..300 {
        device.event_at("2025-12-18T17:30:00", 1);
    }
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(backend.stored_count(), 300);
}

#[test]
fn odd_ids_in_sync_tracking_stop_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    Service::once(&device, &backend).run().exits(0);
    device.sql(
        "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status) VALUES
            ('evenement', 'abc', '', 'failed'), ('media', 'abc', '', 'pending'), ('evenement', 1.5, '', 'failed'),
            ('evenement', -9223372036854775807 - 1, '', 'failed'), ('media', -9223372036854775807 - 1, '', 'pending'),
            ('media', x'00', x'ff', 'success');",
    );
    device.events(2);
    Service::once(&device, &backend).run().exits_with_words(0);
    assert_eq!(backend.stored_count(), 4);
    device.sql("DELETE FROM sync_tracking WHERE typeof(local_id) <> 'integer' OR local_id < 0");
    device.clip(b"clip");
    Service::once(&device, &backend).run().exits_with_words(0);
    assert_everything_arrived_once(&device, &backend);
    for command in ["status", "check"] {
        let run = Service::command(&[command]).on(&device, &backend.url(), "once").run();
        assert_ne!(run.code(), Some(2), "{run}");
    }
}
