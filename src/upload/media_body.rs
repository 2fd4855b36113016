//! A clip's JSON, produced while it is sent: prefix, base64 of the video, suffix, with a length known beforehand.

use std::io::{self, Read};

use base64_simd::{AsOut, STANDARD};

use super::payload;
use crate::row::Clip;

/// Video bytes encoded at a time; a multiple of three, so that padding comes at the end alone.
const RAW: usize = 96 << 10;

/// The body of a clip as a [`Read`].
pub(super) struct MediaBody<'a> {
    video: &'a mut dyn Read,
    /// Video bytes still to come.
    left: u64,
    raw: Vec<u8>,
    /// Bytes that are ready: the prefix, the suffix, or a group that did not fit.
    ready: Vec<u8>,
    at: usize,
    suffix: Vec<u8>,
    next: Part,
    length: u64,
    given: u64,
    /// Why the video could not be read to its end.
    failed: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Video,
    Suffix,
    End,
}

impl<'a> MediaBody<'a> {
    /// The body of `clip`, whose video must give exactly `clip.video_len` bytes.
    ///
    /// # Errors
    /// The body would be longer than numbers go.
    pub(super) fn new(clip: &Clip, video: &'a mut dyn Read, device_id: &str) -> io::Result<Self> {
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
            raw: vec![0; raw],
            ready: prefix,
            at: 0,
            suffix,
            next: Part::Video,
            length,
            given: 0,
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
            Ok(STANDARD.encode(raw, out.as_out()).len())
        } else {
            self.ready.clear();
            self.at = 0;
            STANDARD.encode_append(raw, &mut self.ready);
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
            match self.next {
                Part::Video if self.left > 0 => {
                    let count = self.encode(out)?;
                    if count > 0 {
                        return Ok(count);
                    }
                }
                Part::Video => self.next = Part::Suffix,
                Part::Suffix => {
                    self.ready = std::mem::take(&mut self.suffix);
                    self.at = 0;
                    self.next = Part::End;
                }
                Part::End => return Ok(0),
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;

    use super::super::compress::{Gzip, zstd};
    use super::*;
    use crate::row::Scalar;

    fn clip(date: Scalar, name: Scalar, video: &[u8]) -> Clip {
        Clip {
            id: 1,
            date,
            sensor_id: Scalar::Integer(4),
            sensor_name: name,
            camera: Scalar::Integer(1),
            video_len: video.len() as u64,
        }
    }

    /// Reads in pieces of the given sizes, over and over.
    fn read_in(mut reader: impl Read, sizes: &[usize]) -> Vec<u8> {
        let mut all = Vec::new();
        for size in sizes.iter().cycle() {
            let mut piece = vec![0; *size];
            let count = reader.read(&mut piece).unwrap();
            if count == 0 {
                return all;
            }
            all.extend_from_slice(&piece[..count]);
        }
        all
    }

    fn expected(clip: &Clip, video: &[u8], device_id: &str) -> Vec<u8> {
        let text = base64::engine::general_purpose::STANDARD.encode(video);
        let field = |value: &Scalar| serde_json::to_string(value).unwrap();
        format!(
            r#"{{"date":{},"capteur":{{"id":{},"nom":{}}},"numero_camera":{},"video_data":"{text}","device_id":{},"source":"sync_service"}}"#,
            field(&clip.date),
            field(&clip.sensor_id),
            field(&clip.sensor_name),
            field(&clip.camera),
            serde_json::to_string(device_id).unwrap()
        )
        .into_bytes()
    }

    fn arbitrary_scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Null),
            any::<i64>().prop_map(Scalar::Integer),
            (-1e9..1e9).prop_map(Scalar::Real),
            ".*".prop_map(Scalar::Text),
        ]
    }

    proptest! {
        #[test]
        fn the_streamed_body_is_serde_jsons_whatever_is_read_at_a_time(
            date in arbitrary_scalar(),
            name in arbitrary_scalar(),
            video in prop::collection::vec(any::<u8>(), 0..2_000),
            device_id in ".{1,20}",
            sizes in prop::collection::vec(1_usize..300, 1..8),
        ) {
            let clip = clip(date, name, &video);
            let mut source = video.as_slice();
            let body = MediaBody::new(&clip, &mut source, &device_id).unwrap();
            let length = body.len();
            let read = read_in(body, &sizes);
            prop_assert_eq!(read.len() as u64, length);
            prop_assert_eq!(&read, &expected(&clip, &video, &device_id));
            let value: serde_json::Value = serde_json::from_slice(&read).unwrap();
            prop_assert_eq!(value["device_id"].as_str(), Some(device_id.as_str()));
        }

        #[test]
        fn packed_bodies_unpack_to_the_plain_one(
            video in prop::collection::vec(any::<u8>(), 0..50_000),
            sizes in prop::collection::vec(1_usize..9_000, 1..8),
        ) {
            let clip = clip(Scalar::Null, Scalar::Null, &video);
            let plain = expected(&clip, &video, "pi");
            let mut source = video.as_slice();
            let packed = read_in(Gzip::new(MediaBody::new(&clip, &mut source, "pi").unwrap()), &sizes);
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
            prop_assert!(unpacked == plain, "gzip");
            let mut source = video.as_slice();
            let packed = read_in(zstd(MediaBody::new(&clip, &mut source, "pi").unwrap()).unwrap(), &sizes);
            prop_assert!(::zstd::decode_all(packed.as_slice()).unwrap() == plain, "zstd");
        }
    }

    #[test]
    fn packing_takes_back_what_base64_costs() {
        let mut state = 1_u64;
        let video: Vec<u8> = (0..2_000_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let clip = clip(Scalar::Null, Scalar::Null, &video);
        let share = |packed: Vec<u8>| packed.len() as f64 / video.len() as f64;
        let mut source = video.as_slice();
        let gzip = share(read_in(
            Gzip::new(MediaBody::new(&clip, &mut source, "pi").unwrap()),
            &[65_536],
        ));
        let mut source = video.as_slice();
        let packed = zstd(MediaBody::new(&clip, &mut source, "pi").unwrap()).unwrap();
        let zstd = share(read_in(packed, &[65_536]));
        assert!(gzip <= 1.01, "gzip {gzip}");
        assert!(zstd <= 1.001, "zstd {zstd}");
    }

    #[test]
    fn a_video_of_another_length_than_announced_breaks_the_body_off() {
        for length in [10, 12] {
            let video = vec![7; length];
            let clip = Clip {
                video_len: 11,
                ..clip(Scalar::Null, Scalar::Null, &[])
            };
            let mut source = video.as_slice();
            let mut body = MediaBody::new(&clip, &mut source, "pi").unwrap();
            let announced = body.len();
            let mut read = Vec::new();
            assert!(body.read_to_end(&mut read).is_err());
            assert!((read.len() as u64) < announced);
            assert!(body.take_failure().unwrap().to_string().contains("vidéo"));
        }
    }
}
