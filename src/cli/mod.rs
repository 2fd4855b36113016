//! The command line: one variant a command, one file each.

mod check;
mod failures;
mod output;
mod prune;
mod reporters;
mod reset;
mod retry;
mod run;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::{self, ConfigError, PruneConfig};
use crate::device;
use crate::row::Table;
use crate::text::one_line;

/// Exit statuses of the contract, section 5.
pub mod exit {
    /// Everything was sent, a clean stop, or nothing to complain of.
    pub const OK: u8 = 0;
    /// Rows are unsent, failed or waiting; a check failed; nothing was found.
    pub const INCOMPLETE: u8 = 1;
    /// Configuration or start-up error.
    pub const FAILED: u8 = 2;
}

/// Uploads surveillance events and clips from a recorder's SQLite database to a server, exactly once.
///
/// Without a command it runs the service in the mode of SYNC_MODE. It is configured by environment variables.
#[derive(Debug, Parser)]
#[command(name = "sync-service", version, after_help = EXAMPLES)]
struct Arguments {
    /// The database, instead of LOCAL_DB_PATH
    #[arg(long, global = true, value_name = "FILE")]
    database: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  LOCAL_DB_PATH=/data/surveillance.db BACKEND_URL=https://server.example sync-service
  SYNC_MODE=once sync-service            one pass, then exit (0: all sent, 1: rows left, 2: wrong set-up)
  sync-service check                     is everything as it must be?
  sync-service status                    what is sent, what waits
  sync-service failures                  which rows failed, and why
  sync-service retry --table media       try failed clips again at the next pass
  sync-service prune --dry-run           which clips SYNC_PRUNE_AFTER_DAYS and the like would delete

Variables: LOCAL_DB_PATH, BACKEND_URL, SYNC_INTERVAL_MINUTES, DEVICE_ID, SYNC_MODE and others;
docs/configuration.md lists them all. RUST_LOG=info shows what goes on, on standard error.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check configuration, database, server, clock and disk: one line each, exit status 0 or 1
    #[command(
        after_help = "Examples:\n  sync-service check\n  sync-service check --database /data/surveillance.db && echo well"
    )]
    Check,
    /// Show per table what is sent, what waits and what failed; reads only, whether the service runs or not
    #[command(
        after_help = "Examples:\n  sync-service status\n  sync-service status --json | jq .tables.media.waiting\n  sync-service status --health && echo well"
    )]
    Status {
        /// One JSON object instead of text; its shape is stable (docs/operations.md)
        #[arg(long, conflicts_with = "health")]
        json: bool,
        /// Print one line and exit 0 when the service runs, makes progress and can read its database, else 1
        #[arg(long)]
        health: bool,
    },
    /// List the rows that failed, with the reason and the next try
    #[command(after_help = "Example:\n  sync-service failures")]
    Failures,
    /// Try failed rows again at the next pass instead of at their time
    #[command(after_help = "Examples:\n  sync-service retry\n  sync-service retry --table media --id 15")]
    Retry {
        /// Only rows of this table
        #[arg(long, value_enum)]
        table: Option<TableName>,
        /// Only the row with this id
        #[arg(long, requires = "table", allow_negative_numbers = true)]
        id: Option<i64>,
    },
    /// Delete from the device, now, the clips at the server that SYNC_PRUNE_AFTER_DAYS and SYNC_PRUNE_KEEP_FREE_MB let go
    #[command(
        after_help = "Examples:\n  sync-service prune --dry-run\n  sync-service prune --dry-run --after-days 30\n  sync-service prune --keep-free-mb 2000\n\nOnly clips that are certainly at the server, oldest first. Works beside a running service."
    )]
    Prune {
        /// Only list what would be deleted
        #[arg(long)]
        dry_run: bool,
        /// Clips recorded and sent so many days ago, instead of SYNC_PRUNE_AFTER_DAYS
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
        after_days: Option<u64>,
        /// The oldest clips until so many megabytes are free, instead of SYNC_PRUNE_KEEP_FREE_MB
        #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
        keep_free_mb: Option<u64>,
    },
    /// Forget what was sent and send everything again; says what that costs and asks first
    #[command(after_help = "Examples:\n  sync-service reset\n  sync-service reset --yes")]
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// A table as it is named on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TableName {
    Evenement,
    Media,
}

impl From<TableName> for Table {
    fn from(name: TableName) -> Self {
        match name {
            TableName::Evenement => Table::Event,
            TableName::Media => Table::Media,
        }
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    crate::report::journal::init();
    let arguments = Arguments::parse();
    let status = match dispatch(arguments) {
        Ok(status) => status,
        Err(message) => {
            eprintln!("❌ {}", one_line(&message));
            exit::FAILED
        }
    };
    ExitCode::from(status)
}

/// Runs a command; an error is one line about why it could not.
fn dispatch(arguments: Arguments) -> Result<u8, String> {
    device::bound_memory().map_err(|error| error.to_string())?;
    let database = arguments.database;
    let path = || {
        database
            .clone()
            .map_or_else(config::local_db_path, Ok)
            .map_err(|error| error.to_string())
    };
    match arguments.command {
        None => run::run(&configured(database)?),
        Some(Command::Check) => Ok(check::check(database)),
        Some(Command::Status { health: true, .. }) => Ok(status::health(&path()?)),
        Some(Command::Status { json, .. }) => status::status(&path()?, json),
        Some(Command::Failures) => failures::failures(&path()?),
        Some(Command::Retry { table, id }) => retry::retry(&path()?, table.map(Table::from), id),
        Some(Command::Prune {
            dry_run,
            after_days,
            keep_free_mb,
        }) => {
            let given = PruneConfig {
                after_days,
                keep_free_mb,
            };
            prune::prune(&path()?, asked_for(given)?, dry_run)
        }
        Some(Command::Reset { yes }) => reset::reset(&path()?, yes),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "sync-service", &mut std::io::stdout());
            Ok(exit::OK)
        }
    }
}

/// What the command line says of pruning or, if it says nothing, the environment.
fn asked_for(given: PruneConfig) -> Result<PruneConfig, String> {
    if given.is_off() {
        return config::prune_config().map_err(|error| error.to_string());
    }
    Ok(given)
}

/// The configuration of the environment, with the database of the command line.
fn configured(database: Option<PathBuf>) -> Result<config::Config, String> {
    let read = || -> Result<config::Config, ConfigError> {
        let mut config = config::Config::from_env()?;
        if let Some(database) = database {
            config.local_db_path = database;
        }
        Ok(config)
    };
    read().map_err(|error| error.to_string())
}
