//! What a receiver keeps in order while it serves: each work by one of any number of receivers at a time, and none of them
//! ever in the way of a request.

mod alerts;
mod delivery;
mod lead;
mod leap;
mod message;
mod retention;
mod sweep;
mod turns;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::metrics::UpkeepMetrics;
use crate::store::{Desk, Store, StoreError};
use alerts::Alerts;
use delivery::Delivery;
use lead::Lead;
use message::Writer;
use retention::Retention;
use sweep::Sweep;

/// How long the end waits for the leads to be let go.
const END_TIMEOUT: Duration = Duration::from_millis(300);

/// The works under way.
pub(crate) struct Upkeep {
    desk: Arc<dyn Desk>,
    /// Who this receiver is to the others.
    name: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Upkeep {
    /// Begins every work; `page` is where this receiver is, unless people open it elsewhere.
    pub(crate) fn start(
        config: &Config,
        store: &Arc<Store>,
        desk: &Arc<dyn Desk>,
        metrics: &UpkeepMetrics,
        page: String,
    ) -> Result<Self, String> {
        let name = desk.name_of_receiver();
        let lead = |work| Lead::new(work, name.clone(), Arc::clone(desk), metrics);
        let settings = &config.operation;
        let retention = Retention::new(
            settings.keep,
            lead(retention::WORK),
            Arc::clone(store),
            Arc::clone(desk),
            metrics.clone(),
        );
        let mut tasks = Vec::new();
        if let Some(url) = &settings.alert_url {
            let writer = Writer {
                page: settings.public_url.clone().unwrap_or(page),
                topic: url.topic().map(str::to_string),
            };
            let alerts = Alerts::new(lead(alerts::WORK), Arc::clone(desk), writer, metrics.clone());
            let lead = lead(delivery::WORK);
            let delivery = Delivery::new(lead, Arc::clone(desk), url.clone(), metrics.clone())?;
            tasks.extend([tokio::spawn(alerts.run()), tokio::spawn(delivery.run())]);
        }
        let sweep = Sweep::new(lead(sweep::WORK), Arc::clone(store));
        tasks.extend([tokio::spawn(retention.run()), tokio::spawn(sweep.run())]);
        let desk = Arc::clone(desk);
        Ok(Self { desk, name, tasks })
    }

    /// Ends them; another receiver may go on at once.
    pub(crate) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let resigning = async {
            for work in [retention::WORK, sweep::WORK, alerts::WORK, delivery::WORK] {
                self.desk.resign(work, self.name.clone()).await?;
            }
            Ok::<_, StoreError>(())
        };
        // If not, the lease ends by itself.
        let _ = tokio::time::timeout(END_TIMEOUT, resigning).await;
    }
}
