//! Command line and environment: every setting is both, and an error names both.

mod alert_url;
mod commands;
mod networks;
mod operation;
mod places;
mod proxy;

use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::store::Places;
use crate::tokens::Tokens;
pub(crate) use alert_url::AlertUrl;
#[cfg(feature = "fleet")]
pub use commands::MoveCommand;
pub use commands::{Command, TokenCommand, UserCommand};
pub(crate) use operation::Keep;
use operation::{Operation, OperationArguments};
use places::{PLACES, PlacesArguments};
pub(crate) use proxy::ProxyConfig;

/// Where the receiver listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8000";

/// The server's side of sync-service: stores events and clips, each once.
// Values stay text here and are read by `Config::new`, so that an error can name the variable.
#[derive(Debug, Parser)]
#[command(
    name = "sync-receiver",
    version,
    after_help = "Examples:\n  sync-receiver\n  RECEIVER_LISTEN=0.0.0.0:8000 RECEIVER_DATA=/srv/receiver sync-receiver\n  sync-receiver health http://127.0.0.1:8000"
)]
pub struct Arguments {
    /// Address and port [default: 127.0.0.1:8000]; port 0 takes a free one and prints it
    #[arg(long, env = "RECEIVER_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<OsString>,

    /// Folder of the database and the clips [default: receiver-data]; made when it is not there
    #[arg(long, env = "RECEIVER_DATA", global = true, help_heading = PLACES, value_name = "FOLDER")]
    pub(crate) data: Option<OsString>,

    #[command(flatten)]
    pub(crate) places: PlacesArguments,

    /// File of devices and tokens, a line each: `device_id token`; without it and without `token add` anyone may store
    #[arg(long, env = "RECEIVER_TOKENS_FILE", value_name = "FILE")]
    pub(crate) tokens_file: Option<OsString>,

    /// Longest clip in megabytes of 1,000,000 bytes [default: 1100]; longer ones get 413
    #[arg(long, env = "RECEIVER_MAX_CLIP_MB", value_name = "MB")]
    pub(crate) max_clip_mb: Option<OsString>,

    /// Seconds a body may make no progress [default: 60]; after that 408
    #[arg(long, env = "RECEIVER_STALL_SECONDS", value_name = "SECONDS")]
    pub(crate) stall_seconds: Option<OsString>,

    /// Bytes per second a body must bring on average once it has had the time of a stall [default: 1000]; slower ones get 408
    #[arg(long, env = "RECEIVER_MIN_RATE", value_name = "BYTES")]
    pub(crate) min_rate: Option<OsString>,

    /// Connections open at a time [default: 1024, at most 20000]; beyond them an idle one ends, and where none is, 503
    #[arg(long, env = "RECEIVER_MAX_CONNECTIONS", value_name = "COUNT")]
    pub(crate) max_connections: Option<OsString>,

    /// Requests served at a time [default: 256, at most 400]; as many wait for a moment, more get 503
    #[arg(long, env = "RECEIVER_MAX_REQUESTS", value_name = "COUNT")]
    pub(crate) max_requests: Option<OsString>,

    /// Requests served at a time of one address [default: half of all, but no limit on the same machine]; more get 429
    #[arg(long, env = "RECEIVER_MAX_PER_PEER", value_name = "COUNT")]
    pub(crate) max_per_peer: Option<OsString>,

    /// Addresses and networks of proxies that say from where and by whom a request is [default: none], such as 127.0.0.1,10.0.0.0/8
    #[arg(long, env = "RECEIVER_PROXY_ADDRESSES", value_name = "ADDRESSES")]
    pub proxy_addresses: Option<OsString>,

    /// Header in which they name that person [default: none], such as X-Forwarded-User
    #[arg(long, env = "RECEIVER_PROXY_HEADER", value_name = "HEADER")]
    pub proxy_header: Option<OsString>,

    #[command(flatten)]
    pub(crate) operation: OperationArguments,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A setting that is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: &'static str,
    value: String,
    reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}: {}", self.variable, self.value.escape_debug(), self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// Settings of a running receiver.
#[derive(Debug)]
pub struct Config {
    pub(crate) listen: String,
    pub(crate) data: PathBuf,
    pub(crate) places: Places,
    pub(crate) tokens: Tokens,
    pub(crate) max_clip_bytes: u64,
    /// Longest time without progress of a body.
    pub(crate) stall: Duration,
    /// Least average rate of a body.
    pub(crate) min_bytes_per_s: u64,
    /// Connections at a time.
    pub(crate) max_connections: usize,
    /// Requests at a time.
    pub(crate) max_requests: usize,
    /// Requests at a time of one address, if that was asked for.
    pub(crate) max_per_peer: Option<usize>,
    /// Proxies that say who a person is, if any.
    pub(crate) proxy: Option<ProxyConfig>,
    pub(crate) operation: Operation,
}

impl Config {
    /// Reads what the arguments say and the file they name. An empty value counts as none, as `--env-file` leaves it.
    ///
    /// # Errors
    /// The first setting that can't be used.
    pub fn new(arguments: &Arguments) -> Result<Self, ConfigError> {
        let tokens = match given(arguments.tokens_file.as_ref()) {
            None => Tokens::default(),
            Some(path) => Tokens::read(Path::new(path))
                .map_err(|reason| wrong("RECEIVER_TOKENS_FILE", path.to_string_lossy().into_owned(), reason))?,
        };
        let max_clip_mb = number("RECEIVER_MAX_CLIP_MB", &arguments.max_clip_mb, 1_100, 1..=1_000_000)?;
        let stall_seconds = number("RECEIVER_STALL_SECONDS", &arguments.stall_seconds, 60, 1..=86_400)?;
        let max_per_peer = given(arguments.max_per_peer.as_ref())
            .map(|_| number("RECEIVER_MAX_PER_PEER", &arguments.max_per_peer, 1, 1..=400))
            .transpose()?;
        let max_connections = number(
            "RECEIVER_MAX_CONNECTIONS",
            &arguments.max_connections,
            1_024,
            1..=20_000,
        )?;
        // Each request may hold a thread while its clip is written: fewer than the runtime has.
        let max_requests = number("RECEIVER_MAX_REQUESTS", &arguments.max_requests, 256, 1..=400)?;
        Ok(Self {
            listen: arguments.listen()?,
            data: arguments.data(),
            places: arguments.places()?,
            tokens,
            max_clip_bytes: max_clip_mb * 1_000_000,
            stall: Duration::from_secs(stall_seconds),
            min_bytes_per_s: number("RECEIVER_MIN_RATE", &arguments.min_rate, 1_000, 0..=1_000_000_000)?,
            max_connections: usize::try_from(max_connections).unwrap_or(usize::MAX),
            max_requests: usize::try_from(max_requests).unwrap_or(usize::MAX),
            max_per_peer: max_per_peer.and_then(|most| usize::try_from(most).ok()),
            proxy: ProxyConfig::new(
                given(arguments.proxy_header.as_ref()),
                given(arguments.proxy_addresses.as_ref()),
            )?,
            operation: Operation::new(&arguments.operation)?,
        })
    }
}

impl Arguments {
    /// Where everything is kept.
    pub(crate) fn places(&self) -> Result<Places, ConfigError> {
        places::places(&self.places)
    }

    /// Folder of everything that is kept.
    pub(crate) fn data(&self) -> PathBuf {
        given(self.data.as_ref()).map_or_else(|| PathBuf::from("receiver-data"), PathBuf::from)
    }

    /// Whether the folder was said, and is not the default.
    pub(crate) fn names_data(&self) -> bool {
        given(self.data.as_ref()).is_some()
    }

    /// Address and port, also for asking a running receiver.
    pub(crate) fn listen(&self) -> Result<String, ConfigError> {
        let asked = match &self.command {
            Some(Command::Health { listen, .. }) => given(listen.as_ref()),
            _ => None,
        };
        let text = asked.or(given(self.listen.as_ref()));
        let text = text.map_or_else(|| LISTEN.into(), |value| value.to_string_lossy());
        let usable = text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if usable {
            Ok(text.into_owned())
        } else {
            let reason = "expected address:port, for example 0.0.0.0:8000".to_string();
            Err(wrong("RECEIVER_LISTEN", text.into_owned(), reason))
        }
    }
}

fn given(value: Option<&OsString>) -> Option<&OsString> {
    value.filter(|value| !value.is_empty())
}

fn wrong(variable: &'static str, value: String, reason: String) -> ConfigError {
    ConfigError {
        variable,
        value,
        reason,
    }
}

fn number(
    variable: &'static str,
    value: &Option<OsString>,
    default: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let Some(value) = given(value.as_ref()) else {
        return Ok(default);
    };
    let value = value.to_string_lossy();
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let reason = format!("expected a whole number from {} to {}", range.start(), range.end());
            Err(wrong(variable, value.into_owned(), reason))
        }
    }
}
