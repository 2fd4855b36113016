//! One run: what is played, when it began, and how its rows are told from all others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;

use crate::arguments::Plan;
use crate::clips::Films;
use crate::network::Network;
use crate::stats::Stats;

/// Between all devices being there and the first moment of the run.
const HEAD_START: Duration = Duration::from_millis(500);

/// Where a row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Events,
    Clips,
}

impl Table {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Events => "/api/evenements",
            Self::Clips => "/api/media",
        }
    }
}

/// What every device and the check know.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) network: Arc<Network>,
    pub(crate) films: Films,
    /// No other run has it: it is in every key, and the sensors' names are how its rows are found again.
    pub(crate) id: String,
    /// The first moment.
    pub(crate) begun: Instant,
    begun_unix_s: i64,
}

impl Run {
    #[allow(
        clippy::disallowed_methods,
        reason = "rows are dated by the real time, once for the whole run"
    )]
    pub(crate) fn new(plan: Plan, stats: Arc<Stats>) -> Result<Self, String> {
        let films = Films::read(&plan.clips)?;
        let network = Network {
            receivers: plan.receivers.clone(),
            keep_alive: plan.keep_alive,
            stats,
        };
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let since_1970 = since_1970.map_err(|error| format!("this machine's clock: {error}"))?;
        Ok(Self {
            plan,
            network: Arc::new(network),
            films,
            id: format!("{:x}", since_1970.as_micros()),
            begun: Instant::now() + HEAD_START,
            begun_unix_s: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
        })
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.network.stats
    }

    /// No new work arrives after this.
    pub(crate) fn work_ends(&self) -> Instant {
        self.begun + self.plan.work
    }

    /// All must be through by then.
    pub(crate) fn deadline(&self) -> Instant {
        self.last_return().max(self.work_ends()) + self.plan.within
    }

    /// When the last devices have their line back.
    pub(crate) fn last_return(&self) -> Instant {
        let returns = self
            .plan
            .outages
            .iter()
            .map(|outage| self.begun + outage.begin + outage.length);
        returns.max().unwrap_or(self.begun)
    }

    /// A moment in Unix seconds.
    pub(crate) fn unix_s(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.begun).as_secs();
        self.begun_unix_s
            .saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// The moment of a device's row in a backlog of so many: spread over the day before.
    pub(crate) fn backlog_unix_s(&self, index: u32, count: u32) -> i64 {
        let share = f64::from(count - index) / f64::from(count.max(1));
        self.begun_unix_s - (share * 86_400.0) as i64
    }

    /// The name of the sensor of all rows of a table.
    pub(crate) fn sensor(&self, table: Table) -> String {
        match table {
            Table::Events => format!("PIR {}", self.id),
            Table::Clips => format!("Caméra {}", self.id),
        }
    }

    pub(crate) fn key(&self, table: Table, device: u32, number: u32) -> String {
        let letter = if table == Table::Events { 'e' } else { 'c' };
        format!("fleet-{}-{letter}-{device}-{number}", self.id)
    }
}

/// A row's date: its second, and its number as microseconds, so that a device has no two rows of one date.
pub(crate) fn date(unix_s: i64, number: u32) -> String {
    let second = DateTime::from_timestamp(unix_s, 0).unwrap_or_default();
    format!("{}.{number:06}", second.format("%Y-%m-%dT%H:%M:%S"))
}

/// The number of the row of such a date.
pub(crate) fn number_of(date: &str) -> Option<u32> {
    date.rsplit_once('.')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_number_is_read_from_its_date() {
        let date = date(1_766_079_000, 42);
        assert_eq!(date, "2025-12-18T17:30:00.000042");
        assert_eq!(number_of(&date), Some(42));
    }
}
