//! What a receiver keeps in order while it serves: each work by one of any number of receivers at a time, and none of them
//! ever in the way of a request.

mod lead;
mod retention;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::metrics::UpkeepMetrics;
use crate::store::{Desk, Store};
use lead::Lead;
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
    /// Begins every work.
    pub(crate) fn start(config: &Config, store: &Arc<Store>, desk: &Arc<dyn Desk>, metrics: UpkeepMetrics) -> Self {
        let name = desk.name_of_receiver();
        let lead = |work| Lead::new(work, name.clone(), Arc::clone(desk), &metrics);
        let retention = Retention::new(
            config.operation.keep,
            lead(retention::WORK),
            Arc::clone(store),
            Arc::clone(desk),
            metrics.clone(),
        );
        let sweep = Sweep::new(lead(sweep::WORK), Arc::clone(store));
        Self {
            desk: Arc::clone(desk),
            tasks: vec![tokio::spawn(retention.run()), tokio::spawn(sweep.run())],
            name,
        }
    }

    /// Ends them; another receiver may go on at once.
    pub(crate) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let resigning = async {
            let retention = self.desk.resign(retention::WORK, self.name.clone());
            let sweep = self.desk.resign(sweep::WORK, self.name.clone());
            tokio::join!(retention, sweep)
        };
        // If not, the lease ends by itself.
        let _ = tokio::time::timeout(END_TIMEOUT, resigning).await;
    }
}
