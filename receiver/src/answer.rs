//! What the receiver says: the contract's answers, and refusals that name what is wrong.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// An answer as it is sent, kept to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored(pub String);

impl Stored {
    /// The answer to an event.
    #[must_use]
    pub fn event(id: i64, date: &Value, sensor_id: &Value) -> Self {
        Self(format!(
            r#"{{"id":{id},"date":{date},"capteur_id":{sensor_id},"message":"Événement créé"}}"#
        ))
    }

    /// The answer to a clip of `bytes` bytes.
    #[must_use]
    pub fn media(id: i64, date: &Value, sensor_id: &Value, bytes: u64) -> Self {
        // Kilobytes of 1024 bytes with two decimals, as a JSON number.
        let hundredths = (u128::from(bytes) * 100 + 512) / 1024;
        let (whole, part) = (hundredths / 100, hundredths % 100);
        Self(format!(
            r#"{{"id":{id},"date":{date},"capteur_id":{sensor_id},"size_kb":{whole}.{part:02},"message":"Média créé"}}"#
        ))
    }
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        (
            StatusCode::CREATED,
            [(header::CONTENT_TYPE, "application/json")],
            self.0,
        )
            .into_response()
    }
}

/// A refusal: a status, and one line that names the field or the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Why.
    pub reason: String,
}

impl Refusal {
    /// A refusal with any status.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }

    /// 400: the body is not what it must be.
    pub fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// 413: longer than is taken.
    pub fn too_long(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    /// 503: our own trouble, worth another try. What it is stands in our log: a device can do nothing about it.
    pub fn unwell(reason: impl std::fmt::Display) -> Self {
        log::error!("{reason}");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "le serveur ne peut rien enregistrer pour l'instant",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        log::info!("{}: {}", self.status, self.reason);
        let body = serde_json::json!({ "error": self.reason }).to_string();
        (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_the_contracts() {
        let date = Value::from("2025-12-18T17:30:00.123456");
        assert_eq!(
            Stored::event(123, &date, &Value::from(1)).0,
            r#"{"id":123,"date":"2025-12-18T17:30:00.123456","capteur_id":1,"message":"Événement créé"}"#
        );
        assert_eq!(
            Stored::media(58, &date, &Value::from(4), 512 * 1024).0,
            r#"{"id":58,"date":"2025-12-18T17:30:00.123456","capteur_id":4,"size_kb":512.00,"message":"Média créé"}"#
        );
    }
}
