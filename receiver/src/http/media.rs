//! `POST /api/media`: the clip goes to its file while it arrives.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::sync::mpsc;

use super::body::{self, BodyReader};
use super::{App, Head, Owner, headers};
use crate::answer::Refusal;
use crate::decode::Decoder;
use crate::json::{BodyParser, clip_body_max_bytes, clip_too_long};
use crate::store::{ClipWriter, Kind, Receipt};

type ClipParser = BodyParser<Box<dyn ClipWriter>>;

/// Pieces of a body that wait for the disk: a few keep it busy, more would only cost memory for each clip on its way.
const QUEUE_MAX_PIECES: usize = 4;

pub(super) async fn post(
    State(app): State<Arc<App>>,
    Extension(owner): Extension<Owner>,
    request: Request,
) -> Response {
    let head = match super::head(&app, Kind::Clip, owner, request.headers()).await {
        Ok(head) => head,
        Err(answer) => return body::answer_unread(request, answer),
    };
    let clip_max_bytes = app.config.max_clip_bytes;
    let body_max_bytes = clip_body_max_bytes(clip_max_bytes);
    if headers::length(request.headers()).unwrap_or(0) > body_max_bytes {
        return body::answer_unread(request, clip_too_long(clip_max_bytes));
    }
    let mut pieces = BodyReader::new(&app.config, request.into_body(), body_max_bytes);
    match store(app, head, &mut pieces).await {
        Ok(receipt) => pieces.answer(receipt),
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store(app: Arc<App>, head: Head, pieces: &mut BodyReader) -> Result<Receipt, Refusal> {
    let (clip, video) = receive(&app, &head, pieces).await?.into_clip()?;
    head.owner.check_device(&clip.origin.device_id)?;
    // In a task of its own: a sender that hangs up now must not stop us between the file and its row.
    let storing = tokio::spawn(async move {
        let stored = app.store.add_clip(clip, video, head.key).await;
        if stored.is_ok() {
            app.committed();
        }
        stored
    });
    storing
        .await
        .map_err(Refusal::unavailable)?
        .map_err(Refusal::unavailable)
}

/// Unpacks, decodes and writes what arrives.
async fn receive(app: &App, head: &Head, pieces: &mut BodyReader) -> Result<ClipParser, Refusal> {
    // Not before the first bytes are there: many connections that send nothing must not make as many files.
    let first = pieces.next().await?;
    let video = app.store.begin_clip().await.map_err(Refusal::unavailable)?;
    let parser = BodyParser::clip(video, app.config.max_clip_bytes);
    let decoder = Decoder::new(head.packing, &app.windows, parser).map_err(Refusal::unavailable)?;

    // All that blocks has a thread of its own, and a body that comes faster waits.
    let (sender, receiver) = mpsc::channel(QUEUE_MAX_PIECES);
    let writing = tokio::task::spawn_blocking(move || write(decoder, receiver));
    let read = feed(first, pieces, sender).await;
    // Also after an error: the answer is not given before the file is gone.
    let written = writing.await.map_err(Refusal::unavailable)?;
    read.and(written)
}

/// Passes a body on until it ends, or until the writer is gone: then that one has the reason.
async fn feed(mut next: Option<Bytes>, pieces: &mut BodyReader, sender: mpsc::Sender<Piece>) -> Result<(), Refusal> {
    while let Some(piece) = next {
        if sender.send(Piece::Bytes(piece)).await.is_err() {
            return Ok(());
        }
        next = pieces.next().await?;
    }
    let _ = sender.send(Piece::End).await;
    Ok(())
}

/// What the writing thread is told. A channel that closes without an end means a body that broke off.
enum Piece {
    Bytes(Bytes),
    End,
}

fn write(mut decoder: Decoder<ClipParser>, mut pieces: mpsc::Receiver<Piece>) -> Result<ClipParser, Refusal> {
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Bytes(bytes) => decoder.push(&bytes).map_err(body::refusal)?,
            Piece::End => return decoder.finish().map_err(body::refusal),
        }
    }
    Err(Refusal::bad("le corps est incomplet"))
}
