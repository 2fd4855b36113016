//! Pieces of a body on their way to the thread that writes them, in buffers that go round.
//!
//! A piece that keeps the memory into which the connection read it makes the connection allocate for the next one, and large
//! allocations are mapped, faulted in and given back each time. A copy that is hot in the cache costs less.

use std::io;
use std::sync::mpsc::{self as spent, Receiver, Sender};

use axum::body::Bytes;
use tokio::sync::mpsc;

/// Pieces that wait to be written, and as many that are taken at once, so that neither side wakes the other for each. With the one
/// for which there is no room yet and what the connection reads ahead, 768 KB of a clip.
const QUEUE_MAX_PIECES: usize = 2;

/// The connection's end.
pub(super) struct Giver {
    pieces: mpsc::Sender<Vec<u8>>,
    spent: Receiver<Vec<u8>>,
}

/// The end of the thread that writes. Dropped, it wants no more.
pub(super) struct Taker {
    pieces: mpsc::Receiver<Vec<u8>>,
    spent: Sender<Vec<u8>>,
}

pub(super) fn handover() -> (Giver, Taker) {
    let (giver, pieces) = mpsc::channel(QUEUE_MAX_PIECES);
    let (taker, spent) = spent::channel();
    let giver = Giver { pieces: giver, spent };
    (giver, Taker { pieces, spent: taker })
}

impl Giver {
    /// Waits until there is room; `false` when no more is wanted.
    pub(super) async fn give(&mut self, piece: Bytes) -> bool {
        let mut buffer = self.spent.try_recv().unwrap_or_default();
        buffer.clear();
        buffer.reserve_exact(piece.len());
        buffer.extend_from_slice(&piece);
        // Before anything is waited for: the connection reads on into its memory.
        drop(piece);
        self.pieces.send(buffer).await.is_ok()
    }
}

impl Taker {
    /// Passes each piece to `write`, to the end or the first error.
    pub(super) fn each(mut self, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut taken = Vec::with_capacity(QUEUE_MAX_PIECES);
        while self.pieces.blocking_recv_many(&mut taken, QUEUE_MAX_PIECES) > 0 {
            for piece in taken.drain(..) {
                write(&piece)?;
                // The body may be over.
                let _ = self.spent.send(piece);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn pieces_come_in_order_through_a_few_buffers() {
        let (mut giver, taker) = handover();
        let writing = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            let written = taker.each(|piece| {
                all.extend_from_slice(piece);
                Ok(())
            });
            written.map(|()| all)
        });
        let sent: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number; 1_000]).collect();
        for piece in &sent {
            assert!(giver.give(Bytes::copy_from_slice(piece)).await);
        }
        let Giver { pieces, spent } = giver;
        drop(pieces);
        assert!(writing.await.unwrap().unwrap() == sent.concat());
        let buffers = spent.iter().count();
        assert!((1..=2 * QUEUE_MAX_PIECES + 1).contains(&buffers), "{buffers} buffers");
    }

    #[tokio::test]
    async fn only_a_few_pieces_wait() {
        let (mut giver, taker) = handover();
        for _ in 0..QUEUE_MAX_PIECES {
            assert!(giver.give(Bytes::from_static(b"x")).await);
        }
        let mut one_more = Box::pin(giver.give(Bytes::from_static(b"x")));
        let mut context = Context::from_waker(Waker::noop());
        assert!(one_more.as_mut().poll(&mut context).is_pending());
        // An error of the writer ends the waiting.
        let failed = tokio::task::spawn_blocking(move || taker.each(|_| Err(io::ErrorKind::StorageFull.into())));
        assert!(failed.await.unwrap().is_err());
        assert_eq!(one_more.as_mut().poll(&mut context), Poll::Ready(false));
    }
}
