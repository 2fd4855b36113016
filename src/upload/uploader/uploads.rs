//! Clips that go on after a break, to a server that names `uploads` ([`sync_protocol::uploads`]): raw, by tus 1.0.0.
//!
//! A clip that was never sent goes whole in one `POST`. Any other begins with the same `POST` without a body: its answer
//! is the server's id, or where the upload is and what is there of it, which is compared with the row as it is now and
//! continued. Nothing is kept from process to process, and only the answer to a `POST` says that a clip is stored.

use sync_protocol::Extension;
use sync_protocol::uploads::{LENGTH_HEADER, MEDIA, METADATA_HEADER, OFFSET_HEADER, PATH};
use ureq::http::Method;
use ureq::http::request::Builder;

use super::Uploader;
use super::raw_video::{Prefix, RawVideo};
use crate::row::{Clip, Video};
use crate::upload::answer::Answer;
use crate::upload::payload;
use crate::upload::url;
use crate::upload::verdict::Verdict;

/// A new clip up to this length goes with its first request, also where the one before came to no certain end.
pub(super) const SMALL_BYTES: u64 = 1 << 20;

/// A clip up to this length is one request as a rule. At the end of it all of the row may be read once more, which takes some
/// seconds at most.
const ONE_REQUEST_BYTES: u64 = 128 << 20;

/// Longest metadata; real ones have some 300 bytes, and servers limit their headers. Such a row goes the plain way.
const METADATA_MAX_BYTES: usize = 4 << 10;

/// What a clip that goes on keeps for a request of its own: so that the end of its row, where the whole of it is compared once
/// more, is not read ahead at each break before it, and is read before that request is open: servers wait a minute for bytes.
const LAST_BYTES: u64 = 512 << 10;

/// A clip as an upload.
pub(super) struct Upload {
    pub(super) key: String,
    metadata: String,
    length: u64,
}

impl Upload {
    /// `None` when its metadata is too long for a header.
    pub(super) fn of(clip: &Clip, key: &str, device_id: &str) -> Option<Self> {
        let media = payload::without_video(clip, device_id).ok()?;
        let encoded = base64_simd::STANDARD.encode_to_string(media);
        (encoded.len() <= METADATA_MAX_BYTES).then(|| Self {
            key: key.to_string(),
            metadata: format!("{MEDIA} {encoded}"),
            length: clip.video_len,
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

/// What this process knows of clips on their way. A restart needs none of it.
#[derive(Default)]
pub(super) struct Uploads {
    /// The clip before came to a certain end: so far nothing is at the server that this process began and did not end.
    pub(super) settled: bool,
    /// What was last seen of a clip.
    pub(super) last: Option<Seen>,
    /// More of the clip was there than at the try before.
    pub advanced: bool,
    /// Something of the body left the device at this try.
    pub body_left: bool,
}

/// How far a clip was.
pub(super) struct Seen {
    pub(super) key: String,
    pub(super) offset: u64,
    /// Times that what was there was thrown away.
    pub(super) discards: u32,
}

/// Where an upload is and what is there of it.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) offset: u64,
    digest: Option<Vec<u8>>,
}

impl Uploader {
    /// Tries to send a clip, once. `is_new` tells that nothing of it can be there, as far as is known.
    pub(super) fn upload_clip(&mut self, upload: &Upload, video: &mut dyn Video, is_new: bool) -> Verdict {
        let settled = std::mem::replace(&mut self.uploads.settled, false);
        self.uploads.advanced = false;
        self.uploads.body_left = false;
        let exchange = std::sync::Arc::clone(&self.exchange);
        let mut video = RawVideo::new(video, upload.length, &exchange);
        let fits = upload.length <= self.backends.current().pieces.most().min(ONE_REQUEST_BYTES);
        let place = if is_new && fits && (settled || upload.length <= SMALL_BYTES) {
            self.create(upload, &mut video)
        } else {
            self.ask(upload)
        };
        let verdict = match place {
            Ok(place) if video.begun() => {
                // It was there already, and the body that came along was not taken.
                log::debug!("{} of {} bytes are there", place.offset, upload.length);
                Verdict::Resume
            }
            Ok(place) => self.go_on(upload, place, &mut video),
            Err(verdict) => verdict,
        };
        self.uploads.settled = matches!(verdict, Verdict::Done { .. });
        verdict
    }

    pub(super) fn creation(&self, upload: &Upload) -> Builder {
        let backend = self.backends.current();
        backend
            .tus(
                Method::POST,
                &format!("{}{PATH}", backend.url.as_str()),
                self.token.as_ref(),
            )
            .header(METADATA_HEADER, &upload.metadata)
            .header(LENGTH_HEADER, upload.length)
            .header("Idempotency-Key", format!("\"{}\"", upload.key))
    }

    /// The whole clip in one request.
    fn create(&mut self, upload: &Upload, video: &mut RawVideo<'_>) -> Result<Place, Verdict> {
        let request = self.creation(upload);
        let (answer, sent) = self.send_video(request, video, 0, upload.length)?;
        match answer {
            Ok(answer) => self.created(upload, &answer, upload.length),
            Err(error) => Err(self.broken(upload, 0, sent, error)),
        }
    }

    /// What became of a clip, or a new upload of nothing.
    pub(super) fn ask(&mut self, upload: &Upload) -> Result<Place, Verdict> {
        let request = self.creation(upload).header("Content-Length", 0);
        match self.send_empty(request)? {
            Ok(answer) => self.created(upload, &answer, 0),
            Err(error) => Err(self.conclude(Err(error), false)),
        }
    }

    /// What the answer to a `POST` says, of whose body `sent` bytes were announced.
    pub(super) fn created(&mut self, upload: &Upload, answer: &Answer, sent: u64) -> Result<Place, Verdict> {
        if let Some(verdict) = self.not_taken(answer, sent) {
            return Err(verdict);
        }
        if answer.status == 201 && answer.remote_id().is_err() {
            if let Some(place) = self.place(answer) {
                self.learn(answer);
                self.seen(upload, place.offset);
                return Ok(place);
            }
        }
        if matches!(answer.status, 409 | 423) && answer.remote_id().is_err() {
            self.learn(answer);
            return Err(self.later(answer));
        }
        Err(self.conclude(Ok(answer.clone()), false))
    }

    fn place(&self, answer: &Answer) -> Option<Place> {
        let facts = &answer.upload;
        let asked = format!("{}{PATH}", self.backends.current().url.as_str());
        Some(Place {
            url: url::resolve(&asked, facts.location.as_deref()?)?,
            offset: facts.offset?,
            digest: facts.digest.clone(),
        })
    }

    /// So much of a clip is there.
    fn seen(&mut self, upload: &Upload, offset: u64) {
        let uploads = &mut self.uploads;
        match &mut uploads.last {
            Some(last) if last.key == upload.key => {
                uploads.advanced |= offset > last.offset;
                last.offset = offset;
            }
            last => {
                *last = Some(Seen {
                    key: upload.key.clone(),
                    offset,
                    discards: 0,
                });
            }
        }
    }

    /// Answers that are about the way and not the clip: there is no such thing after all, or the body was too long for
    /// something between.
    fn not_taken(&mut self, answer: &Answer, sent: u64) -> Option<Verdict> {
        let between = !answer.upload.is_tus;
        match answer.status {
            405 | 501 | 412 => {}
            404 if between => {}
            413 if between && sent > 0 && self.backends.current_mut().pieces.refuse(sent) => {
                return Some(Verdict::Resume);
            }
            _ => return None,
        }
        self.learn(answer);
        self.backends.current_mut().refuses(Extension::Uploads);
        Some(Verdict::Resume)
    }

    /// A verdict on an answer that is no row's fault and may be another in a moment.
    pub(super) fn later(&self, answer: &Answer) -> Verdict {
        self.discreet(Verdict::Unavailable {
            message: answer.message(),
            unreachable: false,
            retry_after: answer.retry_after,
        })
    }

    /// Continues an upload where it is, to its end.
    fn go_on(&mut self, upload: &Upload, place: Place, video: &mut RawVideo<'_>) -> Verdict {
        match video.has_prefix(place.offset, place.digest.as_deref(), &self.shutdown) {
            Ok(Prefix::Same) => {}
            Ok(Prefix::Other) => return self.discard(upload, &place),
            Ok(Prefix::Stopped) => return Verdict::Interrupted,
            Err(error) => return Verdict::Local(error),
        }
        let mut offset = place.offset;
        while offset < upload.length {
            if upload.length - offset <= LAST_BYTES {
                match video.hold_rest(&self.shutdown) {
                    Ok(true) => {}
                    Ok(false) => return Verdict::Interrupted,
                    Err(error) => return Verdict::Local(error),
                }
            }
            match self.append(upload, &place.url, offset, video) {
                Ok(reached) => offset = reached,
                Err(verdict) => return verdict,
            }
        }
        match self.ask(upload) {
            Err(verdict) => verdict,
            Ok(place) => Verdict::Unavailable {
                message: format!("envoi incomplet: {} octets sur {}", place.offset, upload.length),
                unreachable: false,
                retry_after: None,
            },
        }
    }

    /// Sends the next piece; returns how far the upload is.
    fn append(&mut self, upload: &Upload, url: &str, offset: u64, video: &mut RawVideo<'_>) -> Result<u64, Verdict> {
        let backend = self.backends.current();
        let length = next_length(backend.pieces.most(), upload.length - offset);
        let request = backend
            .tus(Method::PATCH, url, self.token.as_ref())
            .header(OFFSET_HEADER, offset);
        let (answer, sent) = self.send_video(request, video, offset, length)?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.broken(upload, offset, sent, error)),
        };
        if let Some(verdict) = self.not_taken(&answer, length) {
            return Err(verdict);
        }
        let reached = answer.upload.offset.unwrap_or(0);
        match answer.status {
            204 | 200 if reached > offset && reached == offset + length => {
                self.learn(&answer);
                self.seen(upload, reached);
                self.backends.current_mut().pieces.went_well(length);
                Ok(reached)
            }
            // Gone, held by another request, or elsewhere than it was: the next try asks.
            200..=299 | 404 | 409 | 410 | 423 => {
                self.learn(&answer);
                Err(self.later(&answer))
            }
            _ => Err(self.conclude(Ok(answer), false)),
        }
    }
}

/// Bytes of the next request, at most `most`, when `left` are not there yet.
fn next_length(most: u64, left: u64) -> u64 {
    if left > LAST_BYTES {
        most.min(left - LAST_BYTES)
    } else {
        most.min(left)
    }
}
