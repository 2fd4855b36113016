//! What a row must look like on the wire, told a second time and independently of the uploader.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rusqlite::types::Value;

use super::device::Device;
use super::layout::Layout;

/// A row of the device and the body it must be sent with.
#[derive(Debug, Clone)]
pub struct Expected {
    pub table: &'static str,
    pub id: i64,
    /// The body; of a clip, with an empty `video_data`.
    pub outline: String,
    pub video: Option<(u64, u64)>,
}

pub fn event_body(date: &str, sensor: &str, device_id: &str) -> String {
    format!(
        r#"{{"date":{date},"capteur":{sensor},"device_id":{},"source":"sync_service"}}"#,
        json(device_id)
    )
}

pub fn clip_body(date: &str, sensor: &str, camera: &str, video: &[u8], device_id: &str) -> String {
    let video = BASE64_STANDARD.encode(video);
    let device_id = json(device_id);
    format!(
        r#"{{"date":{date},"capteur":{sensor},"numero_camera":{camera},"video_data":"{video}","device_id":{device_id},"source":"sync_service"}}"#
    )
}

pub fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn value(value: Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => serde_json::to_string(&number).unwrap(),
        Value::Text(text) => json(&text),
        Value::Blob(_) => panic!("the tests put no blob here"),
    }
}

/// Every row of the device as it must arrive, read from its tables.
pub fn rows(device: &Device, device_id: &str) -> Vec<Expected> {
    let db = device.db();
    let mut rows = Vec::new();
    let state = if device.layout == Layout::Current {
        "capteur.etat_capteur"
    } else {
        "evenement.etat_capteur"
    };
    let query = format!(
        "SELECT id_evenement, {}, evenement.id_capteur, nom_capteur, {state} FROM evenement
         LEFT JOIN capteur ON capteur.id_capteur = evenement.id_capteur",
        device.layout.date_column("evenement")
    );
    let mut query = db.prepare(&query).unwrap();
    let mut events = query.query([]).unwrap();
    while let Some(row) = events.next().unwrap() {
        let column = |index| value(row.get(index).unwrap());
        let sensor = format!(r#"{{"id":{},"nom":{},"etat":{}}}"#, column(2), column(3), column(4));
        let outline = event_body(&column(1), &sensor, device_id);
        rows.push(Expected {
            table: "evenement",
            id: row.get(0).unwrap(),
            outline,
            video: None,
        });
    }
    let query = format!(
        "SELECT id_media, {}, media.id_capteur, nom_capteur, numero_camera, length(video) FROM media
         LEFT JOIN capteur ON capteur.id_capteur = media.id_capteur",
        device.layout.date_column("media")
    );
    let mut query = db.prepare(&query).unwrap();
    let mut clips = query.query([]).unwrap();
    while let Some(row) = clips.next().unwrap() {
        let id = row.get(0).unwrap();
        let column = |index| value(row.get(index).unwrap());
        let sensor = format!(r#"{{"id":{},"nom":{}}}"#, column(2), column(3));
        let outline = clip_body(&column(1), &sensor, &column(4), b"", device_id);
        rows.push(Expected {
            table: "media",
            id,
            outline,
            video: Some(device.fingerprint(id)),
        });
    }
    rows
}
