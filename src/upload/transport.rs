//! The HTTP client's connections, watched: what the socket took, and what the server said before the body.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::exchange::Exchange;

/// Connects as the HTTP client does by itself, and watches.
#[derive(Debug)]
pub(super) struct Watching {
    inner: DefaultConnector,
    exchange: Arc<Exchange>,
    /// Connections being made, one inside the other: through a proxy there are two.
    depth: AtomicUsize,
}

impl Watching {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self {
            inner: DefaultConnector::default(),
            exchange,
            depth: AtomicUsize::new(0),
        }
    }
}

impl Connector<()> for Watching {
    type Out = Watched;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Watched>, Error> {
        let outermost = self.depth.fetch_add(1, Ordering::SeqCst) == 0;
        let connected = self.inner.connect(details, chained);
        self.depth.fetch_sub(1, Ordering::SeqCst);
        Ok(connected?.map(|inner| Watched {
            inner,
            // The bytes of the outer connection go through the inner one: they count once.
            exchange: outermost.then(|| Arc::clone(&self.exchange)),
        }))
    }
}

/// A connection that is watched, unless it is another's lower half.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Box<dyn Transport>,
    exchange: Option<Arc<Exchange>>,
}

impl Transport for Watched {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(exchange) = &self.exchange else {
            return self.inner.transmit_output(amount, timeout);
        };
        exchange.sending();
        let since = Instant::now();
        self.inner.transmit_output(amount, timeout)?;
        exchange.taken(amount, since);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(exchange) = &self.exchange else {
            return self.inner.await_input(timeout);
        };
        if timeout.reason != Timeout::Await100 {
            if exchange.is_body_withheld() {
                // The client took the interim answer for a final one. It would wait for the server, which waits for us.
                return Err(std::io::Error::other("100 Continue with header fields").into());
            }
            return self.inner.await_input(timeout);
        }
        let result = self.inner.await_input(timeout);
        match &result {
            Err(Error::Timeout(Timeout::Await100)) => exchange.set_unanswered(),
            Ok(_) if is_interim(self.inner.buffers().input()) => exchange.set_continued(),
            _ => {}
        }
        result
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Whether an interim answer begins here (RFC 9110, 15.2); 101 is a final one.
fn is_interim(input: &[u8]) -> bool {
    let status = input.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(1..5));
    matches!(status, Some([b' ', b'1', b'0', b'0' | b'2'..=b'9']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_told_from_final_ones() {
        for interim in [
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.1 100",
            "HTTP/1.0 102 Processing",
            "HTTP/1.1 103",
        ] {
            assert!(is_interim(interim.as_bytes()), "{interim}");
        }
        for other in [
            "HTTP/1.1 101 Switching",
            "HTTP/1.1 201 Created",
            "HTTP/1.1 10",
            "HTTP/2",
            "nonsense",
            "",
        ] {
            assert!(!is_interim(other.as_bytes()), "{other}");
        }
    }
}
