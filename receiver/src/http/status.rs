//! `PUT /api/devices/{device_id}/status`: a device tells how it is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use sync_protocol::status::{MAX_BYTES, Status};

use super::body::{self, BodyReader, Whole};
use super::{App, Owner, headers};
use crate::answer::Refusal;
use crate::clock;
use crate::store::NewStatus;

/// Longest name of a device.
const DEVICE_ID_MAX_BYTES: usize = 255;

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    device_id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let device_id = device_id.map_err(|_| Refusal::bad("device_id: UTF-8 est attendu"));
    let checked = device_id.and_then(|Path(device_id)| {
        if device_id.len() > DEVICE_ID_MAX_BYTES {
            return Err(Refusal::bad(format!("device_id: plus de {DEVICE_ID_MAX_BYTES} octets")));
        }
        if device_id.contains('\0') {
            return Err(Refusal::bad("device_id: le caractère U+0000 n'est pas accepté"));
        }
        owner.check_device(&device_id)?;
        if headers::length(request.headers()).unwrap_or(0) > MAX_BYTES as u64 {
            return Err(too_long());
        }
        Ok((device_id, headers::packing(request.headers())?))
    });
    let (device_id, packing) = match checked {
        Ok(checked) => checked,
        Err(refusal) => return body::answer_unread(request, refusal),
    };
    let mut pieces = BodyReader::new(&app.config, request.into_body(), MAX_BYTES as u64);
    let whole = Whole::new(MAX_BYTES, too_long);
    let body = match whole.read(packing, &app.windows, &mut pieces).await {
        Ok(body) => body,
        Err(refusal) => return pieces.answer(refusal),
    };
    match store(&app, device_id, body).await {
        Ok(()) => pieces.answer(StatusCode::NO_CONTENT),
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store(app: &App, device_id: String, body: Vec<u8>) -> Result<(), Refusal> {
    let invalid = |error: &dyn std::fmt::Display| Refusal::bad(format!("JSON invalide: {error}"));
    let json = String::from_utf8(body).map_err(|error| invalid(&error))?;
    let status: Status = serde_json::from_str(&json).map_err(|error| invalid(&error))?;
    let now_ms = clock::unix_ms();
    let rows = &status.tables;
    let status = NewStatus {
        device_id,
        backlog: rows.evenement.backlog().saturating_add(rows.media.backlog()),
        // Not said: not known.
        clock_ahead_ms: (status.clock_unix_ms != 0).then(|| status.clock_unix_ms.saturating_sub(now_ms)),
        received_unix_s: now_ms / 1_000,
        json,
    };
    app.store.put_status(status).await.map_err(Refusal::unavailable)
}

fn too_long() -> Refusal {
    Refusal::too_long(format!("corps de plus de {MAX_BYTES} octets"))
}
