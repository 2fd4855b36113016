//! Who is told what happens: the reporters that the configuration asks for, and what joins them to other rooms.

use std::io::IsTerminal;

use indicatif::MultiProgress;

use crate::clock;
use crate::config::{Config, Mode, Output};
use crate::hooks::heartbeat::Heartbeat;
use crate::instance::Instance;
use crate::notice::{Notice, Reporter, Reporters};
use crate::report::console::{Console, Header};
use crate::report::journal::Journal;
use crate::report::json::JsonLines;
use crate::report::metrics::Metrics;
use crate::report::progress_bars::{AsideOf, ProgressBars};
use crate::report::systemd::Systemd;
use crate::upload::{ClipProgress, WebUrl};

/// All of them, in the order in which they are told.
pub(super) fn reporters(config: &Config, instance: &Instance, heartbeat: Option<&Heartbeat>) -> Reporters {
    let mut reporters: Vec<Box<dyn Reporter + Send>> = Vec::new();
    let out = std::io::stdout();
    let on_terminal = out.is_terminal() && std::io::stderr().is_terminal();
    match config.output {
        Output::Json => reporters.push(Box::new(JsonLines::new(out))),
        Output::Text if on_terminal => {
            let bars = MultiProgress::new();
            // First, so that no bar is drawn again below the report that ends it.
            reporters.push(Box::new(ProgressBars::new(bars.clone())));
            reporters.push(Box::new(Console::new(AsideOf::new(bars, out), header(config))));
        }
        Output::Text => reporters.push(Box::new(Console::new(out, header(config)))),
    }
    // On a terminal the report says it already.
    if !on_terminal {
        reporters.push(Box::new(Journal));
    }
    reporters.push(Box::new(Systemd::default()));
    reporters.push(Box::new(Liveness(instance.clone())));
    if let Some(path) = &config.metrics_file {
        reporters.push(Box::new(Metrics::new(path.clone())));
    }
    if let Some(heartbeat) = heartbeat {
        reporters.push(Box::new(heartbeat.clone()));
    }
    Reporters::new(reporters)
}

fn header(config: &Config) -> Header {
    let interval_min = config.interval_text.clone();
    let backends: Vec<&str> = config.upload.backends.iter().map(WebUrl::as_str).collect();
    let mode = match config.mode {
        Mode::Once => "Synchronisation unique".to_string(),
        Mode::Periodic => format!("Synchronisation périodique (toutes les {interval_min} min)"),
        Mode::Continuous => format!("Synchronisation continue (toutes les {interval_min} min)"),
        Mode::Realtime => format!("Synchronisation en temps réel (au plus tard toutes les {interval_min} min)"),
    };
    Header {
        device_id: config.upload.device_id.clone(),
        database: config.local_db_path.to_string_lossy().into_owned(),
        backends: backends.join(", "),
        interval_min,
        mode,
    }
}

/// Signs of life for `status --health`: whatever is told is progress, written down now and then.
struct Liveness(Instance);

impl Reporter for Liveness {
    fn notice(&mut self, _notice: &Notice) {
        self.0.touch(clock::unix_seconds());
    }
}

impl ClipProgress for Reporters {
    fn sent(&self, bytes: u64) {
        self.tell(&Notice::ClipProgress { bytes });
    }
}
