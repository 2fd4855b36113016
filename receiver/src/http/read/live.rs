//! `GET /api/live`: what is stored, as it is committed, once each and in that order.
//!
//! The stream holds a place in the tables, no rows: it reads them when its browser takes them, so that a slow one costs
//! nothing and misses nothing, and one that comes back goes on after the last id it names.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::IntoParams;

use super::lasting::Lasting;
use super::shapes::{Clip, Event, Problem};
use super::streams::{Full, Place};
use super::{Line, Reader, query};
use crate::answer::Refusal;
use crate::store::reading::{Change, Cursor};

/// Rows of each kind sent together.
const TOGETHER: u32 = 200;

/// How often the tables are looked at without being told: another program may have written them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Rows that are committed within this are sent together.
const GATHER: Duration = Duration::from_millis(100);

/// How often something is sent at least. It is an event, no comment: of those a page learns nothing, and it must tell a
/// quiet day from a dead line.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When one that finds no place may come again.
const COME_AGAIN_S: u32 = 30;

/// When a browser should come back, as it is told.
const RETRY_MS: u32 = 2000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// The last id that was seen, as in `Last-Event-ID`, which wins. Without either: from now on.
    after: Option<String>,
}

/// One reader's stream.
struct Follower {
    reader: Arc<Reader>,
    lasting: Lasting,
    cursor: Cursor,
    commits: watch::Receiver<u64>,
    stopped: Option<watch::Receiver<bool>>,
    greeting: Option<Bytes>,
    _place: Place,
}

/// What is stored from here on, as server-sent events: `hello`, `evenement`, `media`, and `alive` every 15 s at least. `hello` says
/// `"missed":true` where `after` is of another database, and what was stored since is not told.
#[utoipa::path(get, path = "/api/live", params(After), responses(
    (status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn follow(
    State(reader): State<Arc<Reader>>,
    lasting: Lasting,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Response> {
    let begun = beginning(&reader, &headers, &uri).await;
    let (cursor, missed) = begun.map_err(Refusal::into_response)?;
    let hello = serde_json::json!({ "missed": missed }).to_string();
    let place = reader.live.take(&lasting.visitor().person.name);
    let place = place.map_err(|full| no_place(full).into_response())?;
    let greeting = format!("retry: {RETRY_MS}\n{}", message("hello", &cursor, &hello));
    let follower = Follower {
        commits: reader.commits.clone(),
        reader,
        lasting,
        cursor,
        stopped: line.map(|Extension(line)| line.stopped),
        greeting: Some(Bytes::from(greeting)),
        _place: place,
    };
    let pieces = stream::unfold(follower, |mut follower| async move {
        let piece = follower.next().await?;
        Some((Ok::<_, Infallible>(piece), follower))
    });
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // nginx would gather what is sent.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn no_place(full: Full) -> Refusal {
    let reason = match full {
        Full::All => "trop de pages suivent le direct",
        Full::Person => "trop de pages de cette personne suivent le direct",
    };
    Refusal::busy(reason, COME_AGAIN_S)
}

/// Where a stream begins, and whether what was stored since `after` can't be told.
async fn beginning(reader: &Reader, headers: &HeaderMap, uri: &Uri) -> Result<(Cursor, bool), Refusal> {
    let After { after } = query::parameters(uri)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = query::given(last).or(query::given(after.as_deref()));
    let newest = reader.desk.newest().await.map_err(Refusal::unavailable)?;
    let Some(text) = after else { return Ok((newest, false)) };
    let cursor = Cursor::read(&text).ok_or_else(|| Refusal::bad("after: pas un identifiant de ce flux"))?;
    // Of the database that was here before this one.
    let is_own = reader.desk.is_own(&cursor, &newest);
    Ok(if is_own { (cursor, false) } else { (newest, true) })
}

impl Follower {
    /// What is sent next; `None` ends the stream, and the browser comes back.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let silent_until = Instant::now() + KEEP_ALIVE;
        loop {
            // Marked as seen before the look: what comes during it is looked at again.
            self.commits.mark_unchanged();
            let visitor = self.lasting.still().await?;
            if visitor.is_due {
                // The browser comes back, and its session lives on: no cookie can be sent here.
                return None;
            }
            let visible = visitor.person.devices.clone();
            let (changes, cursor) = match self.reader.desk.changes(self.cursor.clone(), visible, TOGETHER).await {
                Ok(found) => found,
                Err(error) => {
                    log::error!("{error}");
                    return None;
                }
            };
            self.cursor = cursor;
            if !changes.is_empty() {
                return Some(self.tell(changes));
            }
            if Instant::now() >= silent_until {
                return Some(Bytes::from(message("alive", &self.cursor, "{}")));
            }
            if !self.wait().await {
                return None;
            }
        }
    }

    fn tell(&self, changes: Vec<(Change, Cursor)>) -> Bytes {
        let mut text = String::new();
        let last = changes.len() - 1;
        for (index, (change, after)) in changes.into_iter().enumerate() {
            let after = if index == last { &self.cursor } else { &after };
            text += &match change {
                Change::Event(event) => of("evenement", after, &Event::from(event)),
                Change::Clip(clip) => of("media", after, &Clip::from(clip)),
            };
        }
        Bytes::from(text)
    }

    /// Waits for the next look; `false` when the receiver stops.
    async fn wait(&mut self) -> bool {
        let stopping = async {
            match &mut self.stopped {
                // The sender is gone: so is the receiver.
                Some(stopped) => drop(stopped.wait_for(|stopped| *stopped).await),
                None => std::future::pending().await,
            }
        };
        let commits = &mut self.commits;
        let committed = async {
            match commits.changed().await {
                Ok(()) => tokio::time::sleep(GATHER).await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping => false,
            () = committed => true,
            () = tokio::time::sleep(LOOK_EVERY) => true,
        }
    }
}

fn of(kind: &str, after: &Cursor, row: &impl Serialize) -> String {
    // JSON has no line break of its own: one in a name is escaped.
    serde_json::to_string(row).map_or_else(|_| String::new(), |data| message(kind, after, &data))
}

fn message(kind: &str, after: &Cursor, data: &str) -> String {
    format!("event: {kind}\nid: {}\ndata: {data}\n\n", after.as_str())
}
