//! The schedule of passes: from opening the database to the last statistics.

use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::device::{Device, Found, Kind};
use crate::hooks::alert::Alert;
use crate::hooks::device_status::DeviceStatus;
use crate::instance::{Instance, InstanceInfo};
use crate::notice::{Notice, PassReport, Reporter};
use crate::row::Table;
use crate::upload::Wire;
use sync_protocol::status;

use super::aftermath::Aftermath;
use super::pass::{Pass, PassError};
use fastrand::Rng;

use super::retry_transient::wait;
use super::schedule::Schedule;
use super::streak::Streak;
use super::{device_status, extensions, policy};

/// How often a database that is not there yet is looked for.
const LOOK_FOR_DATABASE: Duration = Duration::from_secs(2);

/// How often a running service looks at what its passes take for settled.
const LOOK_EVERY: Duration = Duration::from_secs(86_400);

/// How the service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was sent, or a stop was asked for: exit status 0.
    Clean,
    /// `once` ended with rows unsent: exit status 1.
    Incomplete,
    /// It could not start or go on, and why: exit status 2.
    Failed(String),
}

impl End {
    fn of_once(report: &PassReport) -> Self {
        if report.is_complete() {
            End::Clean
        } else {
            End::Incomplete
        }
    }
}

/// The service with everything it needs, lent for its life.
pub(crate) struct Service<'a> {
    pub config: &'a Config,
    pub wire: &'a mut dyn Wire,
    pub reporter: &'a mut dyn Reporter,
    pub clock: &'a dyn Clock,
    pub random: Rng,
    /// The lock on the database, not held yet.
    pub instance: Instance,
    /// The owner's alert, where there is one.
    pub alert: Option<Alert>,
    /// Tells the server how the device is, where the server wants to know.
    pub device_status: Option<DeviceStatus>,
}

/// Why there is no database to work with.
enum Closed {
    Interrupted,
    Failed(String),
}

impl Service<'_> {
    /// Runs in the configured mode to its end.
    pub(crate) fn run(&mut self) -> End {
        self.reporter.notice(&Notice::Started);
        let mut device = match self.open_device(false) {
            Ok(opened) => opened,
            Err(Closed::Interrupted) => return End::Clean,
            Err(Closed::Failed(message)) => return End::Failed(message),
        };
        if let Err(error) = extensions::recall(&device, self.wire) {
            log::error!("{error}");
        }
        self.reporter.notice(&Notice::Ready);
        self.tell_server(&device, Some(status::Service::default()), true);
        let end = self.passes(&mut device);
        self.tell_server(&device, None, true);
        if let Err(error) = device.keep_look() {
            log::error!("{error}");
        }
        self.reporter.notice(&Notice::Stopping);
        match [Table::Event, Table::Media].map(|table| device.counts(table)) {
            [Ok(events), Ok(media)] => self.reporter.notice(&Notice::Statistics { events, media }),
            [Err(error), _] | [_, Err(error)] => log::error!("{error}"),
        }
        end
    }

    /// Opens the database, and locks it before anything is written to it; in the modes that stay, one that is not there
    /// yet is waited for. What is wrong with it from the start ends the service; under a `running` one a
    /// card may be remounted or a file be put back, so that most trouble is waited out.
    fn open_device(&mut self, running: bool) -> Result<Device, Closed> {
        let mut tries = 0;
        let mut said = None;
        loop {
            let opened = match Found::open(&self.config.local_db_path) {
                Ok(found) => {
                    self.lock()?;
                    found.set_up()
                }
                Err(error) => Err(error),
            };
            let error = match opened {
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
            log::debug!("try {tries} failed, next in {delay:?}");
            if wait(self.clock, self.reporter, delay) {
                return Err(Closed::Interrupted);
            }
        }
    }

    /// Pass after pass, until `once` is done or a stop is asked for.
    fn passes(&mut self, device: &mut Device) -> End {
        let mut schedule = Schedule::new(self.config, self.clock.monotonic());
        let mut aftermath = Aftermath::new(self.config, self.alert.take());
        let mut streak = Streak::default();
        let mut looked = None;
        loop {
            match self.refresh(device) {
                Ok(false) => {}
                // Another file, or other tables.
                Ok(true) => looked = None,
                Err(Closed::Interrupted) => return End::Clean,
                Err(Closed::Failed(message)) => return End::Failed(message),
            }
            self.tell(None, None);
            let begun = self.clock.unix_seconds();
            self.look(device, &mut looked);
            let report = match self.pass(device, &mut streak) {
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
            aftermath.of_pass(device, self.reporter, self.clock, &report);
            if self.config.mode == Mode::Once {
                aftermath.finish(device, self.clock);
                return End::of_once(&report);
            }
            let now = self.clock.monotonic();
            let delay = schedule.after(&report, self.wire.named_wait(now), now, &mut self.random);
            let delay_s = i64::try_from(delay.as_secs()).unwrap_or(0);
            let next_pass = self.clock.unix_seconds().saturating_add(delay_s);
            self.tell(Some(next_pass), report.ended_by.as_deref());
            let service = status::Service {
                last_pass: Some(begun),
                next_pass: Some(next_pass),
                trouble: report.ended_by.as_deref().map(device_status::short),
                ..status::Service::default()
            };
            self.tell_server(device, Some(service), false);
            self.reporter.notice(&Notice::Idle { next_pass });
            if self.idle(device, &mut aftermath, delay, &report) {
                return End::Clean;
            }
        }
    }

    /// Looks at what passes take for settled, at the start and once a day. Trouble is logged and the look taken before
    /// the next pass: this one meets the same trouble and deals with it.
    fn look(&mut self, device: &mut Device, looked: &mut Option<Duration>) {
        let (now, unix_seconds) = (self.clock.monotonic(), self.clock.unix_seconds());
        // A look at a long history takes its time on a slow card: it is the service at work.
        let mut pulse = || self.reporter.notice(&Notice::Waiting);
        let result = match *looked {
            None => device.look_at_start(unix_seconds, &mut pulse),
            Some(at) if now.saturating_sub(at) >= LOOK_EVERY => device.look(unix_seconds, &mut pulse),
            Some(_) => return,
        };
        match result {
            Ok(()) => *looked = Some(now),
            Err(error) => log::error!("{error}"),
        }
    }

    fn pass(&mut self, device: &mut Device, streak: &mut Streak) -> Result<PassReport, PassError> {
        let report = Pass {
            device: &mut *device,
            wire: self.wire,
            reporter: self.reporter,
            clock: self.clock,
            random: &mut self.random,
            streak,
            device_id: &self.config.upload.device_id,
            interval: self.config.interval,
            once: self.config.mode == Mode::Once,
        }
        .run();
        if let Err(error) = extensions::keep(device, self.wire) {
            log::error!("{error}");
        }
        report
    }

    /// Makes sure that the open database is the one at the path, as it is now; `true` when it was opened again.
    fn refresh(&mut self, device: &mut Device) -> Result<bool, Closed> {
        match device.is_current() {
            Ok(true) => self.lock().map(|()| false),
            Ok(false) | Err(_) => {
                log::info!("the database or its schema changed: opening it again");
                *device = self.open_device(true)?;
                Ok(true)
            }
        }
    }

    /// Takes the lock of the database, unless this process has it.
    fn lock(&self) -> Result<(), Closed> {
        self.instance
            .acquire(&self.config.local_db_path)
            .map_err(|error| Closed::Failed(error.to_string()))
    }

    /// Tells the server how the device is, if it wants to know; `service` without what is always the same of it.
    fn tell_server(&mut self, device: &Device, service: Option<status::Service>, at_once: bool) {
        let config = self.config;
        let service = service.map(|service| status::Service {
            mode: config.mode.name().to_string(),
            interval_s: (config.mode != Mode::Once).then_some(config.interval.as_secs_f64()),
            ..service
        });
        let hook = self.device_status.as_ref();
        let place = (config.local_db_path.as_path(), self.clock);
        device_status::tell(hook, self.wire, device, place, service, at_once);
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
            max_rate: Some(self.config.upload.max_rate.as_str().to_string()).filter(|rate| rate != "off"),
            prune_after_days: self.config.prune.after_days,
            prune_keep_free_mb: self.config.prune.keep_free_mb,
        });
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
