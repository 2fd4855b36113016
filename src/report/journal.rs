//! The log: one line per failure on standard error, with the priorities that journald reads.

use std::io::{IsTerminal, Write};

use log::Level;

use crate::local_time;
use crate::notice::{Notice, Reporter};

/// Sets the log up from `RUST_LOG`; warnings and errors without it.
pub fn init() {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"));
    // At trace, the HTTP client shows the wire byte by byte: tokens are on it.
    builder.filter_module("ureq_proto", log::LevelFilter::Info);
    if !std::io::stderr().is_terminal() {
        // sd-daemon(3): "<N>" at the start of a line is its syslog priority; journald adds time and unit.
        builder.format(|out, record| {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            writeln!(out, "<{priority}>{}: {}", record.target(), record.args())
        });
    }
    builder.init();
}

/// Writes failures to the log.
#[derive(Debug, Default)]
pub struct Journal;

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
