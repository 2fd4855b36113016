//! One open connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::AbortHandle;

use super::{Address, Pieces};
use crate::stats::{Stats, Trouble};

/// Patience to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection; dropped, it is closed, whatever is on its way.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Pieces>,
    /// When its last answer was complete.
    pub(super) used: Instant,
    task: AbortHandle,
    stats: Arc<Stats>,
}

impl Connection {
    pub(super) async fn open(address: &Address, source: Ipv4Addr, stats: &Arc<Stats>) -> Result<Self, Trouble> {
        let begun = Instant::now();
        let connected = tokio::time::timeout(CONNECT, connect(address.socket, source)).await;
        let stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return Err(Trouble::Unreachable),
            Err(_) => return Err(Trouble::Timeout),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Trouble::Unreachable)?;
        let task = tokio::spawn(async move {
            // Whoever waits for an answer hears of it.
            let _ = connection.await;
        });
        stats.connected(begun.elapsed());
        Ok(Self {
            sender,
            used: Instant::now(),
            task: task.abort_handle(),
            stats: Arc::clone(stats),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
        self.stats.disconnected();
    }
}

async fn connect(address: SocketAddr, source: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
            socket
        }
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
