//! `GET /metrics`, for Prometheus; and what it tells of requests.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::read::{Hop, Line};
use super::{App, CHECK_TIMEOUT, Reader};
use crate::answer::Refusal;
use crate::device_state::{STATES, State as DeviceState, states};
use crate::metrics::{OfState, OfStorage, OfUse, Storage};
use crate::people::now_s;
use crate::store::{Load, StoreError};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Both halves of what there is to tell.
#[derive(Clone)]
pub(super) struct Scraped {
    pub(super) app: Arc<App>,
    pub(super) reader: Arc<Reader>,
}

/// Counts a request when its answer begins.
pub(super) async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    let metrics = &app.metrics.http;
    metrics.answered(method.as_str(), route, response.status().as_u16(), begun.elapsed());
    response
}

/// Everything that is counted. This machine may read it, and those whom the settings name.
pub(super) async fn tell(
    State(scraped): State<Scraped>,
    line: Option<Extension<Line>>,
    version: Version,
    headers: HeaderMap,
) -> Response {
    let peer = line.map(|Extension(line)| line.peer);
    if !may_read(&scraped.app, Hop { peer, version }, &headers) {
        let reason = "/metrics: réservé à la machine du récepteur et à RECEIVER_METRICS_ADDRESSES";
        return Refusal::new(StatusCode::FORBIDDEN, reason).into_response();
    }
    scraped.look().await;
    match scraped.app.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => Refusal::unavailable(format!("metrics: {error}")).into_response(),
    }
}

fn may_read(app: &App, hop: Hop, headers: &HeaderMap) -> bool {
    let named = hop.peer.is_some_and(|peer| app.config.operation.metrics.contain(peer));
    named || hop.is_own_machine(headers)
}

impl Scraped {
    /// Looks at what is not counted as it happens. Trouble with the database is told, and hides nothing else.
    async fn look(&self) {
        let (app, looked) = (&self.app, &self.app.metrics.looked);
        let (served, waiting) = app.admission.load();
        set(&looked.requests_served, served);
        set(&looked.requests_waiting, waiting);
        set(&looked.uploads, app.store.uploads_held());
        set(&looked.live_streams, self.reader.live_streams());
        for (used_for, load) in [("rows", app.store.load()), ("reading", self.reader.desk.load())] {
            let Load {
                waiting,
                connections,
                busy,
            } = load;
            let of = OfUse { used_for };
            set(&looked.database_waiting.get_or_create(&of), waiting);
            set(&looked.database_connections.get_or_create(&of), connections);
            set(&looked.database_busy.get_or_create(&of), busy);
        }
        let (checked, devices) = tokio::join!(app.check(), self.devices());
        for (storage, checked) in [(Storage::database, checked.0), (Storage::clips, checked.1)] {
            let up = looked.up.get_or_create(&OfStorage { storage });
            set(&up, usize::from(checked.is_ok()));
        }
        // What is not known is not told: an old figure would look like a new one.
        looked.devices.clear();
        for (state, count) in devices.unwrap_or_default() {
            let of = OfState { state: state.name() };
            set(&looked.devices.get_or_create(&of), count);
        }
    }

    /// How many devices are in each state, as their worst.
    async fn devices(&self) -> Result<Vec<(DeviceState, usize)>, StoreError> {
        let slow = |_| StoreError::Unavailable("devices: no answer from the database".to_string());
        let known = tokio::time::timeout(CHECK_TIMEOUT, self.reader.devices());
        let known = known.await.map_err(slow)??;
        let now = now_s();
        let worst = |facts| states(facts, now).first().copied().unwrap_or(DeviceState::Ok);
        let mut counts = [0; STATES.len()];
        for device in known.iter() {
            if let Some(count) = counts.get_mut(worst(&device.facts).rank()) {
                *count += 1;
            }
        }
        Ok(STATES.into_iter().zip(counts).collect())
    }
}

fn set(gauge: &prometheus_client::metrics::gauge::Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
