//! Entry point: configuration, store, server, and a clean end on SIGTERM.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use sync_receiver::cli::{self, Work};
use sync_receiver::config::{Arguments, Command, Config};
use sync_receiver::{health, server, tls};

fn main() -> ExitCode {
    // What its TLS says of each try is said by who tried.
    let quiet = "warn,rustls_platform_verifier=off";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(quiet)).init();
    tls::install();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => error.exit(),
        Err(error) => return refuse(in_one_line(&error)),
    };
    let work = match &arguments.command {
        None => return serve(&arguments),
        Some(Command::Health { url, .. }) => return health::ask(url.as_deref(), &arguments),
        Some(Command::User(command)) => Work::User(command),
        Some(Command::Token(command)) => Work::Token(command),
        #[cfg(feature = "fleet")]
        Some(Command::Move(command)) => Work::Move(command),
    };
    match cli::run(&arguments, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

fn serve(arguments: &Arguments) -> ExitCode {
    let config = match Config::new(arguments) {
        Ok(config) => config,
        Err(error) => return refuse(error),
    };
    match server::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(error),
    }
}

/// The rest of clap's message is the usage, which `--help` prints: that is named.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "what to do is missing".to_string()
    } else {
        let lines = text.lines().take_while(|line| !line.starts_with("Usage: "));
        let lines: Vec<&str> = lines
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
            .collect();
        lines.join(" ").trim_start_matches("error: ").to_string()
    };
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "));
    let command = usage.unwrap_or("sync-receiver").split(' ');
    let command: Vec<&str> = command
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect();
    format!("{what}; see `{} --help`", command.join(" "))
}

/// The start stops with one line and exit status 2.
fn refuse(error: impl Display) -> ExitCode {
    eprintln!("sync-receiver: {error}");
    ExitCode::from(2)
}
