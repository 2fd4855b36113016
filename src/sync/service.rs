//! The schedule of passes: from opening the database to the last statistics.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::{Device, DeviceError, FailedDue, Kind, KnownDone};
use crate::hooks::alert;
use crate::instance::{Instance, InstanceInfo};
use crate::notice::{Notice, PassReport, Reporter};
use crate::row::Table;
use crate::upload::Wire;

use super::pass::{Pass, PassError};
use super::policy::{self, Random};
use super::retry_transient::wait;
use super::streak::Streak;

/// How often a database that is not there yet is looked for.
const LOOK_FOR_DATABASE: Duration = Duration::from_secs(2);

/// The key under which the database remembers whether the alert is raised.
const ALERT_RAISED: &str = "alert_raised";

/// How often `realtime` looks whether somebody committed.
const LOOK_FOR_COMMIT: Duration = Duration::from_secs(1);

/// How the service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything was sent, or a stop was asked for: exit status 0.
    Clean,
    /// `once` ended with rows unsent: exit status 1.
    Incomplete,
    /// It could not start or go on, and why: exit status 2.
    Failed(String),
}

/// The service with everything it needs, lent for its life.
pub struct Service<'a> {
    /// What it was told.
    pub config: &'a Config,
    /// The server.
    pub wire: &'a mut dyn Wire,
    /// Who is told.
    pub reporter: &'a mut dyn Reporter,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Jitter.
    pub random: Random,
    /// The lock on the database, not held yet.
    pub instance: Instance,
}

/// Why there is no database to work with.
enum Closed {
    Interrupted,
    Failed(String),
}

impl Service<'_> {
    /// Runs in the configured mode to its end.
    pub fn run(&mut self) -> End {
        self.reporter.notice(&Notice::Started);
        let mut device = match self.open() {
            Ok(opened) => opened,
            Err(Closed::Interrupted) => return End::Clean,
            Err(Closed::Failed(message)) => return End::Failed(message),
        };
        self.reporter.notice(&Notice::Ready);
        let end = self.passes(&mut device);
        self.reporter.notice(&Notice::Stopping);
        match [Table::Event, Table::Media].map(|table| device.counts(table)) {
            [Ok(events), Ok(media)] => self.reporter.notice(&Notice::Statistics { events, media }),
            [Err(error), _] | [_, Err(error)] => log::error!("{error}"),
        }
        end
    }

    /// Opens the database; in the modes that stay, one that is not there yet is waited for.
    fn open(&mut self) -> Result<Device, Closed> {
        let device = self.open_device(false)?;
        // After the file is known to be there: the lock file lies beside it.
        self.instance
            .acquire(&self.config.local_db_path)
            .map_err(|error| Closed::Failed(error.to_string()))?;
        Ok(device)
    }

    /// Opens the database. What is wrong with it from the start ends the service; under a `running` one a
    /// card may be remounted or a file be put back, so that most trouble is waited out.
    fn open_device(&mut self, running: bool) -> Result<Device, Closed> {
        let mut tries = 0;
        let mut said = None;
        loop {
            let error = match Device::open(&self.config.local_db_path) {
                Ok(device) => {
                    if said.is_some() {
                        self.reporter.notice(&Notice::TroubleOver);
                    }
                    return Ok(device);
                }
                Err(error) => error,
            };
            let hopeless = match error.kind {
                Kind::NotYet | Kind::Transient => false,
                Kind::Denied => !running,
                _ => true,
            };
            if hopeless || self.config.mode == Mode::Once {
                return Err(Closed::Failed(error.message));
            }
            tries += 1;
            if said != Some(error.kind) {
                said = Some(error.kind);
                self.reporter.notice(&Notice::Trouble(&error.message));
            }
            let delay = match error.kind {
                Kind::NotYet => LOOK_FOR_DATABASE,
                _ => policy::database_delay(tries, &mut self.random),
            };
            if wait(self.clock, self.reporter, delay) {
                return Err(Closed::Interrupted);
            }
        }
    }

    /// Pass after pass, until `once` is done or a stop is asked for.
    fn passes(&mut self, device: &mut Device) -> End {
        let mut schedule = Schedule::new(self.config, self.clock.monotonic());
        let mut known = [None; 2];
        let mut streak = Streak::default();
        loop {
            match self.refresh(device) {
                Ok(false) => {}
                // Another file: what was counted was not in it.
                Ok(true) => known = [None; 2],
                Err(Closed::Interrupted) => return End::Clean,
                Err(Closed::Failed(message)) => return End::Failed(message),
            }
            self.tell(None, None);
            let mut pass = Pass {
                device,
                wire: self.wire,
                reporter: self.reporter,
                clock: self.clock,
                random: &mut self.random,
                streak: &mut streak,
                device_id: &self.config.device_id,
                interval: self.config.interval,
                once: self.config.mode == Mode::Once,
            };
            let report = match pass.run() {
                Ok(report) => report,
                Err(PassError::Interrupted) => return End::Clean,
                Err(PassError::Trouble(error)) => {
                    log::error!("{error}");
                    return End::Incomplete;
                }
                // It is opened again before the next pass, which begins at once.
                Err(PassError::Replaced) => continue,
                Err(PassError::Unusable(error)) => return End::Failed(error.message),
            };
            if self.config.mode == Mode::Once {
                self.after_pass(device, &report, &mut known);
                return if report.is_complete() {
                    End::Clean
                } else {
                    End::Incomplete
                };
            }
            self.after_pass(device, &report, &mut known);
            let delay = schedule.after(&report, self.clock.monotonic(), &mut self.random);
            let next_pass = self
                .clock
                .unix_seconds()
                .saturating_add(i64::try_from(delay.as_secs()).unwrap_or(0));
            self.tell(Some(next_pass), report.ended_by.as_deref());
            self.reporter.notice(&Notice::Idle { next_pass });
            if self.idle(device, delay, report.ended_by.is_none()) {
                return End::Clean;
            }
        }
    }

    /// Tells who wants to know where the rows stand, and raises or ends the alert. Trouble here is logged: the
    /// pass itself is done.
    fn after_pass(&mut self, device: &mut Device, report: &PassReport, known: &mut [Option<KnownDone>; 2]) {
        if self.config.metrics_file.is_none() && self.config.alert_command.is_none() {
            return;
        }
        if let Err(error) = self.tell_state(device, report, known) {
            log::error!("{error}");
        }
    }

    fn tell_state(
        &mut self,
        device: &mut Device,
        report: &PassReport,
        known: &mut [Option<KnownDone>; 2],
    ) -> Result<(), DeviceError> {
        for (known, sent) in known.iter_mut().zip([report.events.sent, report.media.sent]) {
            if let Some(known) = known {
                known.count += sent;
            }
        }
        let now = self.clock.local();
        let (events, done_events) = device.state(Table::Event, known[0], now)?;
        let (media, done_media) = device.state(Table::Media, known[1], now)?;
        *known = [Some(done_events), Some(done_media)];
        self.reporter.notice(&Notice::State {
            now: self.clock.unix_seconds(),
            events: &events,
            media: &media,
        });
        let Some(command) = &self.config.alert_command else {
            return Ok(());
        };
        let facts = alert::facts(&events, &media, self.config.alert_after);
        let raised = device.meta(ALERT_RAISED)?.is_some_and(|value| value == "1");
        if facts.raised != raised {
            // Kept in the database, so that also `once` tells each change once.
            device.set_meta(ALERT_RAISED, if facts.raised { "1" } else { "0" })?;
            alert::run(command, &self.config.device_id, &facts, &|time| self.clock.wait(time));
        }
        Ok(())
    }

    /// Makes sure that the open database is the one at the path, as it is now; `true` when it was opened again.
    fn refresh(&mut self, device: &mut Device) -> Result<bool, Closed> {
        match device.is_current() {
            Ok(true) => Ok(false),
            Ok(false) | Err(_) => {
                log::info!("the database or its schema changed: opening it again");
                *device = self.open_device(true)?;
                Ok(true)
            }
        }
    }

    /// Waits for the next pass; `true` when a stop is asked for.
    fn idle(&mut self, device: &Device, delay: Duration, well: bool) -> bool {
        // With the backend away, new rows change nothing.
        if self.config.mode != Mode::Realtime || !well {
            return wait(self.clock, self.reporter, delay);
        }
        let end = self.clock.monotonic() + delay;
        // Nothing is known yet of what came during the pass: the first look is a real one.
        let mut seen = None;
        loop {
            match self.has_come(device, &mut seen) {
                Ok(true) => return false,
                Ok(false) => {}
                // The pass will meet the same trouble and deal with it.
                Err(error) => {
                    log::debug!("{error}");
                }
            }
            let left = end.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return false;
            }
            if wait(self.clock, self.reporter, left.min(LOOK_FOR_COMMIT)) {
                return true;
            }
        }
    }

    /// Whether somebody committed since `seen`, and what is due is not nothing.
    fn has_come(&self, device: &Device, seen: &mut Option<i64>) -> Result<bool, DeviceError> {
        let version = device.data_version()?;
        if *seen == Some(version) {
            return Ok(false);
        }
        let failed_due = FailedDue::At {
            now: self.clock.unix_seconds(),
            longest_delay: policy::LONGEST_DELAY_S,
        };
        for table in Table::ALL {
            if device.backlog(table, failed_due)?.due > 0 {
                return Ok(true);
            }
        }
        *seen = Some(version);
        Ok(false)
    }

    fn tell(&self, next_pass: Option<i64>, trouble: Option<&str>) {
        let now = self.clock.unix_seconds();
        self.instance.tell(InstanceInfo {
            pid: std::process::id(),
            host: host_name(),
            mode: self.config.mode.name().to_string(),
            backend: self.wire.backend().to_string(),
            last_pass: next_pass.map(|_| now),
            next_pass,
            alive: now,
            trouble: trouble.map(str::to_string),
        });
    }
}

/// When the next pass begins.
struct Schedule {
    mode: Mode,
    interval: Duration,
    start: Duration,
    troubles: u32,
}

impl Schedule {
    fn new(config: &Config, start: Duration) -> Self {
        Self {
            mode: config.mode,
            interval: config.interval,
            start,
            troubles: 0,
        }
    }

    /// The wait after a pass that ended at `now`.
    fn after(&mut self, report: &PassReport, now: Duration, random: &mut Random) -> Duration {
        self.troubles = if report.ended_by.is_some() {
            self.troubles + 1
        } else {
            0
        };
        match self.mode {
            // Start + k × interval: the first point of the grid that is still to come.
            Mode::Periodic => {
                let passed = (now - self.start).as_nanos();
                let step = self.interval.as_nanos();
                let left = step - passed % step;
                Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
            }
            Mode::Realtime if self.troubles > 0 => policy::realtime_delay(self.troubles, self.interval, random),
            Mode::Once | Mode::Continuous | Mode::Realtime => policy::pass_delay(self.interval, random),
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
