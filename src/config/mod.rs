//! Environment → [`Config`]; every error names its variable, the value, and what is accepted.

mod error;
mod prune;
mod reader;
#[cfg(test)]
mod tests;
mod upload;
mod variables;

pub(crate) use error::ConfigError;
pub(crate) use prune::PruneConfig;
pub(crate) use reader::Lookup;
pub use variables::{VARIABLES, Variable};

use std::path::PathBuf;
use std::time::Duration;

use reader::EnvReader;

use crate::upload::{UploadConfig, WebUrl};

/// When passes happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One pass, then exit.
    Once,
    /// Passes on a fixed grid from the start of the process.
    Periodic,
    /// A full interval after each pass.
    Continuous,
    /// A pass as soon as the recorder commits; the interval is the longest wait.
    Realtime,
}

impl Mode {
    /// Every mode with its word in `SYNC_MODE`.
    const WORDS: [(&'static str, Mode); 4] = [
        ("once", Mode::Once),
        ("periodic", Mode::Periodic),
        ("continuous", Mode::Continuous),
        ("realtime", Mode::Realtime),
    ];

    /// The word of `SYNC_MODE`.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("", |(word, _)| word)
    }
}

/// How passes are told on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The French console report.
    Text,
    /// One JSON object per line.
    Json,
}

/// Everything the service is told from outside.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `LOCAL_DB_PATH`.
    pub local_db_path: PathBuf,
    /// The variables of the wire.
    pub upload: UploadConfig,
    /// `SYNC_INTERVAL_MINUTES`, as written (it is shown as it was given).
    pub interval_text: String,
    /// `SYNC_INTERVAL_MINUTES` as a duration.
    pub interval: Duration,
    /// `SYNC_MODE`.
    pub mode: Mode,
    /// `SYNC_OUTPUT`.
    pub output: Output,
    /// What is deleted on the device once it is at the server.
    pub prune: PruneConfig,
    /// `SYNC_METRICS_FILE`.
    pub metrics_file: Option<PathBuf>,
    /// `HEARTBEAT_URL`.
    pub heartbeat_url: Option<WebUrl>,
    /// `SYNC_ALERT_COMMAND`.
    pub alert_command: Option<String>,
    /// `SYNC_ALERT_AFTER_MINUTES`.
    pub alert_after: Duration,
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads it")]
fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable whose value can't be used.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(&environment)
    }

    /// Reads variables through `lookup`.
    ///
    /// # Errors
    /// The first variable whose value can't be used.
    pub(crate) fn from_lookup(lookup: Lookup) -> Result<Self, ConfigError> {
        let reader = EnvReader { lookup };
        Ok(Self {
            local_db_path: PathBuf::from(reader.required("LOCAL_DB_PATH")?),
            upload: upload::upload_config(&reader)?,
            interval_text: reader.required("SYNC_INTERVAL_MINUTES")?.trim().to_string(),
            interval: reader.minutes("SYNC_INTERVAL_MINUTES", 10_080.0)?,
            mode: reader.one_of("SYNC_MODE", &Mode::WORDS)?,
            output: reader.one_of("SYNC_OUTPUT", &[("text", Output::Text), ("json", Output::Json)])?,
            prune: prune::prune_config(&reader)?,
            metrics_file: reader.path("SYNC_METRICS_FILE")?,
            heartbeat_url: upload::heartbeat(&reader)?,
            alert_command: reader.optional("SYNC_ALERT_COMMAND")?,
            alert_after: reader.minutes("SYNC_ALERT_AFTER_MINUTES", 525_600.0)?,
        })
    }
}

/// `LOCAL_DB_PATH` alone, for commands that need nothing else.
///
/// # Errors
/// The value can't be used.
pub(crate) fn local_db_path() -> Result<PathBuf, ConfigError> {
    let reader = EnvReader { lookup: &environment };
    Ok(PathBuf::from(reader.required("LOCAL_DB_PATH")?))
}

/// What the environment says of pruning alone, for the command.
///
/// # Errors
/// A value can't be used.
pub(crate) fn prune_config() -> Result<PruneConfig, ConfigError> {
    prune::prune_config(&EnvReader { lookup: &environment })
}
