//! What people see: the page and the reading API. Each answer goes through one door (`visitor`), and each list through
//! what that person may see.

mod clip;
mod cookie;
mod devices;
mod guessing;
mod important;
mod lasting;
mod live;
mod named;
mod openapi;
mod query;
mod retention;
mod rows;
mod said;
mod session;
mod shapes;
mod streams;
mod tokens;
mod unseen;
mod visitor;
mod whence;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post, put};
use tokio::sync::watch;

use super::{Access, App, assets, packed, secure};
use crate::config::{Keep, ProxyConfig};
use crate::known_devices::{Known, KnownDevices};
use crate::store::{Desk, Store, StoreError};
use guessing::Hashing;
use streams::Streams;
pub(super) use whence::{Hop, is_of_other_site};

/// How long the body of a request by a person may take, unless a stall is less.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What a request of a person needs.
pub(crate) struct Reader {
    pub(super) desk: Arc<dyn Desk>,
    pub(super) store: Arc<Store>,
    pub(super) access: Arc<Access>,
    pub(super) proxy: Option<ProxyConfig>,
    keep: Keep,
    /// Where people open the page, as far as somebody said.
    public_url: Option<String>,
    /// Whether alerts go anywhere.
    tells: bool,
    /// Changes when something was committed here.
    pub(super) commits: watch::Receiver<u64>,
    devices: KnownDevices,
    live: Streams,
    hashing: Hashing,
    forgot_failures_s: AtomicI64,
    /// When a session could not be prolonged last.
    prolonging_failed_s: AtomicI64,
    body_within: Duration,
}

impl Reader {
    pub(crate) fn new(app: &App, desk: Arc<dyn Desk>, commits: watch::Receiver<u64>) -> Self {
        Self {
            desk,
            store: Arc::clone(&app.store),
            access: Arc::clone(&app.access),
            proxy: app.config.proxy.clone(),
            keep: app.config.operation.keep,
            public_url: app.config.operation.public_url.clone(),
            tells: app.config.operation.alert_url.is_some(),
            commits,
            devices: KnownDevices::default(),
            live: Streams::default(),
            hashing: Hashing::default(),
            forgot_failures_s: AtomicI64::default(),
            prolonging_failed_s: AtomicI64::default(),
            body_within: app.config.stall.min(BODY_WITHIN),
        }
    }
}

impl Reader {
    /// Every device, as it was a second ago at most.
    pub(super) async fn devices(&self) -> Result<Arc<Vec<Known>>, StoreError> {
        self.devices.all(&*self.desk).await
    }

    /// Pages that follow what is stored.
    pub(super) fn live_streams(&self) -> usize {
        self.live.count()
    }
}

/// What a request's connection tells: who is at its other end, and whether the receiver is about to stop.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) peer: IpAddr,
    pub(crate) stopped: watch::Receiver<bool>,
}

/// The routes of the page and of the reading API.
pub(super) fn router(reader: Arc<Reader>) -> Router {
    Router::new()
        .route("/", get(assets::index))
        .route("/day", get(assets::index))
        .route("/day/{date}", get(assets::index))
        .route("/new", get(assets::index))
        .route("/kept", get(assets::index))
        .route("/add", get(assets::index))
        .route("/assets/{sum}/{*path}", get(assets::file))
        .route("/api/openapi.json", get(openapi::document))
        .route("/api/me", get(session::me))
        .route("/api/session", post(session::begin).delete(session::end))
        .route("/api/devices", get(devices::list))
        .route("/api/devices/{device_id}", get(devices::one))
        .route("/api/devices/{device_id}/tokens", post(tokens::add))
        .route("/api/evenements.csv", get(rows::csv))
        .route("/api/hours", get(rows::hours))
        .route("/api/media/{id}", get(clip::one))
        .route("/api/media/{id}/video", get(clip::video))
        .route("/api/media/{id}/pin", put(clip::pin))
        .route("/api/new", get(unseen::list).put(unseen::seen))
        .route("/api/live", get(live::follow))
        .route("/api/retention", get(retention::tell))
        .route("/api/important", get(important::list).put(important::mark))
        .method_not_allowed_fallback(super::method_not_allowed)
        // Devices write on these two, and their side says what else is not accepted.
        .route("/api/evenements", get(rows::events))
        .route("/api/media", get(rows::clips))
        .layer(middleware::from_fn(cookie::renew))
        .layer(middleware::from_fn(packed::pack))
        .layer(middleware::map_response(secure::secure))
        .with_state(reader)
}
