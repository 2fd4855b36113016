//! Clips: raw by tus where the receiver takes that, and on after a break; else as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::{HeaderName, LOCATION};
use sync_protocol::Extension;
use sync_protocol::uploads::{
    self, DIGEST_HEADER, LENGTH_HEADER, MEDIA, METADATA_HEADER, OFFSET_HEADER, VERSION, VERSION_HEADER,
};

use super::pass::Tried;
use super::{Device, Waiting};
use crate::clips::Clip;
use crate::network::{Answer, Ask, Pieces};
use crate::run::{Run, Table};
use crate::stats::{Kind, Trouble};
use crate::wire;

/// A clip that the receiver has some of.
struct Place {
    path: String,
    offset: u64,
}

fn tus(method: Method, path: String, more: Vec<(&'static str, String)>, body: Pieces) -> Ask {
    let version = (VERSION_HEADER, VERSION.to_string());
    let headers = more.into_iter().chain([version]);
    Ask {
        method,
        path,
        headers: headers
            .map(|(name, value)| (HeaderName::from_static(name), value))
            .collect(),
        body,
        patience: wire::LARGE,
    }
}

fn content_type() -> (&'static str, String) {
    ("content-type", uploads::CONTENT_TYPE.to_string())
}

impl Device {
    pub(super) async fn try_clip(&mut self) -> Tried {
        let Some(row) = self.clips.front_mut() else {
            return Tried::Settled;
        };
        let (before, number) = (*row, row.number);
        row.begun = true;
        row.cut = false;
        let clip = self.run.films.clip(&self.run.id, self.number, number);
        if !self.line.has(Extension::Uploads) {
            return self.post_plain(number, &clip).await;
        }
        let tried = if before.begun {
            self.go_on(number, &clip).await
        } else {
            self.create(before, &clip).await
        };
        tried.unwrap_or_else(Tried::from)
    }

    async fn post_plain(&mut self, number: u32, clip: &Clip) -> Tried {
        let sensor = self.run.sensor(Table::Clips);
        let row = wire::clip(self.clip_unix_s(number), number, &sensor, &self.name.id, Some(clip));
        let ask = Ask {
            method: Method::POST,
            path: Table::Clips.path().to_string(),
            headers: vec![
                wire::json_type(),
                wire::key_header(&self.run.key(Table::Clips, self.number, number)),
            ],
            body: Pieces::from(wire::json(&row)),
            patience: wire::LARGE,
        };
        match self.line.ask(Kind::Clip, ask).await {
            Ok(answer) => self.book_clip(clip, &answer),
            Err(trouble) => trouble.into(),
        }
    }

    /// The whole clip in one request.
    async fn create(&mut self, row: Waiting, clip: &Clip) -> Result<Tried, Trouble> {
        let whole = Pieces::new(clip.pieces(0));
        let body = if row.cut { whole.cut() } else { whole };
        let answer = self.post(row.number, clip, Some(body)).await?;
        if place(&answer).is_some() {
            // It was known, and the body that came along was not taken.
            return Ok(Tried::Resumes);
        }
        Ok(self.book_clip(clip, &answer))
    }

    /// What is there of it stays there: only the rest is sent.
    async fn go_on(&mut self, number: u32, clip: &Clip) -> Result<Tried, Trouble> {
        let answer = self.post(number, clip, None).await?;
        let Some(there) = place(&answer) else {
            return Ok(self.book_clip(clip, &answer));
        };
        let digest = format!("sha-256=:{}:", STANDARD.encode(clip.prefix_sha256(there.offset)));
        if answer.header(DIGEST_HEADER).is_some_and(|told| told != digest) {
            self.run
                .stats()
                .odd(Kind::Clip, "other bytes than ours at the receiver");
            let ask = tus(Method::DELETE, there.path, vec![], Pieces::default());
            self.line.ask(Kind::Clip, ask).await?;
            return Ok(Tried::Unwell(None));
        }
        if there.offset < clip.len() {
            let headers = vec![(OFFSET_HEADER, there.offset.to_string()), content_type()];
            let rest = Pieces::new(clip.pieces(there.offset));
            let appended = self
                .line
                .ask(Kind::Clip, tus(Method::PATCH, there.path, headers, rest))
                .await?;
            if !appended.status.is_success() {
                return Ok(Tried::Unwell(appended.wish()));
            }
        }
        let answer = self.post(number, clip, None).await?;
        if place(&answer).is_some() {
            return Ok(Tried::Unwell(None));
        }
        Ok(self.book_clip(clip, &answer))
    }

    async fn post(&mut self, number: u32, clip: &Clip, body: Option<Pieces>) -> Result<Answer, Trouble> {
        let ask = creation(
            &self.run,
            self.number,
            &self.name.id,
            number,
            self.clip_unix_s(number),
            clip,
            body,
        );
        self.line.ask(Kind::Clip, ask).await
    }

    fn book_clip(&mut self, clip: &Clip, answer: &Answer) -> Tried {
        if answer.id().is_some() {
            self.run.stats().counts().clip_bytes += clip.len();
        }
        self.book_answer(Table::Clips, Kind::Clip, answer)
    }

    fn clip_unix_s(&self, number: u32) -> i64 {
        let entry = self.lived.ledger.clips.get(number as usize);
        entry.map_or(0, |entry| entry.unix_s)
    }
}

/// The creation of an upload, with the clip or without.
pub(crate) fn creation(
    run: &Run,
    device: u32,
    name: &str,
    number: u32,
    unix_s: i64,
    clip: &Clip,
    body: Option<Pieces>,
) -> Ask {
    let sensor = run.sensor(Table::Clips);
    let media = wire::json(&wire::clip(unix_s, number, &sensor, name, None));
    let key = run.key(Table::Clips, device, number);
    let mut headers = vec![
        (METADATA_HEADER, format!("{MEDIA} {}", STANDARD.encode(media))),
        (LENGTH_HEADER, clip.len().to_string()),
        (sync_protocol::KEY_HEADER, format!("\"{key}\"")),
    ];
    match &body {
        Some(_) => headers.push(content_type()),
        None => headers.push(("content-length", "0".to_string())),
    }
    tus(
        Method::POST,
        uploads::PATH.to_string(),
        headers,
        body.unwrap_or_default(),
    )
}

/// Where an upload is, of an answer that is no receipt.
fn place(answer: &Answer) -> Option<Place> {
    if answer.status != hyper::StatusCode::CREATED || answer.id().is_some() {
        return None;
    }
    let location = answer.header(LOCATION.as_str())?;
    let path = if location.starts_with('/') {
        location.to_string()
    } else {
        // Relative to where it was posted.
        let folder = uploads::PATH.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{location}")
    };
    Some(Place {
        path,
        offset: answer.header(OFFSET_HEADER)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_a_receipt() {
        let answer = |body: &str, location: &'static str| {
            let mut headers = hyper::HeaderMap::new();
            headers.insert(LOCATION, location.parse().unwrap());
            headers.insert(OFFSET_HEADER, "9".parse().unwrap());
            let (status, body) = (hyper::StatusCode::CREATED, body.to_string().into());
            place(&Answer { status, headers, body }).map(|place| (place.path, place.offset))
        };
        assert_eq!(
            answer("", "uploads/abc"),
            Some(("/api/media/uploads/abc".to_string(), 9))
        );
        assert_eq!(answer("", "/x/abc"), Some(("/x/abc".to_string(), 9)));
        assert_eq!(answer(r#"{"id":5}"#, "uploads/abc"), None);
    }
}
