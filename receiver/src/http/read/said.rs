//! The body of a person's request: short, and there soon.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::Reader;
use crate::answer::Refusal;

/// Longest body: a name and a password.
const MOST: usize = 16 << 10;

/// A body that has come whole.
pub(super) struct Said(Bytes);

impl Said {
    /// What it says as JSON.
    ///
    /// # Errors
    /// 400: it is none, or a field is missing.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.0).map_err(|error| Refusal::bad(format!("JSON invalide: {error}")))
    }
}

impl FromRequest<Arc<Reader>> for Said {
    type Rejection = Response;

    /// Refuses what is too long, and what drips: a connection whose request is at work is never taken from its owner.
    async fn from_request(request: Request, reader: &Arc<Reader>) -> Result<Self, Response> {
        let whole = whole(request.into_body());
        let refusal = match tokio::time::timeout(reader.body_within, whole).await {
            Ok(Ok(bytes)) => return Ok(Self(bytes)),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::new(StatusCode::REQUEST_TIMEOUT, "le corps n'arrive pas"),
        };
        let close = HeaderValue::from_static("close");
        let mut response = refusal.into_response();
        response.headers_mut().insert(header::CONNECTION, close);
        Err(response)
    }
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MOST).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Refusal::too_long(format!("le corps dépasse {MOST} octets")))
        }
        Err(_) => Err(Refusal::bad("le corps s'interrompt")),
    }
}
