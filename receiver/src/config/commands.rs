//! What can be asked for beside serving, as the command line has it.

use std::ffi::OsString;

#[cfg(feature = "fleet")]
use clap::Args;
use clap::Subcommand;

const HEALTH_EXAMPLES: &str = "\
Examples:
  sync-receiver health
  sync-receiver health http://127.0.0.1:8000

Exit status 0: rows and clips can be stored; 1: they can't, or nobody answers; 2: no such address.";

const USER_EXAMPLES: &str = "\
Examples:
  sync-receiver user add anna --admin --data /srv/receiver
  sync-receiver user list --data /srv/receiver

The receiver may run meanwhile. Run it as the receiver's user; the Debian package's:
  sudo -u sync-receiver sync-receiver --data /var/lib/sync-receiver user list";

const TOKEN_EXAMPLES: &str = "\
Examples:
  sync-receiver token add raspberry-1 --data /srv/receiver
  sync-receiver token list --data /srv/receiver

The receiver may run meanwhile. Run it as the receiver's user; the Debian package's:
  sudo -u sync-receiver sync-receiver --data /var/lib/sync-receiver token list";

#[cfg(feature = "fleet")]
const MOVE_EXAMPLES: &str = "\
Examples:
  sync-receiver move --data /srv/receiver --to-database postgres://user:password@host/database
  sync-receiver move --data /srv/receiver --to-clips s3://bucket/prefix

Stopped half-way, the same command goes on. The folder keeps everything.";

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a running receiver whether it is well; exit status 0 or 1
    #[command(after_help = HEALTH_EXAMPLES)]
    Health {
        /// Its address; that of RECEIVER_LISTEN when not given
        url: Option<String>,
        /// The same as RECEIVER_LISTEN has it
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<OsString>,
    },
    /// People who may read
    #[command(subcommand, after_help = USER_EXAMPLES)]
    User(UserCommand),
    /// Tokens of devices, beside those of RECEIVER_TOKENS_FILE
    #[command(subcommand, after_help = TOKEN_EXAMPLES)]
    Token(TokenCommand),
    /// Move all that is in the folder to PostgreSQL, to a bucket, or both; nothing may serve meanwhile
    #[cfg(feature = "fleet")]
    #[command(after_help = MOVE_EXAMPLES)]
    Move(MoveCommand),
}

/// People who may read.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person; asks for the password, or reads it from standard input
    #[command(
        after_help = "Examples:\n  sync-receiver user add anna --admin\n  sync-receiver user add ben --devices 'shop-*'\n  sync-receiver user add cora --no-password"
    )]
    Add {
        /// The name to sign in with
        name: String,
        /// May also add devices and pin clips
        #[arg(long)]
        admin: bool,
        /// Sees only devices of this pattern, with * and ?
        #[arg(long, value_name = "PATTERN")]
        devices: Option<String>,
        /// Has no password: a trusted proxy signs this person in
        #[arg(long)]
        no_password: bool,
    },
    /// List the people
    #[command(after_help = "Example:\n  sync-receiver user list --data /srv/receiver")]
    List,
    /// Remove a person and end their sessions
    #[command(after_help = "Example:\n  sync-receiver user remove ben")]
    Remove {
        /// The name
        name: String,
    },
    /// Change a person's password and end their sessions
    #[command(after_help = "Example:\n  sync-receiver user passwd ben")]
    Passwd {
        /// The name
        name: String,
    },
}

/// Tokens of devices, kept in the database as fingerprints.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a device and print it, this once
    #[command(after_help = "Example:\n  sync-receiver token add raspberry-1")]
    Add {
        /// Its DEVICE_ID
        device: String,
    },
    /// List the tokens by number and device
    #[command(after_help = "Example:\n  sync-receiver token list --data /srv/receiver")]
    List,
    /// End a token's life
    #[command(after_help = "Example:\n  sync-receiver token revoke 7")]
    Revoke {
        /// Its number, as `token list` shows it
        number: i64,
    },
}

/// Where to; one of them at least.
#[cfg(feature = "fleet")]
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct MoveCommand {
    /// PostgreSQL, as RECEIVER_DATABASE_URL names it: an empty database
    #[arg(long, value_name = "URL")]
    pub(crate) to_database: Option<OsString>,

    /// A bucket, as RECEIVER_CLIPS_URL names it
    #[arg(long, value_name = "URL")]
    pub(crate) to_clips: Option<OsString>,
}
