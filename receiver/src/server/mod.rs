//! From the settings to connections, and to a clean end.

mod activity;
mod connection;
mod connections;
mod files;
mod socket;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use activity::Activity;
use connection::Serving;
use connections::Connections;
use socket::Timeouts;

use crate::config::Config;
use crate::http::{self, Access, App, Reader};
use crate::metrics::{Metrics, SocketMetrics, UpkeepMetrics};
use crate::peer::Peer;
use crate::store::{self, OpenError};
use crate::upkeep::Upkeep;

/// How long requests in flight may take to end after a signal.
const STOP_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How long threads that write a file may take to end after that. What they leave is removed at the next start.
const THREADS_TIMEOUT: Duration = Duration::from_millis(200);

/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Connections that are being told that there is no place for them. More are closed without a word.
const TURNED_AWAY_MOST: usize = 64;

/// How long the headers of a request may take, unless a body has less.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the receiver does not start.
#[derive(Debug)]
pub enum StartError {
    /// The runtime's threads or signal handlers.
    Runtime(io::Error),
    /// What is kept, and where: the setting, and the reason.
    Store(String, String),
    /// The way to who takes the alerts.
    Alerts(String),
    /// The address.
    Listen(String, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
            Self::Store(setting, reason) => write!(f, "{setting}: {reason}"),
            Self::Alerts(error) => f.write_str(error),
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
    runtime.shutdown_timeout(THREADS_TIMEOUT);
    end
}

async fn start(config: Config) -> Result<(), StartError> {
    // Before anything is announced: whoever reads the address may send a signal at once.
    let signals = [SignalKind::terminate(), SignalKind::interrupt()]
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<_>>>()
        .map_err(StartError::Runtime)?;
    let opened = store::open(&config.data, &config.places).await;
    let (store, desk) = opened.map_err(|OpenError { setting, reason }| StartError::Store(setting, reason))?;
    let access = Arc::new(Access::new(config.tokens.clone(), Arc::clone(&desk)));
    let refused = |error| StartError::Listen(config.listen.clone(), error);
    let listener = TcpListener::bind(&config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    // Nobody stores while the database can't say.
    if !address.ip().is_loopback() && !access.is_needed().await.unwrap_or(true) {
        log::warn!(
            "listening on {address} without tokens: anyone who reaches it can store; set RECEIVER_TOKENS_FILE or run `{} token add DEVICE_ID`",
            store::command(&config.data, &config.places)
        );
    }
    let room = files::make_room(config.max_connections, config.max_requests.min(config.max_connections));
    let sockets = SocketMetrics::default();
    let connections = Connections::new(room, sockets.clone());
    let timeouts = Timeouts {
        headers: config.stall.min(HEADERS_TIMEOUT),
        answer: config.stall,
    };
    let (commits, committed) = watch::channel(0);
    let committed = desk.commits(committed);
    let (store, counted) = (Arc::new(store), UpkeepMetrics::default());
    let metrics = Metrics::new(store.metrics(), &sockets, &counted);
    let upkeep =
        Upkeep::start(&config, &store, &desk, &counted, format!("http://{address}")).map_err(StartError::Alerts)?;
    // What could stand in its way has not.
    announce(&format!("sync-receiver listening on http://{address}"));
    let app = App::new(config, store, access, commits, metrics);
    let reader = Reader::new(&app, desk, committed);
    let app = Arc::new(app);
    let expiring = tokio::spawn(http::expire_uploads(Arc::clone(&app)));
    let router = http::router(Arc::clone(&app), Arc::new(reader));
    serve(listener, connections, (router, sockets), &app, timeouts, signals).await;
    expiring.abort();
    upkeep.end().await;
    Ok(())
}

/// Scripts wait for this line. Nobody may be reading it: that is no reason to stop.
fn announce(line: &str) {
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        log::warn!("standard output: {error}");
    }
}

async fn serve(
    listener: TcpListener,
    mut connections: Connections,
    (router, metrics): (axum::Router, SocketMetrics),
    app: &App,
    timeouts: Timeouts,
    mut signals: Vec<Signal>,
) {
    let (stop, stopped) = watch::channel(false);
    let serving = Serving {
        router,
        timeouts,
        metrics,
        stopped,
    };
    tokio::select! {
        () = accept(&listener, &mut connections, &serving) => {}
        () = any(&mut signals) => {}
    }
    drop(listener);
    app.end_uploads();
    // No connection is left to hear it when the channel is closed.
    let _ = stop.send(true);
    if !connections.ended(STOP_TIMEOUT).await {
        log::warn!("stopped with requests in flight: their senders will try again");
    }
}

async fn accept(listener: &TcpListener, connections: &mut Connections, serving: &Serving) {
    let turning_away = Arc::new(Semaphore::new(TURNED_AWAY_MOST));
    loop {
        let accepted = listener.accept().await;
        if !connections.make_room().await {
            log::info!("every connection has a request at work: one was turned away");
            serving.metrics.refused.inc();
            if let (Ok((stream, _)), Ok(place)) = (accepted, Arc::clone(&turning_away).try_acquire_owned()) {
                tokio::spawn(async move {
                    let _place = place;
                    connection::turn_away(stream).await;
                });
            }
            continue;
        }
        match accepted {
            Ok((stream, address)) => {
                let (peer, activity) = (Peer::from(address.ip()), Activity::new());
                let serving = connection::serve(stream, peer, Arc::clone(&activity), serving.clone());
                connections.add(peer, activity, serving);
            }
            Err(error) => {
                log::warn!("accept: {error}");
                connections.end_an_idle_one();
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
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
