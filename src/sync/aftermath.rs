//! After a pass: what may go from the device, where the rows stand, for those who want to know, and the alert.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::{Device, DeviceError};
use crate::hooks::alert::Alert;
use crate::notice::{Notice, PassReport, Reporter, TableState};
use crate::row::Table;

use super::pruning::Pruning;

/// The key under which the database remembers whether the alert is raised.
const ALERT_RAISED: &str = "alert_raised";

/// How often the end of an alert is looked for where nothing else is left to do.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is kept from pass to pass.
pub(super) struct Aftermath {
    /// Whether anybody wants to know where the rows stand.
    wanted: bool,
    alert: Option<Alert>,
    pruning: Pruning,
}

impl Aftermath {
    pub(super) fn new(config: &Config, alert: Option<Alert>) -> Self {
        Self {
            wanted: config.metrics_file.is_some() || alert.is_some(),
            alert,
            pruning: Pruning::new(config.prune, config.mode == Mode::Realtime),
        }
    }

    /// Deletes what may go, tells where the rows stand, and raises or ends the alert. Trouble here is logged: the pass itself is
    /// done.
    pub(super) fn of_pass(
        &mut self,
        device: &mut Device,
        reporter: &mut dyn Reporter,
        clock: &dyn Clock,
        report: &PassReport,
    ) {
        self.pruning.after_pass(device, reporter, clock, report.media.sent);
        if !self.wanted {
            return;
        }
        let told = tell_state(device, reporter, clock);
        if let Err(error) = told.and_then(|(events, media)| self.tell_alert(device, &events, &media)) {
            log::error!("{error}");
        }
    }

    fn tell_alert(&mut self, device: &mut Device, events: &TableState, media: &TableState) -> Result<(), DeviceError> {
        self.book_alert(device)?;
        let Some(alert) = &mut self.alert else { return Ok(()) };
        let facts = alert.facts(events, media);
        let raised = device.meta(ALERT_RAISED)?.is_some_and(|value| value == "1");
        if facts.raised != raised {
            alert.start(&facts);
        }
        Ok(())
    }

    /// Whether the alert's command runs.
    pub(super) fn is_alerting(&self) -> bool {
        self.alert.as_ref().is_some_and(Alert::is_under_way)
    }

    /// Keeps in the database what the alert's command has taken, so that each change is told until it is, and also by
    /// `once` no more often.
    pub(super) fn book_alert(&mut self, device: &mut Device) -> Result<(), DeviceError> {
        match self.alert.as_mut().and_then(Alert::told) {
            Some(raised) => device.set_meta(ALERT_RAISED, if raised { "1" } else { "0" }),
            None => Ok(()),
        }
    }

    /// The last pass of the process is done: waits for the alert, which has its limit, or for a stop.
    pub(super) fn finish(&mut self, device: &mut Device, clock: &dyn Clock) {
        while self.is_alerting() {
            if let Err(error) = self.book_alert(device) {
                log::error!("{error}");
            }
            if self.is_alerting() && clock.wait(LOOK_EVERY) {
                return;
            }
        }
    }
}

fn tell_state(
    device: &Device,
    reporter: &mut dyn Reporter,
    clock: &dyn Clock,
) -> Result<(TableState, TableState), DeviceError> {
    let now = clock.local();
    let events = device.state(Table::Event, now)?;
    let media = device.state(Table::Media, now)?;
    reporter.notice(&Notice::State {
        now: clock.unix_seconds(),
        events: &events,
        media: &media,
    });
    Ok((events, media))
}
