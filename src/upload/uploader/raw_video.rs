//! A clip's video as it is, checked to be as long as announced.

use std::io::{self, Read};

use crate::row::Video;
use crate::shutdown::Shutdown;
use crate::upload::exchange::Exchange;

/// Bytes that are read at a time.
const PIECE: usize = 128 << 10;

/// How a video compares with what the server has.
pub(super) enum Prefix {
    Same,
    Other,
    /// A stop was asked for.
    Stopped,
}

/// Reads a video and keeps why it could not be read.
pub(super) struct RawVideo<'a> {
    video: &'a mut dyn Video,
    exchange: &'a Exchange,
    length: u64,
    left: u64,
    failed: Option<io::Error>,
}

impl<'a> RawVideo<'a> {
    /// A video that must give exactly `length` bytes.
    pub(super) fn new(video: &'a mut dyn Video, length: u64, exchange: &'a Exchange) -> Self {
        Self {
            video,
            exchange,
            length,
            left: length,
            failed: None,
        }
    }

    /// Whether anything of it was read.
    pub(super) fn begun(&self) -> bool {
        self.left < self.length
    }

    /// Why the video could not be read, if that is what ended it.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Tells whether the SHA-256 of the first `count` bytes is `digest`, and goes on behind them. What this process read of
    /// them before is not read again.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn has_prefix(&mut self, count: u64, digest: Option<&[u8]>, shutdown: &Shutdown) -> io::Result<Prefix> {
        // Of a clip that begins nothing is hashed: that costs more than all the rest, and most clips never break.
        if count == 0 {
            return Ok(Prefix::Same);
        }
        let Some(digest) = digest.filter(|_| count <= self.length) else {
            return Ok(Prefix::Other);
        };
        let mut known = self.video.go_back(count)?;
        loop {
            self.left = self.length - known;
            if !self.read_to(count, shutdown)? {
                return Ok(Prefix::Stopped);
            }
            if self.video.sha256() == digest {
                return Ok(Prefix::Same);
            }
            if known == 0 {
                return Ok(Prefix::Other);
            }
            // What was read before is not what the server has. The row as it is now may be.
            known = self.video.go_back(0)?;
        }
    }

    /// Reads what is left before it is sent, so that no request waits for a row that is read once more; `false` when a stop was
    /// asked for.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn hold_rest(&mut self, shutdown: &Shutdown) -> io::Result<bool> {
        let (exchange, read) = (self.exchange, self.length - self.left);
        self.video.hold_rest(&mut || {
            exchange.passed_over(read);
            shutdown.is_requested()
        })
    }

    /// Reads up to where `count` bytes are read; `false` when a stop was asked for.
    fn read_to(&mut self, count: u64, shutdown: &Shutdown) -> io::Result<bool> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = self.length - self.left;
            let most = usize::try_from(count - read).unwrap_or(PIECE).min(PIECE);
            if most == 0 {
                return Ok(true);
            }
            if shutdown.is_requested() {
                return Ok(false);
            }
            self.read_on(&mut piece[..most])?;
            self.exchange.passed_over(self.length - self.left);
        }
    }

    fn read_on(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.video.read(&mut out[..most])?;
        if count == 0 {
            return Err(io::Error::other("la vidéo est plus courte qu'annoncé"));
        }
        self.exchange.video_read(count);
        self.left -= count as u64;
        if self.left == 0 && self.video.read(&mut [0])? != 0 {
            return Err(io::Error::other("la vidéo est plus longue qu'annoncé"));
        }
        Ok(count)
    }
}

impl Read for RawVideo<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.read_on(out) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failed = Some(error);
                Err(told)
            }
        }
    }
}
