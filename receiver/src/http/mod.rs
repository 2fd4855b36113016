//! The routes of devices, of `GET /health` and `GET /ready`, and what every answer and every request to `/api` has in common; `read`
//! has the routes of people.

mod admission;
mod assets;
mod batch;
mod body;
mod event;
mod headers;
mod media;
mod metrics;
mod packed;
mod range;
mod read;
mod secure;
mod status;
mod tokens;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use sync_protocol::{EXTENSIONS_HEADER, Extension, Extensions};
use tokio::sync::watch;

use crate::answer::Refusal;
use crate::config::Config;
use crate::decode::{ACCEPTED, Packing, WindowBudget};
use crate::metrics::Metrics;
use crate::store::{Key, Kind, Store, StoreError};
pub(crate) use admission::COME_AGAIN_S;
pub(crate) use read::{Line, Reader};
pub(crate) use tokens::Access;

/// How long `GET /ready` may take, so that its answer is there within a second.
const CHECK_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(850);

/// What every request needs.
pub(crate) struct App {
    config: Config,
    store: Arc<Store>,
    windows: WindowBudget,
    access: Arc<Access>,
    commits: watch::Sender<u64>,
    /// Whose turn it is to have a batch read.
    batch_reading: tokio::sync::Mutex<()>,
    admission: Arc<admission::Admission>,
    metrics: Arc<Metrics>,
}

impl App {
    /// Serves `store` as `config` says, to those whom `access` lets in; `commits` changes with what is stored.
    pub(crate) fn new(
        config: Config,
        store: Arc<Store>,
        access: Arc<Access>,
        commits: watch::Sender<u64>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            admission: Arc::new(admission::Admission::new(&config)),
            metrics,
            config,
            store,
            windows: WindowBudget::default(),
            access,
            commits,
            batch_reading: tokio::sync::Mutex::default(),
        }
    }

    /// Wakes those who follow what is stored.
    fn committed(&self) {
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl App {
    /// Asks the database and the place of the clips at the same time.
    async fn check(&self) -> (Result<(), StoreError>, Result<(), StoreError>) {
        let slow = |what: &str| Err(StoreError::Unavailable(format!("{what}: no answer")));
        let checked = tokio::time::timeout(CHECK_TIMEOUT, self.store.check()).await;
        checked.unwrap_or_else(|_| (slow("database"), slow("clips")))
    }

    /// Lets uploads on their way save what came, and stop.
    pub(crate) fn end_uploads(&self) {
        self.store.end_uploads();
    }
}

/// How often uploads that nobody continues are looked for.
const EXPIRE_EVERY: std::time::Duration = std::time::Duration::from_secs(600);

/// Forgets uploads that nobody continues, for as long as it is polled.
pub(crate) async fn expire_uploads(app: Arc<App>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        if let Err(error) = app.store.expire_uploads().await {
            log::warn!("{error}");
        }
    }
}

/// Every route: those of devices, and those of people.
pub(crate) fn router(app: Arc<App>, reader: Arc<Reader>) -> Router {
    let extensions = EXTENSIONS.to_string().try_into();
    let extensions: HeaderValue = extensions.unwrap_or(HeaderValue::from_static(""));
    let scraped = metrics::Scraped {
        app: Arc::clone(&app),
        reader: Arc::clone(&reader),
    };
    let metrics = Router::new()
        .route("/metrics", get(metrics::tell).fallback(method_not_allowed))
        .with_state(scraped);
    Router::new()
        .merge(read::router(reader))
        .merge(of_devices(Arc::clone(&app)))
        .merge(metrics)
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(app, metrics::measure))
        .layer(middleware::map_response_with_state(extensions, advertise))
}

/// The routes of the contract, section 3, and those of the extensions.
fn of_devices(app: Arc<App>) -> Router {
    let admission = Arc::clone(&app.admission);
    Router::new()
        .route("/api/evenements", post(event::post))
        .route(sync_protocol::batch::PATH, post(batch::post))
        .route("/api/media", post(media::post))
        .route(sync_protocol::uploads::PATH, any(uploads::all))
        .route(&format!("{}/{{id}}", sync_protocol::uploads::PATH), any(uploads::one))
        .route("/api/devices/{device_id}/status", put(status::put))
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(middleware::from_fn_with_state(admission, admission::admit))
        // Also for methods that are not served: a device can ask whether its token is good without storing anything.
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), authorize))
        .route("/health", get(health).fallback(method_not_allowed))
        .route("/ready", get(ready).fallback(method_not_allowed))
        .with_state(app)
}

/// What is there beyond the contract.
pub(crate) const EXTENSIONS: Extensions = Extensions::NONE
    .with(Extension::Batch)
    .with(Extension::Uploads)
    .with(Extension::Status);

/// Says in every answer what packings are taken (RFC 7694), and what extensions there are.
async fn advertise(State(extensions): State<HeaderValue>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    headers.insert(EXTENSIONS_HEADER, extensions);
    response
}

async fn not_found(request: Request) -> Response {
    let refusal = Refusal::new(StatusCode::NOT_FOUND, format!("{}: inconnu", request.uri().path()));
    body::answer_unread(request, refusal)
}

async fn method_not_allowed(request: Request) -> Response {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} n'est pas accepté ici", request.method()),
    );
    body::answer_unread(request, refusal)
}

/// The device whose token was shown; `None` where anyone may store.
#[derive(Clone)]
struct Owner(Option<String>);

impl Owner {
    /// A token stores for its own device alone.
    fn check_device(&self, device_id: &str) -> Result<(), Refusal> {
        match &self.0 {
            Some(owner) if owner != device_id => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "device_id: ce jeton est celui d'un autre appareil",
            )),
            _ => Ok(()),
        }
    }
}

async fn authorize(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let owner = match app.access.owner(headers::token(request.headers())).await {
        Ok(owner) => Owner(owner),
        Err(refusal) => return body::answer_unread(request, unauthorized(refusal)),
    };
    // Who needs no token to store may still be a page elsewhere, in a browser that reaches us.
    if owner.0.is_none() && read::is_of_other_site(request.headers()) {
        let refusal = Refusal::new(StatusCode::FORBIDDEN, "demande venue d'un autre site");
        return body::answer_unread(request, refusal);
    }
    request.extensions_mut().insert(owner);
    next.run(request).await
}

/// A refusal; where it is for want of a token, with the way to show one.
fn unauthorized(refusal: Refusal) -> Response {
    let wants_token = refusal.status == StatusCode::UNAUTHORIZED;
    let mut response = refusal.into_response();
    if wants_token {
        let way = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, way);
    }
    response
}

/// What is known of a request to `/api` before its body is read.
struct Head {
    owner: Owner,
    key: Option<Key>,
    packing: Option<Packing>,
}

/// Reads the headers, and answers at once where they suffice: a wrong key, or one that was answered before.
async fn head(app: &App, kind: Kind, owner: Owner, headers: &HeaderMap) -> Result<Head, Response> {
    let key = headers::key(headers, owner.0.as_deref()).map_err(Refusal::into_response)?;
    if let Some(key) = &key {
        match app.store.receipt(kind, key.clone()).await {
            Ok(None) => {}
            Ok(Some(receipt)) => return Err(receipt.into_response()),
            Err(error) => return Err(Refusal::unavailable(error).into_response()),
        }
    }
    let packing = headers::packing(headers).map_err(Refusal::into_response)?;
    Ok(Head { owner, key, packing })
}

const OK: (&str, &str) = ("application/json", r#"{"status":"ok"}"#);

/// Alive: whatever the database and the disk do.
async fn health() -> Response {
    ([(header::CONTENT_TYPE, OK.0)], OK.1).into_response()
}

/// Whether rows and clips can be stored.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let (rows, clips) = app.check().await;
    match rows.and(clips) {
        Ok(()) => ([(header::CONTENT_TYPE, OK.0)], OK.1).into_response(),
        Err(error) => Refusal::unavailable(error).into_response(),
    }
}
