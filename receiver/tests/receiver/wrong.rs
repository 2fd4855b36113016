//! What is not the contract's is refused by name, and nothing is stored.

use crate::support::{Receiver, clip, event, media_body, noise, post};

#[test]
fn a_wrong_event_is_refused_by_the_name_of_its_field() {
    let receiver = Receiver::start();
    let mut client = receiver.client();
    let date = r#""date":"2025-12-18T17:30:00.123456","#;
    let cases = [
        (String::new(), "JSON"),
        ("{".into(), "JSON"),
        ("[]".into(), "JSON"),
        ("\"x\"".into(), "JSON"),
        (format!("{} x", event()), "JSON"),
        (event().replace("Entr", "\u{1}"), "JSON"),
        (event().replace("\"PIR", "\"\\ud800"), "JSON"),
        (event().replace(r#""id":1"#, r#""id":1e999"#), "JSON"),
        (event().replace(date, ""), "date"),
        (event().replace(date, r#""date":[],"#), "date"),
        (event().replace(r#""capteur":"#, r#""sensor":"#), "capteur"),
        (event().replace(r#""capteur":{"#, r#""capteur":7,"x":{"#), "capteur"),
        (event().replace(r#""id":1,"#, ""), "capteur.id"),
        (event().replace(r#""id":1,"#, r#""id":{},"#), "capteur.id"),
        (event().replace(r#""nom":"PIR Entrée","#, ""), "capteur.nom"),
        (event().replace(r#","etat":1"#, ""), "capteur.etat"),
        (event().replace(r#""etat":1"#, r#""etat":[1]"#), "capteur.etat"),
        (event().replace(r#""device_id":"raspberry-1","#, ""), "device_id"),
        (event().replace(r#""raspberry-1""#, "null"), "device_id"),
        (event().replace(r#","source":"sync_service""#, ""), "source"),
        (event().replace(r#""sync_service""#, "3"), "source"),
    ];
    for (body, named) in cases {
        let answer = client.ask(post("/api/evenements", "", &body));
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.error().starts_with(named), "{body}: {}", answer.error());
        assert_eq!(answer.header("accept-encoding"), Some("gzip, zstd"));
    }
    assert!(receiver.holds_nothing());
}

#[test]
fn a_wrong_clip_is_refused_by_the_name_of_its_field() {
    let receiver = Receiver::start();
    let good = clip(b"hello");
    let cases = [
        (String::new(), "JSON"),
        ("null".into(), "JSON"),
        (good[..good.len() - 1].to_string(), "JSON"),
        (format!("{good}{{"), "JSON"),
        (good.replace(r#""date":"#, r#""date","#), "JSON"),
        (good.replace(r#""numero_camera":1,"#, ""), "numero_camera"),
        (
            good.replace(r#""numero_camera":1,"#, r#""numero_camera":{},"#),
            "numero_camera",
        ),
        (good.replace(r#""date":"2025-12-18T17:30:00.123456","#, ""), "date"),
        (good.replace(r#""id":4,"#, ""), "capteur.id"),
        (good.replace(r#","nom":"Caméra 1""#, ""), "capteur.nom"),
        (good.replace(r#""raspberry-1""#, "4"), "device_id"),
        (good.replace(r#","source":"sync_service""#, ""), "source"),
        (good.replace("video_data", "video"), "video_data"),
        (good.replace(r#""aGVsbG8=""#, "null"), "video_data"),
        (good.replace(r#""aGVsbG8=""#, r#"["aGVsbG8="]"#), "video_data"),
        (
            good.replace(r#""video_data":"#, r#""video_data":"","video_data":"#),
            "video_data",
        ),
        (media_body("aGVsbG8"), "video_data"),
        (media_body("aGVsbG8=="), "video_data"),
        (media_body("aGVs=G8="), "video_data"),
        (media_body("aGVsbG8=aGVs"), "video_data"),
        (media_body("aGVsbG9="), "video_data"),
        (media_body("aGVs\nbG8="), "video_data"),
        (media_body("aGV-_G8="), "video_data"),
        (media_body("aGVsé"), "video_data"),
        (media_body(r"aGVs\n"), "video_data"),
        (media_body(r"\u+061GVs"), "video_data"),
        (media_body(r"\u0161GVs"), "video_data"),
    ];
    for (body, named) in cases {
        // The connection ends where a body is refused before its end.
        let answer = receiver.ask(post("/api/media", "", &body));
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.error().starts_with(named), "{body}: {}", answer.error());
        assert!(receiver.holds_nothing(), "{body}");
    }
}

#[test]
fn a_sender_refused_in_mid_body_still_gets_the_reason() {
    let receiver = Receiver::start();
    let mut body = clip(&noise(12 << 20, 3)).into_bytes();
    body[1_000] = b'!';
    let mut client = receiver.client();
    // All of it, as a client does that looks for an answer only after its request.
    client.send(post("/api/media", "", &body));
    let answer = client.answer();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error(), "video_data: base64 invalide");
    assert!(receiver.holds_nothing());
}

#[test]
fn a_key_that_is_none_is_refused_by_name() {
    let receiver = Receiver::start();
    let long = "x".repeat(256);
    for key in ["", "\"\"", "é", long.as_str()] {
        let answer = receiver.ask(post("/api/evenements", &format!("Idempotency-Key: {key}\r\n"), event()));
        assert_eq!(answer.status, 400, "{key}");
        assert!(answer.error().starts_with("Idempotency-Key"), "{}", answer.error());
    }
    assert!(receiver.holds_nothing());
}
