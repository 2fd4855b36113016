//! Entry point: configuration, store, server, and a clean end on SIGTERM.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use sync_receiver::config::{Arguments, Command, Config};
use sync_receiver::http;
use sync_receiver::store::local::LocalStore;

/// How long requests in flight may take to end after a signal.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Some(Command::Health { url }) => return sync_receiver::health::ask(url.as_deref(), &arguments),
        None => Config::new(arguments).and_then(run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("sync-receiver: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(config: Config) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let end = runtime.block_on(serve(config));
    // A clip that is still being written is dropped with its temporary file at the next start.
    runtime.shutdown_timeout(Duration::from_millis(200));
    end
}

async fn serve(config: Config) -> Result<(), String> {
    let store =
        LocalStore::open(&config.data).map_err(|error| format!("RECEIVER_DATA {}: {error}", config.data.display()))?;
    let listener = tokio::net::TcpListener::bind(&config.listen)
        .await
        .map_err(|error| format!("RECEIVER_LISTEN {}: {error}", config.listen))?;
    let address = listener
        .local_addr()
        .map_err(|error| format!("RECEIVER_LISTEN: {error}"))?;
    if config.tokens.is_empty() && !address.ip().is_loopback() {
        log::warn!("listening on {address} without tokens: anyone who reaches it can store; set RECEIVER_TOKENS_FILE");
    }
    println!("sync-receiver listening on http://{address}");
    let _ = std::io::stdout().flush();

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let app = http::router(Arc::new(http::App::new(config, store)));
    let mut until = stopped.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        let _ = until.changed().await;
    });
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| format!("cannot wait for signals: {error}"))?;
    let server = tokio::spawn(async move { server.await });
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let _ = stop.send(true);
    let _ = tokio::time::timeout(STOP_WITHIN, server).await;
    Ok(())
}
