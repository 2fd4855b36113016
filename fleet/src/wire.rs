//! The bodies and headers of the wire, and what its answers mean.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use sync_protocol::KEY_HEADER;

use crate::clips::Clip;
use crate::network::Answer;
use crate::run::{Table, date};

/// Patience for an event and for a question, as sync-service has it.
pub(crate) const SMALL: Duration = Duration::from_secs(10);

/// For a status.
pub(crate) const STATUS: Duration = Duration::from_secs(5);

/// For a batch.
pub(crate) const BATCH: Duration = Duration::from_secs(60);

/// Patience for a clip.
pub(crate) const LARGE: Duration = Duration::from_secs(120);

#[derive(Serialize)]
pub(crate) struct Sensor<'a> {
    pub(crate) id: u32,
    pub(crate) nom: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) etat: Option<u32>,
}

/// The contract's event, and with a camera its clip.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    pub(crate) date: String,
    pub(crate) capteur: Sensor<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) numero_camera: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video_data: Option<String>,
    pub(crate) device_id: &'a str,
    pub(crate) source: &'static str,
}

/// What a row says beside its date, by its number: rows that changed places are told apart.
pub(crate) fn sensor(table: Table, name: &str, number: u32) -> Sensor<'_> {
    match table {
        Table::Events => Sensor {
            id: 1,
            nom: name,
            etat: Some(number % 2),
        },
        Table::Clips => Sensor {
            id: 4,
            nom: name,
            etat: None,
        },
    }
}

/// The same: which camera a clip is of.
pub(crate) const fn camera(table: Table, number: u32) -> Option<u32> {
    match table {
        Table::Events => None,
        Table::Clips => Some(1 + number % 2),
    }
}

fn row<'a>(table: Table, unix_s: i64, number: u32, sensor_name: &'a str, device_id: &'a str) -> Row<'a> {
    Row {
        date: date(unix_s, number),
        capteur: sensor(table, sensor_name, number),
        numero_camera: camera(table, number),
        video_data: None,
        device_id,
        source: "sync_service",
    }
}

pub(crate) fn event<'a>(unix_s: i64, number: u32, sensor_name: &'a str, device_id: &'a str) -> Row<'a> {
    row(Table::Events, unix_s, number, sensor_name, device_id)
}

/// With its video, or without.
pub(crate) fn clip<'a>(
    unix_s: i64,
    number: u32,
    sensor_name: &'a str,
    device_id: &'a str,
    video: Option<&Clip>,
) -> Row<'a> {
    Row {
        video_data: video.map(|clip| STANDARD.encode(clip.whole())),
        ..row(Table::Clips, unix_s, number, sensor_name, device_id)
    }
}

/// What can be made here can be written as JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(crate) fn json_type() -> (HeaderName, String) {
    (CONTENT_TYPE, "application/json".to_string())
}

pub(crate) fn key_header(key: &str) -> (HeaderName, String) {
    (HeaderName::from_static(KEY_HEADER), format!("\"{key}\""))
}

pub(crate) fn bearer(token: &str) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    Some((AUTHORIZATION, value))
}

/// What an answer to a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Stored(i64),
    /// Nothing against the row: it comes again, not before the wish.
    Unwell(Option<Duration>),
    Refused,
}

#[derive(Deserialize)]
struct Stored {
    id: serde_json::Value,
}

impl Answer {
    /// The server's id in the contract's answer.
    pub(crate) fn id(&self) -> Option<i64> {
        let stored: Stored = serde_json::from_slice(&self.body).ok()?;
        stored.id.as_i64().or_else(|| stored.id.as_str()?.parse().ok())
    }

    /// For how long the receiver wishes to be left alone.
    pub(crate) fn wish(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs)
    }

    pub(crate) fn meaning(&self) -> Meaning {
        match (self.status.as_u16(), self.id()) {
            (200..=299 | 409, Some(id)) => Meaning::Stored(id),
            (409 | 423 | 408 | 425 | 429 | 500 | 502 | 503 | 504 | 507, _) => Meaning::Unwell(self.wish()),
            _ => Meaning::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_contracts() {
        assert_eq!(
            json(&event(1_766_079_000, 1, "PIR Entrée", "raspberry-1")),
            r#"{"date":"2025-12-18T17:30:00.000001","capteur":{"id":1,"nom":"PIR Entrée","etat":1},"device_id":"raspberry-1","source":"sync_service"}"#
        );
        assert_eq!(
            json(&clip(1_766_079_000, 2, "Caméra 1", "raspberry-1", None)),
            r#"{"date":"2025-12-18T17:30:00.000002","capteur":{"id":4,"nom":"Caméra 1"},"numero_camera":1,"device_id":"raspberry-1","source":"sync_service"}"#
        );
    }

    #[test]
    fn an_answer_means_what_it_means_to_the_uploader() {
        let answer = |status: u16, wish: Option<&str>, body: &str| {
            let mut headers = hyper::HeaderMap::new();
            wish.map(|wish| headers.insert(RETRY_AFTER, wish.parse().unwrap()));
            let status = hyper::StatusCode::from_u16(status).unwrap();
            let body = body.to_string().into();
            Answer { status, headers, body }.meaning()
        };
        assert_eq!(answer(201, None, r#"{"id":7}"#), Meaning::Stored(7));
        assert_eq!(answer(200, None, r#"{"id":"7"}"#), Meaning::Stored(7));
        assert_eq!(answer(409, None, r#"{"id":7}"#), Meaning::Stored(7));
        assert_eq!(answer(409, None, "{}"), Meaning::Unwell(None));
        let ten = Some(Duration::from_secs(10));
        assert_eq!(answer(503, Some("10"), "{}"), Meaning::Unwell(ten));
        assert_eq!(answer(429, Some("soon"), "{}"), Meaning::Unwell(None));
        assert_eq!(answer(201, None, "{}"), Meaning::Refused);
        assert_eq!(answer(400, None, r#"{"error":"date"}"#), Meaning::Refused);
    }
}
