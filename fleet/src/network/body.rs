//! A request's body: pieces that are in memory already, to their end or to where the line breaks.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Pieces of a known length in all.
#[derive(Default)]
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    left_bytes: u64,
    /// Pieces after which the line breaks.
    breaks_after: Option<usize>,
}

impl Pieces {
    pub(crate) fn new(pieces: VecDeque<Bytes>) -> Self {
        Self {
            left_bytes: pieces.iter().map(|piece| piece.len() as u64).sum(),
            pieces,
            breaks_after: None,
        }
    }

    /// Half of them, and then the line breaks.
    pub(crate) fn cut(mut self) -> Self {
        self.breaks_after = Some(self.pieces.len() / 2);
        self
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.breaks_after.is_some()
    }
}

impl From<String> for Pieces {
    fn from(text: String) -> Self {
        Self::new(VecDeque::from([Bytes::from(text)]))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.breaks_after {
            Some(0) => return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            Some(left) => *left -= 1,
            None => {}
        }
        let piece = self.pieces.pop_front();
        self.left_bytes -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
    }
}
