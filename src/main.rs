//! Entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    sync_service::cli::main()
}
