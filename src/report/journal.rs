//! The log: one line per failure on standard error, with the priorities that journald reads.

use std::io::{IsTerminal, Write};

use log::{Level, Log, Metadata, Record};

use crate::local_time;
use crate::notice::{Notice, Reporter};
use crate::text::one_line;

/// Parts of the HTTP client that say at `debug` and `trace` what goes over the wire (tokens) and where (the path of
/// `HEARTBEAT_URL` is its secret). Nothing that `RUST_LOG` says makes them speak below `info`.
const INDISCREET: [&str; 2] = ["ureq_proto", "ureq::run"];

/// Sets the log up from `RUST_LOG`; warnings and errors without it.
pub(crate) fn init() {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"));
    let on_terminal = std::io::stderr().is_terminal();
    builder.format(move |out, record| {
        let message = one_line(&record.args().to_string());
        if on_terminal {
            return writeln!(out, "[{:<5} {}] {message}", record.level(), record.target());
        }
        // sd-daemon(3): "<N>" at the start of a line is its syslog priority; journald adds time and unit.
        let priority = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        writeln!(out, "<{priority}>{}: {message}", record.target())
    });
    let logger = Discreet(builder.build());
    log::set_max_level(logger.0.filter());
    // It fails when there is a logger already, which then does.
    let _ = log::set_boxed_logger(Box::new(logger));
}

/// The logger, without what must not be said.
struct Discreet(env_logger::Logger);

impl Log for Discreet {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let indiscreet = metadata.level() > Level::Info
            && INDISCREET.iter().any(|module| {
                let rest = metadata.target().strip_prefix(module);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            });
        !indiscreet && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Writes failures to the log.
#[derive(Debug, Default)]
pub(crate) struct Journal;

impl Reporter for Journal {
    fn notice(&mut self, notice: &Notice) {
        if let Notice::Failed {
            table,
            id,
            message,
            verdict,
            attempts,
            due_at,
            ..
        } = notice
        {
            let next = local_time::text(*due_at, local_time::ISO);
            log::warn!("{table} {id}: {verdict}, attempt {attempts}, next try from {next}: {message}");
        }
    }
}
