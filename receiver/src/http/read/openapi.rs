//! `GET /api/openapi.json`: the reading API as a document, made from the code.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;

use super::{clip, devices, important, live, retention, rows, session, tokens, unseen};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "sync-receiver",
        description = "What people read: devices, events, clips, live."
    ),
    paths(
        session::me,
        session::begin,
        session::end,
        devices::list,
        devices::one,
        tokens::add,
        rows::events,
        rows::csv,
        rows::hours,
        rows::clips,
        clip::one,
        clip::video,
        clip::pin,
        unseen::list,
        unseen::seen,
        live::follow,
        retention::tell,
        important::list,
        important::mark
    )
)]
struct Document;

static TEXT: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());

/// The document. It holds nothing of anybody: whoever writes a program against the API may read it.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
