//! The bare run: the service itself, and the signals that end it.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::exit;
use super::reporters::reporters;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::device;
use crate::instance::Instance;
use crate::notice::{Notice, Reporters};
use crate::shutdown::Shutdown;
use crate::sync::policy::Random;
use crate::sync::service::{End, Service};
use crate::upload::{UploadConfig, Uploader};

/// How long the work may take to stop by itself; a system call that hangs (a dead disk, a name server) must not
/// keep the process from ending within 2 s.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

enum Wakeup {
    Signal,
    Ended(End),
}

/// Runs the service until it ends or a signal comes.
pub(super) fn run(config: &Config) -> Result<u8, String> {
    let shutdown = Arc::new(Shutdown::default());
    let mut uploader =
        Uploader::new(upload_config(config), Arc::clone(&shutdown)).map_err(|error| error.to_string())?;
    let instance = Instance::default();
    let reporters = reporters(config, &instance)?;
    uploader.watch(Arc::new(reporters.clone()));
    match supervise(config, uploader, &reporters, instance, &shutdown) {
        Ok(End::Clean) => Ok(exit::OK),
        Ok(End::Incomplete) => Ok(exit::INCOMPLETE),
        Ok(End::Failed(message)) => Err(message),
        Err(error) => Err(format!("Impossible de démarrer ({error})")),
    }
}

/// What `check` tells of the servers.
pub(super) fn probe(config: &Config) -> Vec<Result<String, String>> {
    match crate::upload::probe(&upload_config(config)) {
        Ok(facts) => facts,
        Err(error) => vec![Err(error.to_string())],
    }
}

/// Runs the work in a thread of its own, so that a signal is answered whatever the work waits for.
fn supervise(
    config: &Config,
    uploader: Uploader,
    reporters: &Reporters,
    instance: Instance,
    shutdown: &Arc<Shutdown>,
) -> std::io::Result<End> {
    let (sender, events) = mpsc::channel();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let interrupt = uploader.interrupter();
    let on_signal = sender.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            // The receiver is gone only when the process is ending anyway.
            let _ = on_signal.send(Wakeup::Signal);
        }
    })?;
    let (config_of_work, reporters_of_work, clock) = (
        config.clone(),
        reporters.clone(),
        SystemClock::new(Arc::clone(shutdown)),
    );
    thread::Builder::new().name("work".into()).spawn(move || {
        let (mut uploader, mut reporters) = (uploader, reporters_of_work);
        let end = Service {
            config: &config_of_work,
            wire: &mut uploader,
            reporter: &mut reporters,
            clock: &clock,
            random: Random::from_system(),
            instance,
        }
        .run();
        let _ = sender.send(Wakeup::Ended(end));
    })?;

    match events.recv() {
        Ok(Wakeup::Ended(end)) => return Ok(end),
        Ok(Wakeup::Signal) | Err(_) => {}
    }
    let deadline = std::time::Instant::now() + STOP_WITHIN;
    shutdown.request();
    interrupt();
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
            Ok(Wakeup::Ended(End::Failed(message))) => return Ok(End::Failed(message)),
            Ok(Wakeup::Ended(_)) => return Ok(End::Clean),
            // A second signal changes nothing.
            Ok(Wakeup::Signal) => {}
            Err(_) => break,
        }
    }
    log::warn!("the work did not stop in time; it is left where it is, its row will be sent by the next run");
    if let Ok((events, media)) = device::statistics(&config.local_db_path) {
        reporters.tell(&Notice::Statistics { events, media });
    }
    Ok(End::Clean)
}

pub(super) fn upload_config(config: &Config) -> UploadConfig {
    UploadConfig {
        backends: config.backends.clone(),
        compression: config.compression,
        token: config.token.clone(),
        ca_file: config.ca_file.clone(),
        client_cert: config.client_cert.clone(),
        client_key: config.client_key.clone(),
        max_rate_kbps: config.max_rate_kbps,
        device_id: config.device_id.clone(),
        ..UploadConfig::default()
    }
}
