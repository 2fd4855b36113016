//! The command line.

mod run;

use std::process::ExitCode;

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    run::run()
}

/// Exit statuses of the contract, section 5.
pub mod exit {
    /// Everything was sent, or a clean stop.
    pub const OK: u8 = 0;
    /// Rows are unsent, failed or waiting.
    pub const INCOMPLETE: u8 = 1;
    /// Configuration or start-up error.
    pub const FAILED: u8 = 2;
}
