//! Entry point: the log, then what the command line asks for.

use std::process::ExitCode;

fn main() -> ExitCode {
    sync_service::report::journal::init();
    sync_service::cli::main()
}
