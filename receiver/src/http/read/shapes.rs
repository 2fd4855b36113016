//! What the reading API answers, as JSON.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::media_type;
use crate::record::Scalar;
use crate::store::reading::{ClipRow, EventRow};

/// A value as the device sent it: a text, a number or null.
fn plain() -> ObjectBuilder {
    let types = [Type::String, Type::Number, Type::Null];
    ObjectBuilder::new().schema_type(SchemaType::Array(types.into()))
}

fn json(scalar: Scalar) -> serde_json::Value {
    match scalar {
        Scalar::Null => serde_json::Value::Null,
        Scalar::Integer(integer) => integer.into(),
        Scalar::Real(real) => real.into(),
        Scalar::Text(text) => text.into(),
    }
}

/// A refusal.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// What is wrong, in a sentence.
    error: String,
    /// Why nobody's request it is, for the page: `sign_in`, `no_people`, `unknown_person`, `device`, `other_site`.
    reason: Option<String>,
}

/// A sensor of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct EventSensor {
    #[schema(schema_with = plain)]
    id: serde_json::Value,
    #[schema(schema_with = plain)]
    nom: serde_json::Value,
    #[schema(schema_with = plain)]
    etat: serde_json::Value,
}

/// A sensor of a clip.
#[derive(Serialize, ToSchema)]
pub(super) struct ClipSensor {
    #[schema(schema_with = plain)]
    id: serde_json::Value,
    #[schema(schema_with = plain)]
    nom: serde_json::Value,
}

/// An event.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    pub(super) id: i64,
    /// The device's date: its own wall clock as a rule.
    #[schema(schema_with = plain)]
    date: serde_json::Value,
    capteur: EventSensor,
    device_id: String,
    /// When it came here, UTC.
    #[schema(format = DateTime)]
    received_at: String,
}

/// A clip, without its bytes.
#[derive(Serialize, ToSchema)]
pub(super) struct Clip {
    pub(super) id: i64,
    /// The device's date: its own wall clock as a rule.
    #[schema(schema_with = plain)]
    date: serde_json::Value,
    capteur: ClipSensor,
    #[schema(schema_with = plain)]
    numero_camera: serde_json::Value,
    device_id: String,
    /// When it came here, UTC.
    #[schema(format = DateTime)]
    received_at: String,
    size_bytes: u64,
    /// Whether it is kept whatever its age.
    pinned: bool,
    /// What its file's name says that it is; the bytes decide when it is served.
    media_type: Option<String>,
}

/// A clip and what its bytes say.
#[derive(Serialize, ToSchema)]
pub(super) struct ClipDetails {
    #[serde(flatten)]
    clip: Clip,
    sha256: String,
    /// The codec of an MP4 as its four characters, where it is known.
    codec: Option<String>,
    /// Where its bytes are.
    video: String,
}

/// A page of events, newest first unless asked otherwise.
#[derive(Serialize, ToSchema)]
pub(super) struct Events {
    items: Vec<Event>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A page of clips, newest first unless asked otherwise.
#[derive(Serialize, ToSchema)]
pub(super) struct Clips {
    items: Vec<Clip>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            date: json(row.date),
            capteur: EventSensor {
                id: json(row.sensor_id),
                nom: json(row.sensor_name),
                etat: json(row.sensor_state),
            },
            device_id: row.device_id,
            received_at: row.received_at,
        }
    }
}

impl From<ClipRow> for Clip {
    fn from(row: ClipRow) -> Self {
        let ending = row.file.rsplit_once('.').map(|(_, ending)| ending);
        Self {
            id: row.id,
            date: json(row.date),
            capteur: ClipSensor {
                id: json(row.sensor_id),
                nom: json(row.sensor_name),
            },
            numero_camera: json(row.camera),
            device_id: row.device_id,
            received_at: row.received_at,
            size_bytes: row.size_bytes,
            pinned: row.pinned,
            media_type: ending.and_then(media_type::of_extension).map(str::to_string),
        }
    }
}

impl ClipDetails {
    pub(super) fn new(row: ClipRow, media_type: &str, codec: Option<&str>) -> Self {
        let sha256 = row.sha256.clone();
        let clip = Clip {
            media_type: Some(media_type.to_string()),
            ..Clip::from(row)
        };
        Self {
            video: format!("/api/media/{}/video", clip.id),
            clip,
            sha256,
            codec: codec.map(str::to_string),
        }
    }
}

impl Events {
    pub(super) fn new(rows: Vec<EventRow>, next: Option<String>) -> Self {
        let items = rows.into_iter().map(Event::from).collect();
        Self { items, next }
    }
}

impl Clips {
    pub(super) fn new(rows: Vec<ClipRow>, next: Option<String>) -> Self {
        let items = rows.into_iter().map(Clip::from).collect();
        Self { items, next }
    }
}
