//! The streaming parser against `serde_json`, for any object in pieces of any size.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::{BodyParser, DEPTH_MAX, FIELDS_MAX_BYTES};

const VIDEO: &str = "video_data";

fn push<W: Write>(parser: &mut BodyParser<W>, body: &[u8], cuts: &[usize]) -> Result<(), String> {
    let mut rest = body;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().copied().unwrap_or(1).clamp(1, rest.len());
        parser.write_all(&rest[..cut]).map_err(|error| error.to_string())?;
        rest = &rest[cut..];
    }
    Ok(())
}

fn parse(body: &[u8], cuts: &[usize]) -> Result<(Fields, Vec<u8>), String> {
    let mut parser = BodyParser::clip(Vec::new(), 1 << 20);
    push(&mut parser, body, cuts)?;
    parser.into_fields().map_err(|refusal| refusal.reason)
}

/// Names of the contract, and others.
fn arbitrary_key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["date", "capteur", "numero_camera", "device_id", "source"]).prop_map(String::from),
        ".{0,8}",
    ]
}

fn arbitrary_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_in_any_pieces_is_what_serde_json_reads(
        values in prop::collection::vec((arbitrary_key(), arbitrary_value()), 0..5),
        video in prop::collection::vec(any::<u8>(), 0..300),
        place in 0_usize..6,
        pretty in any::<bool>(),
        cuts in prop::collection::vec(1_usize..40, 1..6),
    ) {
        let (mut object, mut expected) = (Map::new(), Fields::default());
        let text = STANDARD.encode(&video);
        let mut values = values;
        values.retain(|(key, _)| key != VIDEO);
        values.insert(place.min(values.len()), (VIDEO.to_string(), Value::from(text)));
        for (key, value) in values {
            object.insert(key, value);
        }
        let value = Value::Object(object.clone());
        let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let (fields, decoded) = parse(&body, &cuts).unwrap();
        object.remove(VIDEO);
        for (key, value) in object {
            expected.set(&key, &serde_json::to_vec(&value).unwrap()).unwrap();
        }
        prop_assert_eq!(fields, expected);
        prop_assert_eq!(decoded, video);
    }

    #[test]
    fn nonsense_never_panics(body in prop::collection::vec(any::<u8>(), 0..200), cut in 1_usize..9) {
        let _ = parse(&body, &[cut]);
    }
}

#[test]
fn escapes_in_the_video_are_understood() {
    let (_, video) = parse(br#"{"video_data":"\/\u002b8\u003D"}"#, &[3]).unwrap();
    assert_eq!(video, STANDARD.decode("/+8=").unwrap());
}

#[test]
fn wrong_bodies_are_refused_with_their_reason() {
    for (body, reason) in [
        ("", "incomplet"),
        ("[]", "inattendu"),
        ("{", "incomplet"),
        (r#"{"video_data":"AAAA""#, "incomplet"),
        (r#"{"a":1}"#, "video_data: champ manquant"),
        (r#"{"video_data":7}"#, "video_data: un texte"),
        (r#"{"video_data":"AAA"}"#, "base64 invalide"),
        (r#"{"video_data":"AA=="x}"#, "inattendu"),
        (r#"{"video_data":"AA==AAAA"}"#, "base64 invalide"),
        (r#"{"video_data":"A A="}"#, "base64 invalide"),
        (r#"{"video_data":"é==="}"#, "base64 invalide"),
        (r#"{"video_data":"","video_data":""}"#, "deux fois"),
        (r#"{"a":tru,"video_data":""}"#, "JSON invalide"),
        (r#"{"a":1 2,"video_data":""}"#, "inattendu"),
        (r#"{"a":]}"#, "fermante"),
        (r#"{"video_data":"",}"#, "inattendu"),
        (r#"{"video_data":""} x"#, "inattendu"),
    ] {
        let error = parse(body.as_bytes(), &[1]).unwrap_err();
        assert!(error.contains(reason), "{body}: {error}");
    }
}

#[test]
fn there_is_a_limit_on_everything() {
    let long = format!(r#"{{"a":"{}","video_data":""}}"#, "x".repeat(FIELDS_MAX_BYTES));
    assert!(
        parse(long.as_bytes(), &[4_096])
            .unwrap_err()
            .contains("en plus de video_data")
    );
    let video = format!(r#"{{"video_data":"{}"}}"#, "AAAA".repeat(400_000));
    assert!(
        parse(video.as_bytes(), &[4_096])
            .unwrap_err()
            .contains("video_data: plus de")
    );
    let spaces = " ".repeat(4 << 20);
    assert!(parse(spaces.as_bytes(), &[65_536]).unwrap_err().contains("trop long"));
}

#[test]
fn values_nest_as_deep_as_the_limit_and_no_deeper() {
    let body = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"a":{open}{close},"video_data":""}}"#)
    };
    parse(body(DEPTH_MAX as usize).as_bytes(), &[7]).unwrap();
    let error = parse(body(DEPTH_MAX as usize + 1).as_bytes(), &[7]).unwrap_err();
    assert!(error.contains("32 niveaux"), "{error}");
}

#[test]
fn an_event_has_no_video_and_may_have_a_field_of_that_name() {
    let event = r#"{"date":"d","capteur":{"id":1,"nom":null,"etat":0},"device_id":"a","source":"b","video_data":[1]}"#;
    let mut parser = BodyParser::event();
    push(&mut parser, event.as_bytes(), &[3]).unwrap();
    assert_eq!(parser.into_event().unwrap().origin.device_id, "a");
}
