//! What the receiver says: the contract's answers, and refusals that name what is wrong.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::record::Scalar;
use crate::store::Receipt;

/// The contract's answer; the same for the same receipt, whenever it is given.
fn created(receipt: &Receipt) -> String {
    let (id, date, sensor_id) = (receipt.id, json(&receipt.date), json(&receipt.sensor_id));
    match receipt.size_bytes {
        None => format!(r#"{{"id":{id},"date":{date},"capteur_id":{sensor_id},"message":"Événement créé"}}"#),
        Some(bytes) => {
            // Kilobytes of 1024 bytes with two decimals, as a JSON number.
            let hundredths = (u128::from(bytes) * 100 + 512) / 1024;
            let (whole, part) = (hundredths / 100, hundredths % 100);
            format!(
                r#"{{"id":{id},"date":{date},"capteur_id":{sensor_id},"size_kb":{whole}.{part:02},"message":"Média créé"}}"#
            )
        }
    }
}

fn json(value: &Scalar) -> serde_json::Value {
    match value {
        Scalar::Null => serde_json::Value::Null,
        Scalar::Integer(number) => (*number).into(),
        Scalar::Real(number) => (*number).into(),
        Scalar::Text(text) => text.as_str().into(),
    }
}

impl IntoResponse for Receipt {
    fn into_response(self) -> Response {
        let body = created(&self);
        (StatusCode::CREATED, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// When to come again where nothing can be stored. What comes sooner finds the same.
const TROUBLE_AGAIN_S: u32 = 5;

/// A refusal: a status, and one line that names the field or the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: String,
    pub(crate) retry_after_s: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            retry_after_s: None,
        }
    }

    /// 400: the body is not what it must be.
    pub(crate) fn bad(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// 413: longer than is taken.
    pub(crate) fn too_long(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
    }

    /// 503: well, but with too much to do.
    pub(crate) fn busy(reason: impl Into<String>, retry_after_s: u32) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        }
    }

    /// 503: our own trouble, worth another try. What it is stands in our log: a device can do nothing about it.
    pub(crate) fn unavailable(reason: impl std::fmt::Display) -> Self {
        log::error!("{reason}");
        Self::busy("le serveur ne peut rien enregistrer pour l'instant", TROUBLE_AGAIN_S)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        log::info!("{}: {}", self.status, self.reason);
        let body = serde_json::json!({ "error": self.reason }).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_the_contracts() {
        let receipt = |id, sensor_id, size_bytes| Receipt {
            id,
            date: Scalar::Text("2025-12-18T17:30:00.123456".to_string()),
            sensor_id: Scalar::Integer(sensor_id),
            size_bytes,
        };
        assert_eq!(
            created(&receipt(123, 1, None)),
            r#"{"id":123,"date":"2025-12-18T17:30:00.123456","capteur_id":1,"message":"Événement créé"}"#
        );
        assert_eq!(
            created(&receipt(58, 4, Some(512 * 1024))),
            r#"{"id":58,"date":"2025-12-18T17:30:00.123456","capteur_id":4,"size_kb":512.00,"message":"Média créé"}"#
        );
    }
}
