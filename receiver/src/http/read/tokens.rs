//! `POST /api/devices/{device_id}/tokens`: a new device, or another token of one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Reader;
use super::named::Named;
use super::shapes::Problem;
use super::visitor::Visitor;
use crate::answer::Refusal;
use crate::people::{fingerprint, is_name, secret};
use crate::store::people::TOKENS_MOST;

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct NewToken {
    /// For `sync-receiver token revoke`.
    id: i64,
    device_id: String,
    /// Said this once.
    token: String,
}

/// Makes a token for a device. Admins alone, for devices that they see.
#[utoipa::path(post, path = "/api/devices/{device_id}/tokens", params(("device_id" = String, Path)), responses(
    (status = 201, body = NewToken), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem, description = "It has two"), (status = 503, body = Problem)))]
pub(super) async fn add(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    Named(device_id): Named,
) -> Result<Response, Refusal> {
    visitor.admin()?;
    if !is_name(&device_id) {
        return Err(Refusal::bad(
            "device_id: 1 à 100 caractères sans caractère de contrôle sont attendus",
        ));
    }
    if !visitor.sees(&device_id) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "device_id: cet appareil est hors de votre vue",
        ));
    }
    let token = secret().map_err(Refusal::unavailable)?;
    let added = reader
        .desk
        .add_token(device_id.clone(), fingerprint(&token))
        .await
        .map_err(Refusal::unavailable)?;
    let Some(id) = added else {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            format!("cet appareil a déjà {TOKENS_MOST} jetons: retirez-en un avec « sync-receiver token revoke »"),
        ));
    };
    reader.access.changed();
    let made = NewToken { id, device_id, token };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}
