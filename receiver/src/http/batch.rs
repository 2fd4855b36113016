//! `POST /api/evenements/batch`: many events, one commit, a result for each.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sync_protocol::batch::{Answer, Outcome};

use super::body::{self, BodyReader, Whole};
use super::{App, Owner, headers};
use crate::answer::Refusal;
use crate::json::{self, EVENT_BODY_MAX_BYTES, Entry, FIELDS_MAX_BYTES, event_too_long};
use crate::store::Key;

pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    request: Request,
) -> Response {
    let packing = match headers::packing(request.headers()) {
        Ok(packing) => packing,
        Err(refusal) => return body::answer_unread(request, refusal),
    };
    if headers::length(request.headers()).unwrap_or(0) > EVENT_BODY_MAX_BYTES {
        return body::answer_unread(request, event_too_long());
    }
    let mut pieces = BodyReader::new(&app.config, request.into_body(), EVENT_BODY_MAX_BYTES);
    let whole = Whole::new(FIELDS_MAX_BYTES, event_too_long);
    let body = match whole.read(packing, &app.windows, &mut pieces).await {
        Ok(body) => body,
        Err(refusal) => return pieces.answer(refusal),
    };
    match store(&app, &owner, body).await {
        Ok(answer) => {
            app.committed();
            pieces.answer(answer)
        }
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store(app: &App, owner: &Owner, body: Vec<u8>) -> Result<Response, Refusal> {
    let (mut events, mut outcomes) = (Vec::new(), Vec::new());
    for entry in read(app, body).await? {
        outcomes.push(match own(owner, entry) {
            Ok((key, event)) => {
                let owner = owner.0.clone();
                events.push((event, Key { owner, key }));
                None
            }
            Err(refusal) => Some(Outcome::refused(refusal.status.as_u16(), refusal.reason)),
        });
    }
    let mut receipts = app
        .store
        .add_events(events)
        .await
        .map_err(Refusal::unavailable)?
        .into_iter();
    let mut stored = || receipts.next().map(|receipt| Outcome::stored(receipt.id));
    let outcomes = outcomes.into_iter();
    let results: Option<Vec<_>> = outcomes.map(|outcome| outcome.or_else(&mut stored)).collect();
    let results = results.ok_or_else(|| Refusal::unavailable("the database: fewer receipts than events"))?;
    let answer = serde_json::to_string(&Answer { results }).map_err(Refusal::unavailable)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
}

/// Reads a batch on a thread of its own, one at a time: a megabyte takes milliseconds, and many of them on the threads that
/// serve all connections would keep everybody waiting.
async fn read(app: &App, body: Vec<u8>) -> Result<Vec<Entry>, Refusal> {
    let _turn = app.batch_reading.lock().await;
    let reading = tokio::task::spawn_blocking(move || json::entries(&body));
    reading.await.map_err(Refusal::unavailable)?
}

/// A token stores for its own device alone.
fn own(owner: &Owner, entry: Entry) -> Entry {
    let (key, event) = entry?;
    owner.check_device(&event.origin.device_id)?;
    Ok((key, event))
}
