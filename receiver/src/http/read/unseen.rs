//! `GET` and `PUT /api/new`: the clips that one has not seen, each person's own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::said::Said;
use super::shapes::{Clip, Problem};
use super::visitor::Visitor;
use super::{Reader, query};
use crate::answer::Refusal;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HowMany {
    /// Clips at most: 1 to 1000, 50 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Clips that one has not seen.
#[derive(Serialize, ToSchema)]
pub(super) struct Unseen {
    /// How many, not counted beyond 1000.
    count: u64,
    /// The newest clip of all, to have seen everything.
    newest: i64,
    /// The oldest of them, oldest first, in the order in which they came.
    items: Vec<Clip>,
}

/// The clips that one has not seen.
#[utoipa::path(get, path = "/api/new", params(HowMany), responses(
    (status = 200, body = Unseen), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 503, body = Problem)))]
pub(super) async fn list(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Json<Unseen>, Refusal> {
    let HowMany { limit } = query::parameters(&uri)?;
    let limit = query::limit(limit)?;
    let person = visitor.person;
    let unseen = reader
        .desk
        .unseen(person.name, person.devices, limit)
        .await
        .map_err(Refusal::unavailable)?;
    Ok(Json(Unseen {
        count: unseen.count,
        newest: unseen.newest,
        items: unseen.clips.into_iter().map(Clip::from).collect(),
    }))
}

/// The last clip that one has seen.
#[derive(Deserialize, ToSchema)]
pub(super) struct Seen {
    seen: i64,
}

/// One has seen the clips up to this one.
#[utoipa::path(put, path = "/api/new", request_body = Seen, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 408, body = Problem),
    (status = 413, body = Problem, description = "A body of more than 16 KB"), (status = 503, body = Problem)))]
pub(super) async fn seen(State(reader): State<Arc<Reader>>, visitor: Visitor, said: Said) -> Result<Response, Refusal> {
    let Seen { seen } = said.json()?;
    reader
        .desk
        .seen(visitor.person.name, seen)
        .await
        .map_err(Refusal::unavailable)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
