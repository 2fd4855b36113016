//! Entry point: the log, then what the command line asks for.

use std::process::ExitCode;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    sync_service::cli::main()
}
