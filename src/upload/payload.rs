//! The two JSON bodies of the contract, section 3: key order and bytes as given there.

use serde::Serialize;

use crate::row::{Clip, Event, Scalar};

const SOURCE: &str = "sync_service";

#[derive(Serialize)]
struct EventBody<'a> {
    date: &'a Scalar,
    capteur: EventSensor<'a>,
    device_id: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct EventSensor<'a> {
    id: &'a Scalar,
    nom: &'a Scalar,
    etat: &'a Scalar,
}

/// The whole body of an event.
///
/// # Errors
/// None in practice: these values always have a JSON form.
pub(super) fn event(event: &Event, device_id: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&event_object(event, device_id))
}

/// The same as an object within another body.
pub(super) fn event_object<'a>(event: &'a Event, device_id: &'a str) -> impl Serialize + use<'a> {
    EventBody {
        date: &event.date,
        capteur: EventSensor {
            id: &event.sensor_id,
            nom: &event.sensor_name,
            etat: &event.sensor_state,
        },
        device_id,
        source: SOURCE,
    }
}

#[derive(Serialize)]
struct ClipHead<'a> {
    date: &'a Scalar,
    capteur: ClipSensor<'a>,
    numero_camera: &'a Scalar,
    video_data: &'a str,
}

#[derive(Serialize)]
struct ClipSensor<'a> {
    id: &'a Scalar,
    nom: &'a Scalar,
}

#[derive(Serialize)]
struct ClipTail<'a> {
    device_id: &'a str,
    source: &'a str,
}

/// What comes before and after the base64 of a clip's video.
///
/// # Errors
/// None in practice: these values always have a JSON form.
pub(super) fn around_video(clip: &Clip, device_id: &str) -> serde_json::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = serde_json::to_vec(&ClipHead {
        date: &clip.date,
        capteur: ClipSensor {
            id: &clip.sensor_id,
            nom: &clip.sensor_name,
        },
        numero_camera: &clip.camera,
        video_data: "",
    })?;
    // Up to the quote that opens the empty string.
    head.truncate(head.len() - 2);
    let tail = serde_json::to_vec(&ClipTail {
        device_id,
        source: SOURCE,
    })?;
    // The closing quote, and a comma where the second object opens.
    let mut suffix = b"\",".to_vec();
    suffix.extend_from_slice(&tail[1..]);
    Ok((head, suffix))
}

#[derive(Serialize)]
struct ClipWithoutVideo<'a> {
    date: &'a Scalar,
    capteur: ClipSensor<'a>,
    numero_camera: &'a Scalar,
    device_id: &'a str,
    source: &'a str,
}

/// A clip's object without its video, which travels by itself.
///
/// # Errors
/// None in practice: these values always have a JSON form.
pub(super) fn without_video(clip: &Clip, device_id: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&ClipWithoutVideo {
        date: &clip.date,
        capteur: ClipSensor {
            id: &clip.sensor_id,
            nom: &clip.sensor_name,
        },
        numero_camera: &clip.camera,
        device_id,
        source: SOURCE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_contracts() {
        let row = Event {
            id: 42,
            date: Scalar::Text("2025-12-18T17:30:00.123456".into()),
            sensor_id: Scalar::Integer(1),
            sensor_name: Scalar::Text("PIR Entrée".into()),
            sensor_state: Scalar::Integer(1),
        };
        let body = String::from_utf8(event(&row, "raspberry-1").unwrap()).unwrap();
        assert_eq!(
            body,
            r#"{"date":"2025-12-18T17:30:00.123456","capteur":{"id":1,"nom":"PIR Entrée","etat":1},"device_id":"raspberry-1","source":"sync_service"}"#
        );
    }

    #[test]
    fn odd_values_travel_as_they_are() {
        let row = Event {
            id: 1,
            date: Scalar::Null,
            sensor_id: Scalar::Real(1.5),
            sensor_name: Scalar::Null,
            sensor_state: Scalar::Text("\"\n".into()),
        };
        let body = String::from_utf8(event(&row, "é\"").unwrap()).unwrap();
        assert_eq!(
            body,
            r#"{"date":null,"capteur":{"id":1.5,"nom":null,"etat":"\"\n"},"device_id":"é\"","source":"sync_service"}"#
        );
    }
}
