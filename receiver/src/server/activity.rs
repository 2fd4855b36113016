//! What a connection is doing, as those see it who limit it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};

/// Shared by a connection's socket, its requests, and the list of connections.
pub(super) struct Activity {
    opened: Instant,
    /// Requests whose headers are complete.
    requests: AtomicU64,
    /// Answers that are being made or sent.
    answering: AtomicU64,
    /// Bodies that may still bring something.
    bodies: AtomicU64,
    /// Milliseconds from `opened` to the last answer.
    answered_ms: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            requests: AtomicU64::new(0),
            answering: AtomicU64::new(0),
            bodies: AtomicU64::new(0),
            answered_ms: AtomicU64::new(0),
        })
    }

    /// The headers of a request are complete.
    pub(super) fn begin(self: &Arc<Self>, body: Incoming) -> Body {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if body.is_end_stream() {
            return Body::empty();
        }
        self.bodies.fetch_add(1, Ordering::Relaxed);
        Body::new(Watched {
            body,
            until_its_end: Some(Arriving(Arc::clone(self))),
        })
    }

    /// A request is being answered, until what is returned is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the next byte belongs to the headers of a request.
    pub(super) fn awaits_headers(&self) -> bool {
        self.answering.load(Ordering::Relaxed) == 0 && self.bodies.load(Ordering::Relaxed) == 0
    }

    /// Since when no request is being answered; `None` while one is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.answering.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let answered = std::time::Duration::from_millis(self.answered_ms.load(Ordering::Relaxed));
        Some(self.opened + answered)
    }
}

/// While it lives, its connection has a request at work.
pub(super) struct Answering(Arc<Activity>);

impl Answering {
    /// The answer's head is there: a body that may last is a part of it.
    pub(super) fn until_sent(self, answer: Response) -> Response<Watched<Body, Self>> {
        answer.map(|body| Watched {
            body,
            until_its_end: Some(self),
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let ms = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.answered_ms.store(ms, Ordering::Relaxed);
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Arriving(Arc<Activity>);

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.bodies.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that tells when it is over, by dropping what it holds.
pub(super) struct Watched<B, G> {
    body: B,
    until_its_end: Option<G>,
}

impl<B: HttpBody + Unpin, G: Unpin> HttpBody for Watched<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.until_its_end = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
