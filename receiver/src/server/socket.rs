//! A socket whose other side must get on: with the headers of a request, and with reading its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::activity::Activity;
use crate::metrics::SocketMetrics;

/// How long the other side may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the headers of a request, from its first byte; of the first one, from the connection's beginning.
    pub(super) headers: Duration,
    /// Until it takes the next bytes of an answer.
    pub(super) answer: Duration,
}

/// A socket that fails when the other side does not get on.
pub(super) struct Socket {
    stream: TcpStream,
    activity: Arc<Activity>,
    timeouts: Timeouts,
    metrics: SocketMetrics,
    headers: Option<Headers>,
    unread: Option<Pin<Box<Sleep>>>,
    given_up: bool,
}

/// Headers that are on their way.
struct Headers {
    /// How many requests there were before this one.
    after: u64,
    end: Pin<Box<Sleep>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, timeouts: Timeouts, metrics: SocketMetrics) -> Self {
        let mut socket = Self {
            stream,
            activity,
            timeouts,
            metrics,
            headers: None,
            unread: None,
            given_up: false,
        };
        socket.headers_begin();
        socket
    }

    /// The stream; `None` when the other side has had its time.
    pub(super) fn into_stream(self) -> Option<TcpStream> {
        (!self.given_up).then_some(self.stream)
    }

    fn give_up(&mut self, why: &'static str) -> io::Error {
        self.given_up = true;
        io::Error::new(io::ErrorKind::TimedOut, why)
    }

    fn headers_begin(&mut self) {
        self.headers = Some(Headers {
            after: self.activity.requests(),
            end: Box::pin(tokio::time::sleep(self.timeouts.headers)),
        });
    }

    /// Ready when headers take too long.
    fn poll_headers(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.headers {
            Some(headers) if headers.after == self.activity.requests() => headers.end.as_mut().poll(context),
            _ => {
                self.headers = None;
                Poll::Pending
            }
        }
    }

    /// Passes on what became of a write, unless there have been too many that took nothing.
    fn wrote(&mut self, context: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            if let Poll::Ready(Ok(bytes)) = &wrote {
                self.metrics.sent_bytes.inc_by(*bytes as u64);
            }
            self.unread = None;
            return wrote;
        }
        let answer = self.timeouts.answer;
        let end = self.unread.get_or_insert_with(|| Box::pin(tokio::time::sleep(answer)));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(self.give_up("the answer is not read")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_headers(context).is_ready() {
            return Poll::Ready(Err(this.give_up("headers that do not come")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let bytes = buffer.filled().len() - before;
        this.metrics.received_bytes.inc_by(bytes as u64);
        let arrived = bytes > 0;
        if arrived && this.headers.is_none() && this.activity.awaits_headers() {
            this.headers_begin();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.wrote(context, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.wrote(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
