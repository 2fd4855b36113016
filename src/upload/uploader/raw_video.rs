//! A clip's video as it is, checked to be as long as announced.

use std::io::{self, Read};

use ring::digest::{Context, SHA256};

use crate::shutdown::Shutdown;
use crate::upload::exchange::Exchange;

/// Bytes that are read and hashed at a time.
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
    video: &'a mut (dyn Read + 'a),
    length: u64,
    left: u64,
    failed: Option<io::Error>,
}

impl<'a> RawVideo<'a> {
    /// A video that must give exactly `length` bytes.
    pub(super) fn new(video: &'a mut (dyn Read + 'a), length: u64) -> Self {
        Self {
            video,
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

    /// Reads the first `count` bytes and tells whether their SHA-256 is `digest`.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn has_prefix(
        &mut self,
        count: u64,
        digest: Option<&[u8]>,
        exchange: &Exchange,
        shutdown: &Shutdown,
    ) -> io::Result<Prefix> {
        if count == 0 {
            return Ok(Prefix::Same);
        }
        let (Some(digest), true) = (digest, count <= self.length) else {
            return Ok(Prefix::Other);
        };
        let mut hash = Context::new(&SHA256);
        let mut piece = vec![0; PIECE];
        let mut left = count;
        while left > 0 {
            if shutdown.is_requested() {
                return Ok(Prefix::Stopped);
            }
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let read = self.read_on(&mut piece[..most])?;
            hash.update(&piece[..read]);
            left -= read as u64;
            exchange.passed_over(count - left);
        }
        let same = hash.finish().as_ref() == digest;
        Ok(if same { Prefix::Same } else { Prefix::Other })
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
