//! The bare run: the service itself, and the signals that end it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::exit;
use super::reporters::reporters;
use crate::clock::{self, SystemClock};
use crate::config::Config;
use crate::device;
use crate::hooks::alert::Alert;
use crate::hooks::device_status::DeviceStatus;
use crate::hooks::heartbeat::Heartbeat;
use crate::instance::Instance;
use crate::notice::{Notice, Reporters};
use crate::shutdown::Shutdown;
use crate::sync::service::{End, Service};
use crate::upload::{Uploader, http_agent, put_status};
use fastrand::Rng;

/// How long the work may take to stop by itself; a system call that hangs (a dead disk, a name server) must not
/// keep the process from ending within 2 s.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

/// How long the last words may take where the work did not stop.
const FAREWELL_WITHIN: Duration = Duration::from_millis(200);

/// How often the end of the last heartbeat is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a stop waits for the last status to reach the server.
const LAST_STATUS_WITHIN: Duration = Duration::from_millis(300);

enum Wakeup {
    Signal,
    Ended(End),
}

/// Runs the service until it ends or a signal comes.
pub(super) fn run(config: &Config) -> Result<u8, String> {
    let shutdown = Arc::new(Shutdown::default());
    let mut uploader = Uploader::new(config.upload.clone(), Arc::clone(&shutdown), Box::new(clock::local_now))
        .map_err(|error| error.to_string())?;
    let instance = Instance::default();
    let heartbeat = heartbeat(config)?;
    let reporters = reporters(config, &instance, heartbeat.as_ref());
    uploader.watch(Arc::new(reporters.clone()));
    let run = Run {
        config,
        reporters,
        heartbeat,
        device_status: device_status(config, &uploader),
        shutdown,
    };
    match run.supervise(uploader, instance) {
        Ok(End::Clean) => Ok(exit::OK),
        Ok(End::Incomplete) => Ok(exit::INCOMPLETE),
        Ok(End::Failed(message)) => Err(message),
        Err(error) => Err(format!("Impossible de démarrer ({error})")),
    }
}

fn heartbeat(config: &Config) -> Result<Option<Heartbeat>, String> {
    let Some(url) = &config.heartbeat_url else {
        return Ok(None);
    };
    let agent = http_agent(url, &config.upload).map_err(|error| error.to_string())?;
    Ok(Some(Heartbeat::new(agent, url.as_str().to_owned())))
}

fn device_status(config: &Config, uploader: &Uploader) -> DeviceStatus {
    let (upload, tls) = (config.upload.clone(), uploader.tls());
    DeviceStatus::new(Box::new(move |status| put_status(&upload, &tls, status)))
}

/// What `check` tells of the servers.
pub(super) fn probe(config: &Config) -> Vec<Result<String, String>> {
    match crate::upload::probe(&config.upload) {
        Ok(facts) => facts,
        Err(error) => vec![Err(error.to_string())],
    }
}

/// What the process has beside the work.
struct Run<'a> {
    config: &'a Config,
    reporters: Reporters,
    heartbeat: Option<Heartbeat>,
    device_status: DeviceStatus,
    shutdown: Arc<Shutdown>,
}

impl Run<'_> {
    /// Runs the work in a thread of its own, so that a signal is answered whatever the work waits for.
    fn supervise(&self, uploader: Uploader, instance: Instance) -> std::io::Result<End> {
        let (sender, events) = mpsc::channel();
        listen_for_signals(sender.clone())?;
        let interrupt = uploader.interrupter();
        self.start_work(uploader, instance, sender)?;
        match events.recv() {
            Ok(Wakeup::Ended(end)) => {
                self.finish_hooks(&events);
                Ok(end)
            }
            Ok(Wakeup::Signal) | Err(_) => {
                let deadline = Instant::now() + STOP_WITHIN;
                self.shutdown.request();
                interrupt();
                let end = self.stop(&events, deadline);
                let since = Instant::now();
                while self.device_status.is_under_way() && since.elapsed() < LAST_STATUS_WITHIN {
                    // A second signal changes nothing.
                    let _ = events.recv_timeout(LOOK_EVERY);
                }
                Ok(end)
            }
        }
    }

    fn start_work(&self, uploader: Uploader, instance: Instance, sender: Sender<Wakeup>) -> std::io::Result<()> {
        let (config, mut reporters, mut uploader) = (self.config.clone(), self.reporters.clone(), uploader);
        let device_status = Some(self.device_status.clone());
        let clock = SystemClock::new(Arc::clone(&self.shutdown));
        let alert = config.alert_command.as_ref().map(|command| {
            Alert::new(
                command.clone(),
                config.upload.device_id.clone(),
                config.alert_after,
                Arc::clone(&self.shutdown),
            )
        });
        thread::Builder::new().name("work".into()).spawn(move || {
            let end = Service {
                config: &config,
                wire: &mut uploader,
                reporter: &mut reporters,
                clock: &clock,
                random: Rng::new(),
                instance,
                alert,
                device_status,
            }
            .run();
            let _ = sender.send(Wakeup::Ended(end));
        })?;
        Ok(())
    }

    /// The work ended by itself: its last heartbeat and status have their few seconds, unless a stop is asked for.
    fn finish_hooks(&self, events: &Receiver<Wakeup>) {
        while self.heartbeat.as_ref().is_some_and(Heartbeat::is_under_way) || self.device_status.is_under_way() {
            match events.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits until the work has stopped, but not for long.
    fn stop(&self, events: &Receiver<Wakeup>, deadline: Instant) -> End {
        loop {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Wakeup::Ended(End::Failed(message))) => return End::Failed(message),
                Ok(Wakeup::Ended(_)) => return End::Clean,
                // A second signal changes nothing.
                Ok(Wakeup::Signal) => {}
                Err(_) => break,
            }
        }
        self.say_farewell();
        End::Clean
    }

    /// The last words in the work's place, in a thread of their own: the work may stand in a write that nobody reads, with the
    /// reporters in its hands.
    fn say_farewell(&self) {
        let (reporters, path) = (self.reporters.clone(), self.config.local_db_path.clone());
        let (said, is_said) = mpsc::channel();
        let farewell = move || {
            log::warn!("the work did not stop in time; it is left where it is, its row will be sent by the next run");
            if let Ok((events, media)) = device::statistics(&path) {
                reporters.tell(&Notice::Statistics { events, media });
            }
            let _ = said.send(());
        };
        if thread::Builder::new().name("farewell".into()).spawn(farewell).is_ok() {
            let _ = is_said.recv_timeout(FAREWELL_WITHIN);
        }
    }
}

fn listen_for_signals(sender: Sender<Wakeup>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            // The receiver is gone only when the process is ending anyway.
            let _ = sender.send(Wakeup::Signal);
        }
    })?;
    Ok(())
}
