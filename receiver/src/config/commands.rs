//! What can be asked for beside serving, as the command line has it.

#[cfg(feature = "fleet")]
use std::ffi::OsString;

#[cfg(feature = "fleet")]
use clap::Args;
use clap::Subcommand;

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask a running receiver whether it is well; exit status 0 or 1
    Health {
        /// Its address; that of RECEIVER_LISTEN when not given
        url: Option<String>,
    },
    /// People who may read
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens of devices, beside those of RECEIVER_TOKENS_FILE
    #[command(subcommand)]
    Token(TokenCommand),
    /// Move all that is in the folder to PostgreSQL, to a bucket, or both; nothing may serve meanwhile
    #[cfg(feature = "fleet")]
    Move(MoveCommand),
}

/// People who may read.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person; asks for the password, or reads it from standard input
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
    List,
    /// Remove a person and end their sessions
    Remove {
        /// The name
        name: String,
    },
    /// Change a person's password and end their sessions
    Passwd {
        /// The name
        name: String,
    },
}

/// Tokens of devices, kept in the database as fingerprints.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a device and print it, this once
    Add {
        /// Its DEVICE_ID
        device: String,
    },
    /// List the tokens by number and device
    List,
    /// End a token's life
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
