//! `POST /api/evenements`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::body::{self, Pieces};
use super::{App, Owner, Preface, headers};
use crate::answer::Refusal;
use crate::decode::Decoder;
use crate::json::{BodyParser, EVENT_BODY_MAX_BYTES, event_too_long};
use crate::store::{Kind, Receipt};

pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    request: Request,
) -> Response {
    let preface = match super::preface(&app, Kind::Event, owner, request.headers()).await {
        Ok(preface) => preface,
        Err(answer) => return body::spare(request, answer),
    };
    if headers::length(request.headers()).unwrap_or(0) > EVENT_BODY_MAX_BYTES {
        return body::spare(request, event_too_long());
    }
    let mut pieces = Pieces::new(&app.config, request.into_body(), EVENT_BODY_MAX_BYTES);
    match store(&app, preface, &mut pieces).await {
        Ok(receipt) => pieces.answer(receipt),
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store(app: &App, preface: Preface, pieces: &mut Pieces) -> Result<Receipt, Refusal> {
    let mut decoder = Decoder::new(preface.packing, &app.windows, BodyParser::event()).map_err(Refusal::unwell)?;
    let mut pushed = Ok(());
    // Short enough to be read to its end also after it was found wrong, so that the connection lives on.
    while let Some(piece) = pieces.next().await? {
        if pushed.is_ok() {
            pushed = decoder.push(&piece);
        }
    }
    let parser = pushed.and_then(|()| decoder.finish()).map_err(body::refusal)?;
    let event = parser.into_event()?;
    preface.check_device(&event.origin.device_id)?;
    app.store.add_event(event, preface.key).await.map_err(Refusal::unwell)
}
