//! Plays many devices against receivers on this machine, and checks over the API what became of every row.

mod arguments;
mod check;
mod clips;
mod device;
mod fleet;
mod network;
mod processes;
mod report;
mod run;
mod stats;
mod times;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Plan};

/// Each row is there once and each clip is whole.
const ALL_THERE: u8 = 0;
/// A row is missing, doubled or not what it was, or a clip is not whole.
const NOT_ALL_THERE: u8 = 1;
/// It could not be played or not be checked, or no row was sent.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let played = Plan::new(&arguments).and_then(fleet::play);
    match played {
        Ok(true) => ExitCode::from(ALL_THERE),
        Ok(false) => ExitCode::from(NOT_ALL_THERE),
        Err(reason) => {
            eprintln!("sync-fleet: {reason}");
            ExitCode::from(UNUSABLE)
        }
    }
}
