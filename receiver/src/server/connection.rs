//! One connection: HTTP/1.1 until either side ends it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sync_protocol::EXTENSIONS_HEADER;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::activity::Activity;
use super::socket::{Socket, Timeouts};
use crate::http::{self, COME_AGAIN_S, Line};
use crate::metrics::SocketMetrics;
use crate::peer::Peer;

/// How long a connection may lie idle between two requests.
const IDLE: Duration = Duration::from_secs(60);

/// Most of a request that is read ahead. Several such pieces wait for a clip's file, on each connection.
const READ_AHEAD_BYTES: usize = 128 << 10;

/// What is still coming in when we are done is read and dropped for this long in all, and this long without a byte.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_SILENT: Duration = Duration::from_secs(5);

/// One that is turned away is let go after this at the latest.
const TURN_AWAY: Duration = Duration::from_secs(2);

/// What a connection is served with.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) timeouts: Timeouts,
    pub(super) metrics: SocketMetrics,
    /// Turns true when the receiver stops.
    pub(super) stopped: watch::Receiver<bool>,
}

/// Who asks, and when the receiver stops: what requests are told of their line.
fn line_of(stream: &TcpStream, stopped: &watch::Receiver<bool>) -> Option<Line> {
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("TCP_NODELAY: {error}");
    }
    stream.peer_addr().ok().map(|address| Line {
        peer: address.ip(),
        stopped: stopped.clone(),
    })
}

/// Serves `stream` until it ends, or until the request in flight is answered after `stopped` says so.
pub(super) async fn serve(stream: TcpStream, peer: Peer, activity: Arc<Activity>, serving: Serving) {
    let Serving {
        router,
        timeouts,
        metrics,
        mut stopped,
    } = serving;
    let line = line_of(&stream, &stopped);
    let router = TowerToHyperService::new(router);
    let socket = Socket::new(stream, Arc::clone(&activity), timeouts, metrics);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| activity.begin(body));
        request.extensions_mut().insert(peer);
        line.clone().map(|line| request.extensions_mut().insert(line));
        let (activity, answer) = (Arc::clone(&activity), router.call(request));
        Box::pin(async move {
            let answering = activity.answering();
            answer.await.map(|answer| answering.until_sent(answer))
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            end = poll_fn(|context| connection.poll_without_shutdown(context)) => break end,
            _ = stopped.changed(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if let Err(error) = end {
        log::debug!("connection: {error}");
    }
    if stopping {
        return;
    }
    if let Some(stream) = connection.into_parts().io.into_inner().into_stream() {
        tokio::select! {
            () = linger(stream) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Answers a connection for which there is no place: 503, before anything is asked.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let (body, extensions) = (r#"{"error":"trop de connexions à la fois"}"#, http::EXTENSIONS);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {COME_AGAIN_S}\r\nConnection: close\r\n\
         {EXTENSIONS_HEADER}: {extensions}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // As short as that, it fits into what the system keeps for the other side.
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        let _ = tokio::time::timeout(TURN_AWAY, linger(stream)).await;
    }
}

/// Ends our side, then waits for the other's. A socket closed with bytes unread sends a reset, which can overtake the
/// answer: a sender refused in mid-body would see a broken network instead of the reason (RFC 9112, section 9.6).
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(Ok(1..)) = tokio::time::timeout(LINGER_SILENT, stream.read(&mut buffer)).await {}
    };
    // Whatever is left after that is not worth waiting for.
    let _ = tokio::time::timeout(LINGER, drain).await;
}
