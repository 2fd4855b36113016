//! Reads a body ahead of the socket: one thread reads the card, encodes and packs, another sends. A card and a line
//! that are about as fast take half the time that they would one after the other.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Bytes that are read at a time, as many as the card's reader takes under one lock: each piece wakes the other side.
const PIECE: usize = 256 << 10;

/// Pieces on their way from one thread to the other, at most.
const PIECES: usize = 3;

/// Runs `send` in a thread of its own with a reader of what `body` gives here. Nothing is read from `body` before
/// `send` reads, and nothing more after `send` has ended.
///
/// # Errors
/// There is no thread to be had; `send` was not run.
pub(super) fn prefetch<T: Send>(body: &mut impl Read, send: impl FnOnce(Prefetched) -> T + Send) -> io::Result<T> {
    let (full, pieces) = channel();
    let (empty, spent) = channel();
    let ahead = Prefetched {
        pieces,
        empty,
        piece: Vec::new(),
        at: 0,
        begun: false,
        end: None,
    };
    std::thread::scope(|scope| {
        let sender = std::thread::Builder::new()
            .name("send".to_string())
            .spawn_scoped(scope, move || send(ahead))?;
        while let Ok(piece) = spent.recv() {
            let filled = fill(body, piece);
            let goes_on = filled.as_ref().is_ok_and(|piece| !piece.is_empty());
            if full.send(filled).is_err() || !goes_on {
                break;
            }
        }
        drop(full);
        Ok(sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Reads until the piece is full or the body ends.
fn fill(body: &mut impl Read, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
    piece.resize(PIECE, 0);
    let mut filled = 0;
    while filled < PIECE {
        match body.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece)
}

/// The sender's end.
pub(super) struct Prefetched {
    /// Pieces that were read; an empty one is the end.
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Pieces that were sent, to be filled again.
    empty: Sender<Vec<u8>>,
    piece: Vec<u8>,
    /// Bytes of `piece` that were handed out.
    at: usize,
    begun: bool,
    /// How the body ended, once it has: what breaks off never ends well afterwards.
    end: Option<BodyEnd>,
}

/// How a body ended.
enum BodyEnd {
    Complete,
    /// By an error, which is told again to whoever reads on.
    Broken(io::ErrorKind, String),
}

impl Prefetched {
    /// Waits for the next piece; an empty one is the body's end.
    fn next_piece(&mut self) -> io::Result<Vec<u8>> {
        match &self.end {
            None => {}
            Some(BodyEnd::Complete) => return Ok(Vec::new()),
            Some(BodyEnd::Broken(kind, message)) => return Err(io::Error::new(*kind, message.clone())),
        }
        let spares = if self.begun { 1 } else { PIECES };
        self.begun = true;
        let mut spent = std::mem::take(&mut self.piece);
        for _ in 0..spares {
            // The other side may have come to its end.
            let _ = self.empty.send(std::mem::take(&mut spent));
        }
        // Without its last piece a body is not whole.
        let next = self
            .pieces
            .recv()
            .unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()));
        match &next {
            Ok(piece) if piece.is_empty() => self.end = Some(BodyEnd::Complete),
            Ok(_) => {}
            Err(error) => self.end = Some(BodyEnd::Broken(error.kind(), error.to_string())),
        }
        next
    }
}

impl Read for Prefetched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.at = 0;
            self.piece = self.next_piece()?;
        }
        let count = out.len().min(self.piece.len() - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Gives so many bytes in odd portions, then the end or an error; counts them.
    struct Body<'c> {
        left: usize,
        broken: bool,
        given: &'c AtomicUsize,
    }

    impl Read for Body<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 && self.broken {
                return Err(io::Error::other("broken"));
            }
            let count = out.len().min(self.left).min(10_007);
            for (index, byte) in out[..count].iter_mut().enumerate() {
                *byte = (self.left - index) as u8;
            }
            self.left -= count;
            self.given.fetch_add(count, Ordering::SeqCst);
            Ok(count)
        }
    }

    fn body(left: usize, broken: bool, given: &AtomicUsize) -> Body<'_> {
        Body { left, broken, given }
    }

    #[test]
    fn what_is_sent_is_what_was_read() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 10 * PIECE + 5] {
            let (here, there) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut plain = Vec::new();
            body(length, false, &here).read_to_end(&mut plain).unwrap();
            let sent = prefetch(&mut body(length, false, &there), |mut ahead| {
                let mut sent = Vec::new();
                ahead.read_to_end(&mut sent).unwrap();
                // The end stays the end.
                assert_eq!(ahead.read(&mut [0; 9]).unwrap(), 0);
                sent
            })
            .unwrap();
            assert!(sent == plain, "{length} bytes");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error_after_what_came_before() {
        let given = AtomicUsize::new(0);
        let (sent, error) = prefetch(&mut body(2 * PIECE, true, &given), |mut ahead| {
            let mut sent = Vec::new();
            let error = ahead.read_to_end(&mut sent).unwrap_err();
            // Whoever reads on gets the same, and never the end of a whole body.
            for _ in 0..3 {
                assert_eq!(ahead.read(&mut [0; 9]).unwrap_err().to_string(), "broken");
            }
            (sent.len(), error.to_string())
        })
        .unwrap();
        assert_eq!((sent, error.as_str()), (2 * PIECE, "broken"));
    }

    #[test]
    fn nothing_is_read_for_nobody_and_only_a_little_ahead() {
        let given = AtomicUsize::new(0);
        prefetch(&mut body(100 * PIECE, false, &given), |_| ()).unwrap();
        assert_eq!(given.load(Ordering::SeqCst), 0);
        prefetch(&mut body(100 * PIECE, false, &given), |mut ahead| {
            ahead.read_exact(&mut [0; 10]).unwrap();
        })
        .unwrap();
        assert!(given.load(Ordering::SeqCst) <= (PIECES + 1) * PIECE);
    }
}
