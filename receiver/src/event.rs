//! The fields of the two bodies, and what is wrong with them.

use serde_json::{Map, Value};

use crate::answer::Refusal;

/// Longest body of an event, and most of what a clip's body may hold beside its video. Real ones have some 200 bytes;
/// names are free text.
pub const FIELDS_MOST: usize = 1 << 20;

/// What a body says apart from a clip's video. Values are kept as they come: a recorder may have written any type.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields {
    /// `date`.
    pub date: Value,
    /// `capteur.id`.
    pub sensor_id: Value,
    /// `capteur.nom`.
    pub sensor_name: Value,
    /// `capteur.etat`, of an event; null of a clip.
    pub sensor_state: Value,
    /// `numero_camera`, of a clip; null of an event.
    pub camera: Value,
    /// `device_id`.
    pub device_id: String,
    /// `source`.
    pub source: String,
}

impl Fields {
    /// The fields of an event's body.
    ///
    /// # Errors
    /// 400 with the first field that is missing or not of its kind.
    pub fn of_event(body: &[u8]) -> Result<Self, Refusal> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("JSON invalide: {error}")))?;
        let Value::Object(object) = value else {
            return Err(Refusal::bad("JSON invalide: un objet est attendu"));
        };
        Self::new(&object, true)
    }

    /// The fields of a clip's body, without its video.
    ///
    /// # Errors
    /// 400 with the first field that is missing or not of its kind.
    pub fn of_media(object: &Map<String, Value>) -> Result<Self, Refusal> {
        Self::new(object, false)
    }

    fn new(object: &Map<String, Value>, event: bool) -> Result<Self, Refusal> {
        let sensor = match object.get("capteur") {
            Some(Value::Object(sensor)) => sensor,
            Some(_) => return Err(Refusal::bad("capteur: un objet est attendu")),
            None => return Err(Refusal::bad("capteur: champ manquant")),
        };
        Ok(Self {
            date: plain(object, "date", "date")?,
            sensor_id: plain(sensor, "id", "capteur.id")?,
            sensor_name: plain(sensor, "nom", "capteur.nom")?,
            sensor_state: if event {
                plain(sensor, "etat", "capteur.etat")?
            } else {
                Value::Null
            },
            camera: if event {
                Value::Null
            } else {
                plain(object, "numero_camera", "numero_camera")?
            },
            device_id: text(object, "device_id")?,
            source: text(object, "source")?,
        })
    }
}

/// A value that a database column can hold: null, a number, text.
fn plain(object: &Map<String, Value>, key: &str, name: &str) -> Result<Value, Refusal> {
    match object.get(key) {
        None => Err(Refusal::bad(format!("{name}: champ manquant"))),
        Some(Value::Object(_) | Value::Array(_) | Value::Bool(_)) => {
            Err(Refusal::bad(format!("{name}: un texte, un nombre ou null est attendu")))
        }
        Some(value) => Ok(value.clone()),
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    match object.get(name) {
        None => Err(Refusal::bad(format!("{name}: champ manquant"))),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Refusal::bad(format!("{name}: un texte est attendu"))),
    }
}
