//! The connections that are open: so many and no more, without a place for those that only hold one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::activity::Activity;
use crate::metrics::SocketMetrics;
use crate::peer::Peer;

/// Every open connection.
pub(super) struct Connections {
    max_open: usize,
    tasks: JoinSet<()>,
    open: HashMap<Id, Open>,
    metrics: SocketMetrics,
}

/// While it lives, a connection is counted.
struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Open {
    peer: Peer,
    activity: Arc<Activity>,
    task: AbortHandle,
}

impl Connections {
    /// Keeps at most `max_open` open.
    pub(super) fn new(max_open: usize, metrics: SocketMetrics) -> Self {
        Self {
            max_open,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            metrics,
        }
    }

    /// Makes room for one more. `false` when every connection has a request at work.
    pub(super) async fn make_room(&mut self) -> bool {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
        if self.tasks.len() < self.max_open {
            return true;
        }
        if !self.end_an_idle_one() {
            return false;
        }
        // Its socket is closed when its task is gone, which is at once.
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
        true
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.remove(&id);
    }

    /// Ends the connection that has been idle longest, of the peer that has most of them: who opens many connections
    /// takes places from nobody but itself.
    pub(super) fn end_an_idle_one(&mut self) -> bool {
        let mut held: HashMap<Peer, usize> = HashMap::new();
        for open in self.open.values() {
            *held.entry(open.peer).or_default() += 1;
        }
        let idle = self.open.iter().filter_map(|(id, open)| {
            let since = open.activity.idle_since()?;
            let count = held.get(&open.peer).copied().unwrap_or_default();
            Some(((count, std::cmp::Reverse(since)), *id))
        });
        let Some((_, id)) = idle.max_by_key(|(order, _)| *order) else {
            return false;
        };
        if let Some(open) = self.open.remove(&id) {
            log::debug!(
                "ended a connection of {} that was idle: there are {} others",
                open.peer,
                self.open.len()
            );
            open.task.abort();
        }
        true
    }

    /// Serves a connection.
    pub(super) fn add(
        &mut self,
        peer: Peer,
        activity: Arc<Activity>,
        serving: impl Future<Output = ()> + Send + 'static,
    ) {
        self.metrics.open.inc();
        let counted = Counted(self.metrics.open.clone());
        let task = self.tasks.spawn(async move {
            let _counted = counted;
            serving.await;
        });
        self.open.insert(task.id(), Open { peer, activity, task });
    }

    /// Waits until all have ended, not longer than `within`.
    pub(super) async fn ended(&mut self, within: Duration) -> bool {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, ended).await.is_ok()
    }
}
