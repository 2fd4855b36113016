//! `POST /api/evenements`.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::body::{self, BodyReader};
use super::{App, Head, Owner, headers};
use crate::answer::Refusal;
use crate::decode::Decoder;
use crate::json::{BodyParser, EVENT_BODY_MAX_BYTES, event_too_long};
use crate::store::{Kind, Receipt};

pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    request: Request,
) -> Response {
    let head = match super::head(&app, Kind::Event, owner, request.headers()).await {
        Ok(head) => head,
        Err(answer) => return body::answer_unread(request, answer),
    };
    if headers::length(request.headers()).unwrap_or(0) > EVENT_BODY_MAX_BYTES {
        return body::answer_unread(request, event_too_long());
    }
    let mut pieces = BodyReader::new(&app.config, request.into_body(), EVENT_BODY_MAX_BYTES);
    match store(&app, head, &mut pieces).await {
        Ok(receipt) => {
            app.committed();
            pieces.answer(receipt)
        }
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store(app: &App, head: Head, pieces: &mut BodyReader) -> Result<Receipt, Refusal> {
    let mut decoder = Decoder::new(head.packing, &app.windows, BodyParser::event()).map_err(Refusal::unavailable)?;
    let mut pushed = Ok(());
    // Short enough to be read to its end also after it was found wrong, so that the connection lives on.
    while let Some(piece) = pieces.next().await? {
        if pushed.is_ok() {
            pushed = decoder.push(&piece);
        }
    }
    let parser = pushed.and_then(|()| decoder.finish()).map_err(body::refusal)?;
    let event = parser.into_event()?;
    head.owner.check_device(&event.origin.device_id)?;
    app.store.add_event(event, head.key).await.map_err(Refusal::unavailable)
}
