//! From the settings to connections, and to a clean end.

mod connection;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::http::{self, App};
use crate::store::StoreError;
use crate::store::local::LocalStore;

/// How long requests in flight may take to end after a signal.
const STOP_WITHIN: Duration = Duration::from_millis(1_000);

/// How long threads that write a file may take to end after that. What they leave is removed at the next start.
const THREADS_WITHIN: Duration = Duration::from_millis(200);

/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why the receiver does not start.
#[derive(Debug)]
pub enum StartError {
    /// The runtime's threads or signal handlers.
    Runtime(io::Error),
    /// The folder of rows and clips.
    Data(std::path::PathBuf, StoreError),
    /// The address.
    Listen(String, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
            Self::Data(path, error) => write!(f, "RECEIVER_DATA={}: {error}", path.display()),
            Self::Listen(address, error) => write!(f, "RECEIVER_LISTEN={address}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Why it could not start.
pub fn run(config: Config) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    let end = runtime.block_on(start(config));
    runtime.shutdown_timeout(THREADS_WITHIN);
    end
}

async fn start(config: Config) -> Result<(), StartError> {
    // Before anything is announced: whoever reads the address may send a signal at once.
    let signals = [SignalKind::terminate(), SignalKind::interrupt()]
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<_>>>()
        .map_err(StartError::Runtime)?;
    let store = LocalStore::open(&config.data).map_err(|error| StartError::Data(config.data.clone(), error))?;
    let refused = |error| StartError::Listen(config.listen.clone(), error);
    let listener = TcpListener::bind(&config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    if config.tokens.is_empty() && !address.ip().is_loopback() {
        log::warn!("listening on {address} without tokens: anyone who reaches it can store; set RECEIVER_TOKENS_FILE");
    }
    announce(&format!("sync-receiver listening on http://{address}"));
    let most = config.max_connections;
    let router = http::router(Arc::new(App::new(config, store)));
    serve(listener, router, most, signals).await;
    Ok(())
}

/// Scripts wait for this line. Nobody may be reading it: that is no reason to stop.
fn announce(line: &str) {
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        log::warn!("standard output: {error}");
    }
}

async fn serve(listener: TcpListener, router: axum::Router, most: usize, mut signals: Vec<Signal>) {
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let serving = connection::serve(stream, router.clone(), stopped.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    log::warn!("accept: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = accept => {}
        () = any(&mut signals) => {}
    }
    drop(listener);
    // No connection is left to hear it when the channel is closed.
    let _ = stop.send(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
        log::warn!("stopped with requests in flight: their senders will try again");
    }
}

/// Waits for the first of some signals.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        if signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
