//! The three routes.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::StreamExt;

use crate::answer::{Refusal, Stored};
use crate::config::Config;
use crate::decode::{ACCEPTED, Decoder};
use crate::event::Fields;
use crate::media::{MediaParser, RefusedBody};
use crate::store::{Key, Store, StoreError, Table};

/// Longest body of an event.
const EVENT_MOST: usize = 1 << 20;

/// A body up to this length is read to its end before it is refused or answered unread, so that the sender gets the
/// answer instead of a reset. A longer one should ask first (`Expect: 100-continue`).
const DRAIN_MOST: u64 = 4 << 20;

/// Pieces of a body that wait to be written.
const PIECES: usize = 4;

/// Longest `Idempotency-Key`.
const KEY_MOST: usize = 255;

/// What every request needs.
pub struct App<S> {
    config: Config,
    store: S,
}

impl<S: Store> App<S> {
    /// Serves `store` as `config` says.
    pub fn new(config: Config, store: S) -> Self {
        Self { config, store }
    }
}

/// The routes of the contract, section 3.
pub fn router<S: Store>(app: Arc<App<S>>) -> Router {
    let api = Router::new()
        .route("/api/evenements", post(event::<S>))
        .route("/api/media", post(media::<S>))
        // Also for methods that are not served: a device can ask whether its token is good without storing anything.
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), authorize::<S>));
    api.route("/health", get(health::<S>))
        .layer(middleware::map_response(advertise))
        .with_state(app)
}

/// Says in every answer what packings are taken (RFC 7694).
async fn advertise(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    response
}

/// The device whose token was shown.
#[derive(Clone)]
struct Owner(String);

async fn authorize<S: Store>(State(app): State<Arc<App<S>>>, mut request: Request, next: middleware::Next) -> Response {
    let owner = if app.config.tokens.is_empty() {
        Owner(String::new())
    } else {
        let token = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| app.config.tokens.device_of(token.trim())) {
            Some(device) => Owner(device.to_string()),
            None => {
                let reason = if token.is_some() {
                    "jeton inconnu"
                } else {
                    "jeton manquant"
                };
                let refusal = Refusal::new(StatusCode::UNAUTHORIZED, reason);
                return unread(request, app.config.stall, refusal).await;
            }
        }
    };
    request.extensions_mut().insert(owner);
    next.run(request).await
}

async fn health<S: Store>(State(app): State<Arc<App<S>>>) -> Response {
    match app.store.healthy().await {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response(),
        Err(error) => Refusal::unwell(error).into_response(),
    }
}

async fn event<S: Store>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let owner = owner_of(&request);
    let key = match key_of(request.headers(), &owner) {
        Ok(key) => key,
        Err(refusal) => return unread(request, app.config.stall, refusal).await,
    };
    if let Some(response) = repeated(&app, Table::Event, key.as_ref()).await {
        return unread(request, app.config.stall, response).await;
    }
    match store_event(&app, &owner, key, request).await {
        Ok(stored) => stored.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn store_event<S: Store>(
    app: &App<S>,
    owner: &str,
    key: Option<Key>,
    request: Request,
) -> Result<Stored, Refusal> {
    let encoding = encoding_of(request.headers());
    let mut decoder = Decoder::new(encoding.as_deref(), Limited(Vec::new()))
        .map_err(Refusal::unwell)?
        .ok_or_else(unsupported)?;
    let mut pieces = Pieces::new(app, request.into_body());
    while let Some(piece) = pieces.next().await? {
        decoder.push(&piece).map_err(of_body)?;
    }
    let body = decoder.finish().map_err(of_body)?.0;
    let fields = Fields::of_event(&body)?;
    check_device(owner, &fields)?;
    app.store.add_event(fields, key).await.map_err(Refusal::unwell)
}

async fn media<S: Store>(State(app): State<Arc<App<S>>>, request: Request) -> Response {
    let owner = owner_of(&request);
    let key = match key_of(request.headers(), &owner) {
        Ok(key) => key,
        Err(refusal) => return unread(request, app.config.stall, refusal).await,
    };
    if let Some(response) = repeated(&app, Table::Media, key.as_ref()).await {
        return unread(request, app.config.stall, response).await;
    }
    if let Err(refusal) = announced(&app, request.headers()) {
        return unread(request, app.config.stall, refusal).await;
    }
    match store_media(&app, &owner, key, request).await {
        Ok(stored) => stored.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// What can be refused by a clip's headers alone.
fn announced<S>(app: &App<S>, headers: &HeaderMap) -> Result<(), Refusal> {
    let encoding = encoding_of(headers);
    let packed = match encoding.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "identity") => false,
        Some("gzip" | "x-gzip" | "zstd") => true,
        Some(_) => return Err(unsupported()),
    };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let most = app
        .config
        .max_clip
        .div_ceil(3)
        .saturating_mul(4)
        .saturating_add(1 << 20);
    if !packed && length.is_some_and(|length| length > most) {
        return Err(Refusal::too_long(format!(
            "video_data: plus de {} octets",
            app.config.max_clip
        )));
    }
    Ok(())
}

async fn store_media<S: Store>(
    app: &App<S>,
    owner: &str,
    key: Option<Key>,
    request: Request,
) -> Result<Stored, Refusal> {
    let encoding = encoding_of(request.headers());
    let clip = app.store.begin_clip().map_err(Refusal::unwell)?;
    let parser = MediaParser::new(clip, app.config.max_clip);
    let mut decoder = Decoder::new(encoding.as_deref(), parser)
        .map_err(Refusal::unwell)?
        .ok_or_else(unsupported)?;

    // Unpacking and writing block: they have a thread of their own, and a body that comes faster waits.
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(PIECES);
    let writing = tokio::task::spawn_blocking(move || -> Result<_, Refusal> {
        while let Some(piece) = receiver.blocking_recv() {
            if piece.is_empty() {
                let parser = decoder.finish().map_err(of_body)?;
                return parser.finish().map(Some);
            }
            decoder.push(&piece).map_err(of_body)?;
        }
        // The body broke off before its end.
        Ok(None)
    });
    let mut pieces = Pieces::new(app, request.into_body());
    let read = async {
        while let Some(piece) = pieces.next().await? {
            // The writer is gone: it has the reason.
            if !piece.is_empty() && sender.send(piece).await.is_err() {
                return Ok(());
            }
        }
        let _ = sender.send(Bytes::new()).await;
        Ok(())
    };
    let read: Result<(), Refusal> = read.await;
    drop(sender);
    let written = writing.await.map_err(Refusal::unwell)?;
    read?;
    let (fields, clip, bytes) = written?.ok_or_else(|| Refusal::bad("le corps est incomplet"))?;
    let fields = Fields::of_media(&fields)?;
    check_device(owner, &fields)?;
    app.store
        .add_media(fields, clip, bytes, key)
        .await
        .map_err(Refusal::unwell)
}

/// A body, piece by piece, within the time a sender has.
struct Pieces<'a, S> {
    app: &'a App<S>,
    stream: axum::body::BodyDataStream,
    start: Instant,
    bytes: u64,
}

impl<'a, S> Pieces<'a, S> {
    fn new(app: &'a App<S>, body: Body) -> Self {
        Self {
            app,
            stream: body.into_data_stream(),
            start: Instant::now(),
            bytes: 0,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let config = &self.app.config;
        let too_slow = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "le corps arrive trop lentement");
        let piece = tokio::time::timeout(config.stall, self.stream.next())
            .await
            .map_err(|_| too_slow())?;
        let Some(piece) = piece else { return Ok(None) };
        let piece = piece.map_err(|_| Refusal::bad("le corps est incomplet"))?;
        self.bytes += piece.len() as u64;
        let elapsed = self.start.elapsed();
        if elapsed > config.stall && self.bytes < config.min_rate.saturating_mul(elapsed.as_secs()) {
            return Err(too_slow());
        }
        Ok(Some(piece))
    }
}

/// Answers without the body. A short one is read and dropped first; one that asked first is left unsent.
async fn unread(request: Request, patience: std::time::Duration, response: impl IntoResponse) -> Response {
    let asks = request.headers().contains_key(header::EXPECT);
    if !asks {
        let mut stream = request.into_body().into_data_stream();
        let drain = async {
            let mut left = DRAIN_MOST;
            while let Some(Ok(piece)) = stream.next().await {
                left = left.saturating_sub(piece.len() as u64);
                if left == 0 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(patience, drain).await;
    }
    response.into_response()
}

/// The first answer, for a key that was seen.
async fn repeated<S: Store>(app: &App<S>, table: Table, key: Option<&Key>) -> Option<Response> {
    match app.store.answered(table, key?).await {
        Ok(None) => None,
        Ok(Some(stored)) => Some(stored.into_response()),
        Err(error) => Some(Refusal::unwell(error).into_response()),
    }
}

fn owner_of(request: &Request) -> String {
    request
        .extensions()
        .get::<Owner>()
        .map(|owner| owner.0.clone())
        .unwrap_or_default()
}

/// `Idempotency-Key`: a quoted string as the IETF draft has it, or a bare one.
fn key_of(headers: &HeaderMap, owner: &str) -> Result<Option<Key>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default().trim();
    let key = key
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key);
    if key.is_empty() || key.len() > KEY_MOST {
        return Err(Refusal::bad(format!(
            "Idempotency-Key: 1 à {KEY_MOST} caractères ASCII sont attendus"
        )));
    }
    Ok(Some(Key {
        owner: owner.to_string(),
        key: key.to_string(),
    }))
}

fn encoding_of(headers: &HeaderMap) -> Option<String> {
    headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.to_str().unwrap_or("?").trim().to_string())
}

fn unsupported() -> Refusal {
    Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("Content-Encoding: {ACCEPTED} sont acceptés"),
    )
}

/// A token stores for its own device alone.
fn check_device(owner: &str, fields: &Fields) -> Result<(), Refusal> {
    if owner.is_empty() || owner == fields.device_id {
        Ok(())
    } else {
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "device_id: ce jeton est celui d'un autre appareil",
        ))
    }
}

/// What a writer's error means: the parser's own refusal, a packing that can't be undone, or our disk.
fn of_body(error: io::Error) -> Refusal {
    if error.get_ref().is_some_and(|cause| cause.is::<RefusedBody>()) {
        return match error.downcast::<RefusedBody>() {
            Ok(refused) => refused.0,
            Err(error) => Refusal::unwell(error),
        };
    }
    match error.kind() {
        io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::Other => Refusal::bad(format!("Content-Encoding: corps illisible ({error})")),
        _ => Refusal::unwell(StoreError(error.to_string())),
    }
}

/// A buffer that takes no more than an event may be long.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > EVENT_MOST {
            return Err(io::Error::other(RefusedBody(Refusal::too_long(format!(
                "corps de plus de {EVENT_MOST} octets"
            )))));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
