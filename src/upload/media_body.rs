//! A clip's JSON, produced while it is sent: prefix, base64 of the video, suffix, with a length known beforehand.

use std::io::{self, Read};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Progress, payload};
use crate::row::Clip;

/// Video bytes encoded at a time; a multiple of three, so that padding comes at the end alone.
const RAW: usize = 96 << 10;

/// The body of a clip as a [`Read`].
pub(super) struct MediaBody<'a> {
    video: &'a mut dyn Read,
    /// Video bytes still to come.
    left: u64,
    video_len: u64,
    raw: Vec<u8>,
    /// Bytes that are ready: the prefix, the suffix, or a group that did not fit.
    ready: Vec<u8>,
    at: usize,
    suffix: Vec<u8>,
    stage: Stage,
    length: u64,
    given: u64,
    progress: Option<Arc<dyn Progress>>,
    /// Why the video could not be read to its end.
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Video,
    Suffix,
    End,
}

impl<'a> MediaBody<'a> {
    /// The body of `clip`, whose video must give exactly `clip.video_len` bytes.
    ///
    /// # Errors
    /// The body would be longer than numbers go.
    pub(super) fn new(
        clip: &Clip,
        video: &'a mut dyn Read,
        device_id: &str,
        progress: Option<Arc<dyn Progress>>,
    ) -> io::Result<Self> {
        let (prefix, suffix) = payload::around_video(clip, device_id)?;
        let length = clip
            .video_len
            .div_ceil(3)
            .checked_mul(4)
            .and_then(|encoded| encoded.checked_add(prefix.len() as u64 + suffix.len() as u64))
            .ok_or_else(|| io::Error::other("la vidéo est trop longue"))?;
        let raw = usize::try_from(clip.video_len).unwrap_or(RAW).min(RAW);
        Ok(Self {
            video,
            left: clip.video_len,
            video_len: clip.video_len,
            raw: vec![0; raw],
            ready: prefix,
            at: 0,
            suffix,
            stage: Stage::Video,
            length,
            given: 0,
            progress,
            failed: None,
        })
    }

    /// Length of the whole body in bytes.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Bytes of the body given so far.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// Why the video could not be read, if that is what ended the body.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Reads `count` bytes of video into `raw`.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        self.video.read_exact(&mut self.raw[..count]).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                io::Error::other("la vidéo est plus courte qu'annoncé")
            } else {
                error
            }
        })?;
        self.left -= count as u64;
        if let Some(progress) = &self.progress {
            progress.sent(self.video_len - self.left);
        }
        if self.left == 0 && self.video.read(&mut [0])? != 0 {
            return Err(io::Error::other("la vidéo est plus longue qu'annoncé"));
        }
        Ok(())
    }

    /// Encodes the next bytes of video into `out`, or into `ready` when `out` has no room for a group.
    fn encode(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let groups = (out.len() / 4).max(1);
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let count = left.min(groups.saturating_mul(3)).min(self.raw.len());
        self.fill(count)?;
        let raw = &self.raw[..count];
        if out.len() >= 4 {
            STANDARD.encode_slice(raw, out).map_err(io::Error::other)
        } else {
            self.ready.clear();
            self.at = 0;
            self.ready.extend_from_slice(STANDARD.encode(raw).as_bytes());
            Ok(0)
        }
    }

    fn read_on(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            if self.at < self.ready.len() {
                let count = out.len().min(self.ready.len() - self.at);
                out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
                self.at += count;
                return Ok(count);
            }
            match self.stage {
                Stage::Video if self.left > 0 => {
                    let count = self.encode(out)?;
                    if count > 0 {
                        return Ok(count);
                    }
                }
                Stage::Video => self.stage = Stage::Suffix,
                Stage::Suffix => {
                    self.ready = std::mem::take(&mut self.suffix);
                    self.at = 0;
                    self.stage = Stage::End;
                }
                Stage::End => return Ok(0),
            }
        }
        Ok(0)
    }
}

impl Read for MediaBody<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(out);
        if let Ok(count) = &result {
            self.given += *count as u64;
        }
        result.map_err(|error| {
            // The HTTP client may wrap or drop what it is handed: the cause is kept here.
            let told = io::Error::other(error.to_string());
            self.failed = Some(error);
            told
        })
    }
}
