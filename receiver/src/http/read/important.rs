//! `/api/important`: sensors whose events are told.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reader;
use super::devices::utc;
use super::said::Said;
use super::shapes::Problem;
use super::visitor::Visitor;
use crate::answer::Refusal;
use crate::people::now_s;
use crate::store::upkeep;

/// Sensors that may be marked.
const MARKED_MOST: usize = 1000;

/// Longest name of a device and of a sensor, in characters.
const NAME_MOST: usize = 1000;

/// A sensor whose events are told.
#[derive(Serialize, ToSchema)]
pub(super) struct Important {
    device_id: String,
    /// Its name, or its id where it has none.
    sensor: String,
    /// Who marked it; empty: this machine.
    by: String,
    #[schema(format = DateTime)]
    since: Option<String>,
}

/// The sensors that are marked.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportantSensors {
    items: Vec<Important>,
    /// Whether anybody is told: an address for alerts is set.
    told: bool,
}

/// Whether a sensor is important.
#[derive(Deserialize, ToSchema)]
pub(super) struct Mark {
    device_id: String,
    /// Its name, or its id where it has none.
    sensor: String,
    important: bool,
}

/// The sensors whose events are told, of the devices that one sees.
#[utoipa::path(get, path = "/api/important", responses(
    (status = 200, body = ImportantSensors), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
) -> Result<Json<ImportantSensors>, Refusal> {
    let marked = reader.desk.important().await.map_err(Refusal::unavailable)?;
    let seen = marked.into_iter().filter(|one| visitor.sees(&one.device_id));
    let items = seen.map(|one| Important {
        device_id: one.device_id,
        sensor: one.sensor,
        by: one.marked_by,
        since: utc(one.marked_at_s),
    });
    Ok(Json(ImportantSensors {
        items: items.collect(),
        told: reader.tells,
    }))
}

/// Marks a sensor as important, or no more. Admins alone, for devices that they see.
#[utoipa::path(put, path = "/api/important", request_body = Mark, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "Too many are marked"), (status = 408, body = Problem),
    (status = 413, body = Problem, description = "A body of more than 16 KB"), (status = 503, body = Problem)))]
pub(super) async fn mark(State(reader): State<Arc<Reader>>, visitor: Visitor, said: Said) -> Result<Response, Refusal> {
    visitor.admin()?;
    let Mark {
        device_id,
        sensor,
        important,
    } = said.json()?;
    for (field, text) in [("device_id", &device_id), ("sensor", &sensor)] {
        if text.is_empty() || text.chars().count() > NAME_MOST {
            return Err(Refusal::bad(format!(
                "{field}: 1 à {NAME_MOST} caractères sont attendus"
            )));
        }
    }
    if !visitor.sees(&device_id) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "device_id: cet appareil est hors de votre vue",
        ));
    }
    if !important {
        reader
            .desk
            .unmark(device_id, sensor)
            .await
            .map_err(Refusal::unavailable)?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if reader.desk.important().await.map_err(Refusal::unavailable)?.len() >= MARKED_MOST {
        let reason = format!("{MARKED_MOST} capteurs sont déjà marqués: enlevez-en un");
        return Err(Refusal::new(StatusCode::CONFLICT, reason));
    }
    let marked = upkeep::Important {
        device_id,
        sensor,
        marked_by: visitor.person.name,
        marked_at_s: now_s(),
    };
    reader.desk.mark(marked).await.map_err(Refusal::unavailable)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
