//! The fields of the two bodies: each read into its type as soon as it is complete, and what is wrong with them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::answer::Refusal;
use crate::record::{Clip, Event, Origin, Scalar};

/// A field that should be a [`Scalar`].
#[derive(Debug, Default, Clone, PartialEq)]
enum Field {
    #[default]
    Missing,
    Scalar(Scalar),
    /// A list, an object or a boolean: its content is not kept.
    Other,
}

#[derive(Debug, Default, Clone, PartialEq)]
enum Sensor {
    #[default]
    Missing,
    Object(SensorFields),
    Other,
}

/// The fields that came so far. The last of several of one name counts.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Fields {
    date: Field,
    sensor: Sensor,
    camera: Field,
    device_id: Field,
    source: Field,
}

impl Fields {
    /// Takes a field with its value in JSON. One that is not known is read for its errors alone.
    pub(super) fn set(&mut self, key: &str, json: &[u8]) -> Result<(), Refusal> {
        let text = std::str::from_utf8(json).map_err(invalid)?;
        match key {
            "date" => self.date = read(text)?,
            "capteur" if text.starts_with('{') => self.sensor = Sensor::Object(read(text)?),
            "numero_camera" => self.camera = read(text)?,
            "device_id" => self.device_id = read(text)?,
            "source" => self.source = read(text)?,
            _ => {
                read::<IgnoredAny>(text)?;
                if key == "capteur" {
                    self.sensor = Sensor::Other;
                }
            }
        }
        Ok(())
    }

    /// An event, or 400 with the first field that is missing or not of its kind.
    pub(crate) fn into_event(mut self) -> Result<Event, Refusal> {
        let mut sensor = self.take_sensor()?;
        let state = std::mem::take(&mut sensor.state);
        Ok(Event {
            origin: self.into_origin(sensor)?,
            sensor_state: state.scalar("capteur.etat")?,
        })
    }

    /// A clip, or 400 with the first field that is missing or not of its kind.
    pub(crate) fn into_clip(mut self) -> Result<Clip, Refusal> {
        let sensor = self.take_sensor()?;
        let camera = std::mem::take(&mut self.camera);
        Ok(Clip {
            origin: self.into_origin(sensor)?,
            camera: camera.scalar("numero_camera")?,
        })
    }

    fn take_sensor(&mut self) -> Result<SensorFields, Refusal> {
        match std::mem::take(&mut self.sensor) {
            Sensor::Missing => Err(missing("capteur")),
            Sensor::Object(fields) => Ok(fields),
            Sensor::Other => Err(Refusal::bad("capteur: un objet est attendu")),
        }
    }

    fn into_origin(self, sensor: SensorFields) -> Result<Origin, Refusal> {
        Ok(Origin {
            date: self.date.scalar("date")?,
            sensor_id: sensor.id.scalar("capteur.id")?,
            sensor_name: sensor.name.scalar("capteur.nom")?,
            device_id: self.device_id.name("device_id")?,
            source: self.source.name("source")?,
        })
    }
}

impl Field {
    fn scalar(self, name: &str) -> Result<Scalar, Refusal> {
        match self {
            Self::Missing => Err(missing(name)),
            Self::Scalar(scalar) => Ok(scalar),
            Self::Other => Err(Refusal::bad(format!("{name}: un texte, un nombre ou null est attendu"))),
        }
    }

    fn text(self, name: &str) -> Result<String, Refusal> {
        match self {
            Self::Missing => Err(missing(name)),
            Self::Scalar(Scalar::Text(text)) => Ok(text),
            _ => Err(Refusal::bad(format!("{name}: un texte est attendu"))),
        }
    }

    /// Text that every database takes as it is. PostgreSQL knows no U+0000, and no setting of a device can hold one.
    fn name(self, name: &str) -> Result<String, Refusal> {
        let text = self.text(name)?;
        if text.contains('\0') {
            return Err(Refusal::bad(format!("{name}: le caractère U+0000 n'est pas accepté")));
        }
        if text.len() > NAME_MAX_BYTES {
            return Err(Refusal::bad(format!("{name}: plus de {NAME_MAX_BYTES} octets")));
        }
        Ok(text)
    }
}

/// Longest text that rows are looked up by: an entry of a database's index has its limit.
const NAME_MAX_BYTES: usize = 1_000;

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::bad(format!("{name}: champ manquant"))
}

pub(super) fn invalid(error: impl fmt::Display) -> Refusal {
    Refusal::bad(format!("JSON invalide: {error}"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(json).map_err(invalid)
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = object.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "date" => fields.date = object.next_value()?,
                "capteur" => fields.sensor = object.next_value()?,
                "numero_camera" => fields.camera = object.next_value()?,
                "device_id" => fields.device_id = object.next_value()?,
                "source" => fields.source = object.next_value()?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Sensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if json.starts_with('{') {
            return serde_json::from_str(json).map(Self::Object).map_err(D::Error::custom);
        }
        Ok(Self::Other)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Scalar(Scalar::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Scalar(Scalar::Integer(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        // What SQLite makes of a literal beyond its integers.
        Ok(Field::Scalar(
            i64::try_from(number).map_or(Scalar::Real(number as f64), Scalar::Integer),
        ))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field::Scalar(Scalar::Real(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Scalar(Scalar::Text(text.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Field, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

/// What `capteur` holds.
#[derive(Debug, Default, Clone, PartialEq)]
struct SensorFields {
    id: Field,
    name: Field,
    state: Field,
}

impl<'de> Deserialize<'de> for SensorFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SensorVisitor)
    }
}

struct SensorVisitor;

impl<'de> Visitor<'de> for SensorVisitor {
    type Value = SensorFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<SensorFields, A::Error> {
        let mut fields = SensorFields::default();
        while let Some(key) = object.next_key::<String>()? {
            match key.as_str() {
                "id" => fields.id = object.next_value()?,
                "nom" => fields.name = object.next_value()?,
                "etat" => fields.state = object.next_value()?,
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}
