//! Command line and environment: every setting is both.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::tokens::Tokens;

/// Reference backend for sync-service: stores events and clips, each once.
#[derive(Debug, Parser)]
#[command(
    name = "sync-receiver",
    version,
    after_help = "Examples:\n  sync-receiver\n  RECEIVER_LISTEN=0.0.0.0:8000 RECEIVER_DATA=/srv/receiver sync-receiver\n  sync-receiver health http://127.0.0.1:8000"
)]
pub struct Arguments {
    /// Address and port; port 0 takes a free one and prints it
    #[arg(long, env = "RECEIVER_LISTEN", default_value = "127.0.0.1:8000", global = true)]
    pub listen: String,

    /// Folder of the database and the clips; made when it is not there
    #[arg(long, env = "RECEIVER_DATA", default_value = "receiver-data")]
    pub data: PathBuf,

    /// File of devices and tokens, a line each: `device_id token`; without it anyone may store
    #[arg(long, env = "RECEIVER_TOKENS_FILE")]
    pub tokens_file: Option<PathBuf>,

    /// Longest clip in megabytes of 1,000,000 bytes; longer ones get 413
    #[arg(long, env = "RECEIVER_MAX_CLIP_MB", default_value_t = 1_100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_clip_mb: u64,

    /// Seconds a body may make no progress; after that 408
    #[arg(long, env = "RECEIVER_STALL_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub stall_seconds: u64,

    /// Bytes per second a body must bring on average once it has had the time of a stall; slower ones get 408
    #[arg(long, env = "RECEIVER_MIN_RATE", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000))]
    pub min_rate: u64,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a running receiver whether it is well; exit status 0 or 1
    Health {
        /// Its address; that of RECEIVER_LISTEN when not given
        url: Option<String>,
    },
}

/// Settings of a running receiver.
#[derive(Debug)]
pub struct Config {
    /// Address and port.
    pub listen: String,
    /// Folder of everything that is kept.
    pub data: PathBuf,
    /// Who may store; empty lets everyone.
    pub tokens: Tokens,
    /// Longest clip in bytes.
    pub max_clip: u64,
    /// Longest time without progress of a body.
    pub stall: Duration,
    /// Least average rate of a body, in bytes per second.
    pub min_rate: u64,
}

impl Config {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// The tokens file can't be used, in one line.
    pub fn new(arguments: Arguments) -> Result<Self, String> {
        let tokens = match &arguments.tokens_file {
            None => Tokens::default(),
            Some(path) => {
                Tokens::read(path).map_err(|error| format!("RECEIVER_TOKENS_FILE {}: {error}", path.display()))?
            }
        };
        Ok(Self {
            listen: arguments.listen,
            data: arguments.data,
            tokens,
            max_clip: arguments.max_clip_mb * 1_000_000,
            stall: Duration::from_secs(arguments.stall_seconds),
            min_rate: arguments.min_rate,
        })
    }
}
