//! The built program: against a server that keeps rows badly, and against a receiver that is killed.

// A test fails by panicking; the lints are for the programs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What the tests share is `pub` between their files.
#![allow(unreachable_pub)]
// Cargo says by its environment where it is.
#![allow(clippy::disallowed_methods)]

mod broken;
mod check;
mod fake;
mod honest;
mod receiver;

use std::process::{Command, Output, Stdio};

/// The program with these arguments, and nothing else.
fn program(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-fleet"));
    command.env_clear().args(["--receiver", url]).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Exit status and what was printed.
fn played(output: Output) -> (i32, String) {
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

fn play(url: &str, arguments: &[&str]) -> (i32, String) {
    played(program(url, arguments).output().unwrap())
}
