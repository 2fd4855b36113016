//! `POST /api/media/uploads`: a new upload, also with its first bytes, or what became of one.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use sync_protocol::uploads::{DIGEST_HEADER, OFFSET_HEADER};
use uuid::Uuid;

use super::checksum::Checksum;
use super::report::Reached;
use super::transfer::Transfer;
use super::{expires, locked, not_found, undisturbed};
use crate::answer::Refusal;
use crate::http::body::{self, BodyReader};
use crate::http::{App, Owner};
use crate::store::{Key, Kind, NewUpload, Prefix, Receipt, Upload, Wish};

pub(super) async fn post(app: Arc<App>, owner: Owner, request: Request) -> Response {
    let has_body = !request.body().is_end_stream();
    match begin(&app, &owner, request.headers(), has_body).await {
        Err(refusal) => body::answer_unread(request, refusal),
        Ok(Begun::Answers(answer)) => body::answer_unread(request, *answer),
        Ok(Begun::Receives(transfer)) => undisturbed(receive(app, transfer, request)).await,
    }
}

/// What is to be done about the body.
enum Begun {
    /// Nothing: all is said without it.
    Answers(Box<Response>),
    Receives(Box<Transfer>),
}

fn stored(receipt: Receipt) -> Begun {
    Begun::Answers(Box::new(receipt.into_response()))
}

async fn begin(app: &Arc<App>, owner: &Owner, headers: &HeaderMap, has_body: bool) -> Result<Begun, Refusal> {
    let key = crate::http::headers::key(headers, owner.0.as_deref())?;
    if let Some(receipt) = receipt(app, key.as_ref()).await? {
        return Ok(stored(receipt));
    }
    let (new, checksum) = read(app, owner, key.as_ref(), headers, has_body)?;
    let (id, length_bytes) = (new.id.clone(), new.length_bytes);
    let created = app.store.create_upload(new).await.map_err(Refusal::unavailable)?;
    if created.upload.is_complete {
        // Between our two questions.
        let receipt = receipt(app, key.as_ref()).await?;
        return receipt.map(stored).ok_or_else(locked);
    }
    if !created.is_new {
        return seen(app, &id, key.as_ref()).await;
    }
    if !has_body && length_bytes > 0 {
        let answer = known(&created.upload, &Prefix::default());
        return Ok(Begun::Answers(Box::new(answer)));
    }
    match app.store.claim_upload(&id).await.map_err(Refusal::unavailable)? {
        Wish::Held(held) => Ok(Begun::Receives(Box::new(Transfer {
            app: Arc::clone(app),
            held,
            prefix: Prefix::default(),
            checksum,
            key,
        }))),
        // Somebody with the same key was faster.
        Wish::Seen(_) | Wish::Locked => Err(locked()),
        Wish::Gone => Err(not_found()),
    }
}

/// What is there of an upload that was known.
async fn seen(app: &App, id: &str, key: Option<&Key>) -> Result<Begun, Refusal> {
    match app.store.quiet_upload(id).await.map_err(Refusal::unavailable)? {
        Wish::Seen(upload) if upload.is_complete => {
            let receipt = receipt(app, key).await?;
            receipt.map(stored).ok_or_else(not_found)
        }
        Wish::Seen(upload) => match app.store.prefix_seen(&upload).await.map_err(Refusal::unavailable)? {
            Some(prefix) => Ok(Begun::Answers(Box::new(known(&upload, &prefix)))),
            None => Err(locked()),
        },
        Wish::Held(_) | Wish::Locked => Err(locked()),
        Wish::Gone => Err(not_found()),
    }
}

async fn receipt(app: &App, key: Option<&Key>) -> Result<Option<Receipt>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    let receipt = app.store.receipt(Kind::Clip, key.clone()).await;
    receipt.map_err(Refusal::unavailable)
}

/// What the headers of a new upload say.
fn read(
    app: &App,
    owner: &Owner,
    key: Option<&Key>,
    headers: &HeaderMap,
    has_body: bool,
) -> Result<(NewUpload, Option<Checksum>), Refusal> {
    let length_bytes = super::headers::length(headers, app.config.max_clip_bytes)?;
    let (metadata, clip) = super::headers::metadata(headers)?;
    owner.check_device(&clip.origin.device_id)?;
    if has_body {
        super::headers::check_body(headers)?;
        if crate::http::headers::length(headers).unwrap_or(0) > length_bytes {
            return Err(Refusal::too_long("le corps est plus long que upload-length"));
        }
    }
    let new = NewUpload {
        id: address(&clip.origin.device_id, key),
        device_id: clip.origin.device_id,
        key: key.map(|key| key.key.clone()),
        metadata,
        length_bytes,
    };
    Ok((new, Checksum::of(headers)?))
}

/// The last part of an upload's address: of a key always the same for a device, without a key not to be guessed.
fn address(device_id: &str, key: Option<&Key>) -> String {
    let Some(key) = key else {
        return Uuid::new_v4().simple().to_string();
    };
    let mut hash = Sha256::new();
    for text in [device_id, &key.key] {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let mut id: String = format!("{:x}", hash.finalize());
    id.truncate(32);
    id
}

/// Relative to where it was posted: a proxy may have another path.
fn location(upload: &Upload) -> (header::HeaderName, String) {
    (header::LOCATION, format!("uploads/{}", upload.id))
}

fn known(upload: &Upload, prefix: &Prefix) -> Response {
    let headers = [
        (OFFSET_HEADER, prefix.bytes().to_string()),
        (DIGEST_HEADER, format!("sha-256=:{}:", STANDARD.encode(prefix.sha256()))),
        expires(upload.expires_ms),
    ];
    (StatusCode::CREATED, [location(upload)], headers).into_response()
}

async fn receive(app: Arc<App>, transfer: Box<Transfer>, request: Request) -> Response {
    let upload = transfer.held.upload.clone();
    let mut pieces = BodyReader::new(&app.config, request.into_body(), upload.length_bytes);
    match transfer.run(&mut pieces).await {
        Err(refusal) => {
            if upload.key.is_none() {
                abandon(&app, &upload).await;
            }
            pieces.answer(refusal)
        }
        Ok(Reached::Part(prefix)) => pieces.answer(known(&upload, &prefix)),
        Ok(Reached::Whole(receipt)) => {
            let offset = [(OFFSET_HEADER, upload.length_bytes.to_string())];
            pieces.answer(([location(&upload)], offset, receipt))
        }
    }
}

/// Forgets what nobody can come back to: its address was not told, and does not follow from a key.
async fn abandon(app: &App, upload: &Upload) {
    let abandoned = match app.store.claim_upload(&upload.id).await {
        Ok(Wish::Held(held)) => app.store.delete_upload(&held.upload).await.map(|_| ()),
        claimed => claimed.map(|_| ()),
    };
    if let Err(error) = abandoned {
        log::warn!("{error}");
    }
}
