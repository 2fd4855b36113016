//! What a receiver counts of itself, in the form that Prometheus reads. Rooms count by themselves; this is where it is
//! named. Nothing here has a label per device, person or address: there may be any number of those.

mod http;

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use http::HttpMetrics;

/// One of the two halves of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Storage {
    #[allow(non_camel_case_types, reason = "the name of the value")]
    database,
    #[allow(non_camel_case_types, reason = "the name of the value")]
    clips,
}

/// A half of what is kept, as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfStorage {
    pub(crate) storage: Storage,
}

/// A state of devices, as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfState {
    pub(crate) state: &'static str,
}

/// What asks the database: `rows` stores, `reading` is what people ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfUse {
    pub(crate) used_for: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// What is stored, and what stood in its way.
#[derive(Clone, Default)]
pub(crate) struct StoreMetrics {
    pub(crate) events: Counter,
    pub(crate) clips: Counter,
    pub(crate) clip_bytes: Counter,
    pub(crate) errors: Family<OfStorage, Counter>,
    /// Whether the place for clips is another database's.
    pub(crate) clips_foreign: Gauge,
}

/// Sockets: what goes over them, and how many there are.
#[derive(Clone, Default)]
pub(crate) struct SocketMetrics {
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) open: Gauge,
    pub(crate) refused: Counter,
}

/// What was removed, as labels: `media` or `evenement`, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfRemoval {
    pub(crate) kind: &'static str,
    pub(crate) reason: &'static str,
}

/// A work that one receiver at a time does, as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfWork {
    pub(crate) work: &'static str,
}

/// What is kept in order beside serving.
#[derive(Clone, Default)]
pub(crate) struct UpkeepMetrics {
    pub(crate) leading: Family<OfWork, Gauge>,
    pub(crate) removed: Family<OfRemoval, Counter>,
    pub(crate) removed_bytes: Family<OfRemoval, Counter>,
    pub(crate) removal_errors: Counter,
    /// Clips whose bytes can't be removed.
    pub(crate) stuck: Gauge,
    /// What holds and is told.
    pub(crate) alarms: Gauge,
    pub(crate) notices_waiting: Gauge,
    pub(crate) notices_taken: Counter,
    pub(crate) notice_errors: Counter,
}

/// What is only known when it is asked for.
#[derive(Clone, Default)]
pub(crate) struct Looked {
    pub(crate) requests_served: Gauge,
    pub(crate) requests_waiting: Gauge,
    pub(crate) uploads: Gauge,
    pub(crate) live_streams: Gauge,
    pub(crate) up: Family<OfStorage, Gauge>,
    pub(crate) devices: Family<OfState, Gauge>,
    pub(crate) database_waiting: Family<OfUse, Gauge>,
    pub(crate) database_connections: Family<OfUse, Gauge>,
    pub(crate) database_busy: Family<OfUse, Gauge>,
}

/// All that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) http: HttpMetrics,
    pub(crate) looked: Looked,
}

impl Metrics {
    /// Names what is counted.
    pub(crate) fn new(store: &StoreMetrics, sockets: &SocketMetrics, upkeep: &UpkeepMetrics) -> Arc<Self> {
        let mut registry = Registry::with_prefix("receiver");
        let version = env!("CARGO_PKG_VERSION");
        registry.register("build", "The program", Info::new(Version { version }));
        let http = HttpMetrics::default();
        http.register(&mut registry);
        sockets.register(&mut registry);
        store.register(&mut registry);
        upkeep.register(&mut registry);
        let looked = Looked::default();
        looked.register(&mut registry);
        Arc::new(Self { registry, http, looked })
    }

    /// All of it as text.
    ///
    /// # Errors
    /// A value that cannot be written.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl SocketMetrics {
    fn register(&self, registry: &mut Registry) {
        let received = "Bytes that came over all connections";
        registry.register_with_unit("received", received, Unit::Bytes, self.received_bytes.clone());
        let sent = "Bytes that went over all connections";
        registry.register_with_unit("sent", sent, Unit::Bytes, self.sent_bytes.clone());
        registry.register("connections", "Connections that are open", self.open.clone());
        let refused = "Connections answered with 503 at once: there were as many as may be, none of them idle";
        registry.register("connections_refused", refused, self.refused.clone());
    }
}

impl StoreMetrics {
    fn register(&self, registry: &mut Registry) {
        let events = "Events stored by this receiver";
        registry.register("stored_events", events, self.events.clone());
        registry.register("stored_clips", "Clips stored by this receiver", self.clips.clone());
        let bytes = "Bytes of the clips stored by this receiver";
        registry.register_with_unit("stored_clip", bytes, Unit::Bytes, self.clip_bytes.clone());
        for storage in [Storage::database, Storage::clips] {
            drop(self.errors.get_or_create(&OfStorage { storage }));
        }
        let errors = "Requests of ours to the database, or to the place of the clips, that failed";
        registry.register("storage_errors", errors, self.errors.clone());
        let foreign = "Whether the place of the clips is another database's, so that nothing is swept there";
        registry.register("clips_foreign", foreign, self.clips_foreign.clone());
    }
}

impl UpkeepMetrics {
    fn register(&self, registry: &mut Registry) {
        let leading = "Whether it is this receiver that does a work which one at a time does";
        registry.register("leading", leading, self.leading.clone());
        let removed = "Rows removed by retention";
        registry.register("removed_rows", removed, self.removed.clone());
        let bytes = "Bytes of the clips removed by retention";
        registry.register_with_unit("removed", bytes, Unit::Bytes, self.removed_bytes.clone());
        let errors = "Clips that could not be removed, each time it was tried";
        registry.register("removal_errors", errors, self.removal_errors.clone());
        let stuck = "Clips that are to be removed and can't be";
        registry.register("removal_stuck_clips", stuck, self.stuck.clone());
        let alarms = "What holds now and is told; by the receiver that leads the alerts, as are those that wait";
        registry.register("alarms", alarms, self.alarms.clone());
        registry.register(
            "alerts_waiting",
            "Alerts that nobody took yet",
            self.notices_waiting.clone(),
        );
        registry.register("alerts_taken", "Alerts that were taken", self.notices_taken.clone());
        registry.register(
            "alert_errors",
            "Alerts that were not taken, each try",
            self.notice_errors.clone(),
        );
    }
}

impl Looked {
    fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "requests_served",
                "Devices' requests that are served now",
                &self.requests_served,
            ),
            (
                "requests_waiting",
                "Devices' requests that wait for their turn",
                &self.requests_waiting,
            ),
            (
                "uploads",
                "Resumable uploads that somebody writes here now",
                &self.uploads,
            ),
            ("live_streams", "Pages that follow live", &self.live_streams),
        ] {
            registry.register(name, help, gauge.clone());
        }
        let up = "Whether the database, and the place of the clips, can be written to";
        registry.register("storage_up", up, self.up.clone());
        let devices = "Devices by their worst state; the same from every receiver of a database";
        registry.register("devices", devices, self.devices.clone());
        let of_database = [
            (
                "waiting",
                "Questions to the database without an answer yet",
                &self.database_waiting,
            ),
            ("connections", "Connections to the database", &self.database_connections),
            (
                "connections_busy",
                "Those of them that are at work",
                &self.database_busy,
            ),
        ];
        for (name, help, family) in of_database {
            registry.register(format!("database_{name}"), help, family.clone());
        }
    }
}
