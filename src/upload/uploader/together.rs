//! Short clips two at a time, to a server that honours keys: while one waits for its answer, the other is on its way. Each
//! has a connection and a thread of its own and is held in memory; what they came to is taken one by one.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sync_protocol::Extension;
use sync_protocol::uploads::CONTENT_TYPE;
use ureq::SendBody;
use ureq::http::request::Builder;

use super::uploads::{SMALL_BYTES, Upload};
use super::{ASK_FIRST_BYTES, Uploader};
use crate::row::Clip;
use crate::shutdown::Shutdown;
use crate::upload::answer::Answer;
use crate::upload::backend::LANES;
use crate::upload::compress::{self, Gzip};
use crate::upload::encoding::Encoding;
use crate::upload::exchange::{Exchange, Manner};
use crate::upload::media_body::MediaBody;
use crate::upload::verdict::Verdict;

/// Clips on their way, in the order in which they began.
pub(super) struct Flight {
    under_way: VecDeque<UnderWay>,
    landed: Receiver<Landed>,
    /// Lent to the threads.
    lands: Sender<Landed>,
}

/// What is known of one while its thread has it.
struct UnderWay {
    id: i64,
    lane: usize,
    /// As an upload; otherwise it goes in the contract's form.
    upload: Option<Upload>,
    packed: bool,
    begun: Instant,
}

/// What its thread leaves.
struct Landed {
    lane: usize,
    answer: Result<Answer, ureq::Error>,
}

/// Says at its end what a clip's thread came to, also if that ended otherwise than it should: who waits for it must not wait for ever.
struct Landing {
    lane: usize,
    exchange: Arc<Exchange>,
    answer: Option<Result<Answer, ureq::Error>>,
    lands: Sender<Landed>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let ended_early = || Err(io::Error::other("the clip's thread ended early").into());
        let answer = self.answer.take().unwrap_or_else(ended_early);
        self.exchange.end();
        // As long as anything flies, somebody is there.
        let _ = self.lands.send(Landed {
            lane: self.lane,
            answer,
        });
    }
}

/// A request that is ready to go.
struct Parcel {
    request: Builder,
    body: Vec<u8>,
    upload: Option<Upload>,
    packed: bool,
}

impl Default for Flight {
    fn default() -> Self {
        let (lands, landed) = channel();
        Self {
            under_way: VecDeque::new(),
            landed,
            lands,
        }
    }
}

impl Uploader {
    /// How many new clips of so many bytes may be on their way at once.
    pub(super) fn lanes(&mut self, bytes: u64) -> usize {
        let backend = self.backends.current();
        let suits = bytes <= SMALL_BYTES && bytes <= backend.pieces.most() && backend.names_any();
        // A rate that somebody set is the line's: two at a time would gain nothing.
        if suits && self.limiter.is_unlimited() { LANES } else { 1 }
    }

    pub(super) fn clips_under_way(&self) -> usize {
        self.flight.under_way.len()
    }

    /// Sends a clip in a thread; `false`, and nothing was done, where that does not suit.
    pub(super) fn take_off(&mut self, clip: &Clip, video: Vec<u8>, key: &str) -> bool {
        let is_free = |lane: &usize| self.flight.under_way.iter().all(|clip| clip.lane != *lane);
        let Some(lane) = (0..LANES).find(is_free) else {
            return false;
        };
        let Some(parcel) = self.parcel(clip, video, key) else {
            return false;
        };
        let (exchange, shutdown) = (Arc::clone(&self.exchanges[lane]), Arc::clone(&self.shutdown));
        exchange.begin(Manner::Streamed);
        exchange.video_read(usize::try_from(clip.video_len).unwrap_or(usize::MAX));
        exchange.produced(parcel.body.len());
        let (agent, token) = (self.backends.current().lane(lane), self.token.clone());
        let (lands, length) = (self.flight.lands.clone(), parcel.body.len() as u64);
        let Parcel { request, body, .. } = parcel;
        let fly = move || {
            let mut landing = Landing {
                lane,
                exchange: Arc::clone(&exchange),
                answer: None,
                lands,
            };
            let mut body = HeldBody {
                body: &body,
                at: 0,
                exchange: &exchange,
                shutdown: &shutdown,
            };
            let outcome = request
                .body(SendBody::from_reader(&mut body))
                .map_err(ureq::Error::from)
                .and_then(|request| agent.run(request));
            landing.answer = Some(outcome.and_then(|response| Answer::read(response, token.as_ref())));
        };
        if std::thread::Builder::new().name("clip".to_string()).spawn(fly).is_err() {
            return false;
        }
        self.stats.requests += 1;
        self.stats.raw_bytes += length;
        self.stats.wire_bytes += length;
        self.flight.under_way.push_back(UnderWay {
            id: clip.id,
            lane,
            upload: parcel.upload,
            packed: parcel.packed,
            begun: Instant::now(),
        });
        self.show_foremost();
        true
    }

    /// The request of a clip, with its body whole; `None` where it does not suit.
    fn parcel(&self, clip: &Clip, video: Vec<u8>, key: &str) -> Option<Parcel> {
        let upload = self
            .has(Extension::Uploads)
            .then(|| Upload::of(clip, key, &self.device_id));
        if let Some(upload) = upload.flatten() {
            let request = self
                .creation(&upload)
                .header("Content-Type", CONTENT_TYPE)
                .header("Content-Length", video.len());
            return Some(Parcel {
                request,
                body: video,
                upload: Some(upload),
                packed: false,
            });
        }
        let mut video = video.as_slice();
        let body = MediaBody::new(clip, &mut video, &self.device_id).ok()?;
        if body.len() > ASK_FIRST_BYTES {
            return None;
        }
        let encoding = self.packing.encoding();
        let mut packed = Vec::new();
        let read = match encoding {
            Encoding::Plain => {
                let mut body = body;
                body.read_to_end(&mut packed)
            }
            Encoding::Gzip => Gzip::new(body).read_to_end(&mut packed),
            Encoding::Zstd => compress::zstd(body).and_then(|mut body| body.read_to_end(&mut packed)),
        };
        read.ok()?;
        let backend = self.backends.current();
        let mut request = backend
            .clip(key, self.token.as_ref())
            .header("Content-Length", packed.len());
        if let Some(name) = encoding.name() {
            request = request.header("Content-Encoding", name);
        }
        Some(Parcel {
            request,
            body: packed,
            upload: None,
            packed: encoding != Encoding::Plain,
        })
    }

    /// The next clip that came to an end, within `limit`.
    pub(super) fn land(&mut self, limit: Option<Duration>) -> Option<(i64, Verdict)> {
        if self.flight.under_way.is_empty() {
            return None;
        }
        let landed = match limit {
            Some(limit) => self.flight.landed.recv_timeout(limit).ok()?,
            None => self.flight.landed.recv().ok()?,
        };
        let place = self.flight.under_way.iter().position(|clip| clip.lane == landed.lane)?;
        let clip = self.flight.under_way.remove(place)?;
        self.show_foremost();
        self.stats.duration_ms += u64::try_from(clip.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.uploads.body_left = self.exchanges[clip.lane].body_left();
        self.uploads.advanced = false;
        let id = clip.id;
        let verdict = self.verdict_on(clip, landed.answer);
        self.uploads.settled = matches!(verdict, Verdict::Done { .. });
        Some((id, verdict))
    }

    fn verdict_on(&mut self, clip: UnderWay, answer: Result<Answer, ureq::Error>) -> Verdict {
        let Some(upload) = clip.upload else {
            return self.conclude(answer, clip.packed);
        };
        match answer {
            Ok(answer) => match self.created(&upload, &answer, upload.length()) {
                // It was there already, and the body that came along was not taken.
                Ok(_) => Verdict::Resume,
                Err(verdict) => verdict,
            },
            Err(error) => match self.conclude(Err(error), false) {
                // Some of it may have arrived: the next try asks.
                Verdict::Unavailable { unreachable: false, .. } => Verdict::Resume,
                verdict => verdict,
            },
        }
    }

    /// People see the clip move that began first.
    fn show_foremost(&self) {
        if let Some(foremost) = &self.foremost {
            foremost.follow(self.flight.under_way.front().map_or(0, |clip| clip.lane));
        }
    }
}

/// A body in memory, which breaks off when the service is asked to stop.
struct HeldBody<'a> {
    body: &'a [u8],
    at: usize,
    exchange: &'a Exchange,
    shutdown: &'a Shutdown,
}

impl Read for HeldBody<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.exchange.begin_body();
        if self.shutdown.is_requested() {
            return Err(io::Error::other("interrupted"));
        }
        let rest = &self.body[self.at..];
        let count = rest.len().min(out.len()).min(self.exchange.largest_piece());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        if self.at == self.body.len() {
            self.exchange.last_piece();
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::config::UploadConfig;
    use crate::upload::url::WebUrl;

    #[test]
    fn a_clip_whose_thread_panics_comes_to_its_end_as_a_failed_try() {
        let config = UploadConfig {
            backends: vec![WebUrl::base("http://127.0.0.1:9").unwrap()],
            ..UploadConfig::default()
        };
        let mut uploader = Uploader::new(config, Arc::default(), Box::new(crate::clock::local_now)).unwrap();
        let landing = Landing {
            lane: 1,
            exchange: Arc::clone(&uploader.exchanges[1]),
            answer: None,
            lands: uploader.flight.lands.clone(),
        };
        uploader.flight.under_way.push_back(UnderWay {
            id: 7,
            lane: 1,
            upload: None,
            packed: false,
            begun: Instant::now(),
        });
        let thread = std::thread::spawn(move || {
            let _landing = landing;
            panic!("as a fault in the program would");
        });
        assert!(thread.join().is_err());
        let landed = uploader.land(Some(Duration::from_secs(60)));
        assert!(
            matches!(landed, Some((7, Verdict::Unavailable { unreachable: false, .. }))),
            "{landed:?}"
        );
        assert_eq!(uploader.clips_under_way(), 0);
    }
}
