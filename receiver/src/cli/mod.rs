//! What is done from a shell beside the running receiver: people and tokens.

#[cfg(feature = "fleet")]
mod moving;
mod token;
mod user;

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

#[cfg(feature = "fleet")]
use crate::config::MoveCommand;
use crate::config::{Arguments, TokenCommand, UserCommand};
use crate::people::{PASSWORD_LEAST, PASSWORD_MOST};
use crate::store::{OpenError, open_desk};

/// Runs one command of these.
///
/// # Errors
/// One line: what failed, and what to do.
pub fn run(arguments: &Arguments, work: Work<'_>) -> Result<(), String> {
    #[cfg(feature = "fleet")]
    if let Work::Move(command) = work {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
        return runtime.block_on(moving::run(command, arguments));
    }
    let folder = arguments.data();
    let places = arguments.places().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        // What is added goes where it was said, be it new; the default folder is wherever the shell happens to be.
        let may_make = work.adds() && arguments.names_data();
        let opened = open_desk(&folder, &places, may_make).await;
        let opened = opened.map_err(|OpenError { setting, reason }| format!("{setting}: {reason}"))?;
        if opened.is_new {
            note(&format!(
                "made {}: no receiver has been started there yet",
                opened.place
            ));
        }
        match work {
            Work::User(command) => user::run(command, &opened).await,
            Work::Token(command) => token::run(command, &opened).await,
            #[cfg(feature = "fleet")]
            Work::Move(_) => Ok(()),
        }
    })
}

/// Which command.
pub enum Work<'a> {
    /// `user …`
    User(&'a UserCommand),
    /// `token …`
    Token(&'a TokenCommand),
    /// `move …`
    #[cfg(feature = "fleet")]
    Move(&'a MoveCommand),
}

impl Work<'_> {
    fn adds(&self) -> bool {
        matches!(
            self,
            Self::User(UserCommand::Add { .. }) | Self::Token(TokenCommand::Add { .. })
        )
    }
}

/// What a script that reads the answer does not want in it.
fn note(line: &str) {
    eprintln!("sync-receiver: {line}");
}

fn say(line: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{line}").map_err(|error| format!("standard output: {error}"))
}

/// A new password: asked twice on a terminal, where it is not shown; else the first line of standard input.
fn new_password(name: &str) -> Result<String, String> {
    let password = if io::stdin().is_terminal() {
        let first = hidden(&format!("Password of {name}: "))?;
        if hidden("Again: ")? != first {
            return Err("the two passwords differ: nothing was changed".to_string());
        }
        first
    } else {
        line()?
    };
    match password.chars().count() {
        count if count < PASSWORD_LEAST => Err(format!("a password has at least {PASSWORD_LEAST} characters")),
        _ if password.len() > PASSWORD_MOST => Err(format!("a password has at most {PASSWORD_MOST} bytes")),
        _ => Ok(password),
    }
}

fn line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| format!("standard input: {error}"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}

fn hidden(prompt: &str) -> Result<String, String> {
    let terminal = |error| format!("terminal: {error}");
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).map_err(|error| terminal(io::Error::from(error)))?;
    let mut quiet = shown.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    let mut error_out = io::stderr();
    write!(error_out, "{prompt}")
        .and_then(|()| error_out.flush())
        .map_err(terminal)?;
    tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(|error| terminal(io::Error::from(error)))?;
    let answer = line();
    tcsetattr(&stdin, OptionalActions::Flush, &shown).map_err(|error| terminal(io::Error::from(error)))?;
    writeln!(error_out).map_err(terminal)?;
    answer
}
