//! `GET /api/media/{id}`, its bytes with `Range`, and its pin.

use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Reader;
use super::lasting::Lasting;
use super::named::Named;
use super::query;
use super::said::Said;
use super::shapes::{ClipDetails, Problem};
use super::visitor::Visitor;
use crate::answer::Refusal;
use crate::http::range::{self, Wanted};
use crate::media_type;
use crate::store::reading::ClipRow;
use crate::store::{OpenClip, StoreError};

/// Bytes of a clip that are read, and wait to be sent, at a time.
const PIECE: usize = 256 << 10;

/// How far the codec is looked for at each end of an MP4.
const CODEC_WITHIN: usize = 128 << 10;

/// A clip that this visitor may see. Another's is not there.
async fn find(reader: &Reader, visitor: &Visitor, id: &str) -> Result<ClipRow, Refusal> {
    let nothing = || Refusal::new(StatusCode::NOT_FOUND, "média inconnu");
    let id = id.parse().map_err(|_| nothing())?;
    let clip = reader.desk.clip(id).await.map_err(Refusal::unavailable)?;
    clip.filter(|clip| visitor.sees(&clip.device_id)).ok_or_else(nothing)
}

async fn open(reader: &Reader, clip: &ClipRow) -> Result<OpenClip, Refusal> {
    let opened = reader.store.open_clip(clip.file.clone()).await;
    opened.map_err(Refusal::unavailable)
}

/// What the bytes say. Neither video nor picture: bytes, to be kept as a file alone.
async fn type_of(reader: &Reader, clip: &OpenClip) -> Result<&'static str, Refusal> {
    let start = reader
        .store
        .read_clip(clip, 0, media_type::START)
        .await
        .map_err(Refusal::unavailable)?;
    Ok(media_type::of(&start).unwrap_or("application/octet-stream"))
}

/// A clip: its fields, its media type and its codec.
#[utoipa::path(get, path = "/api/media/{id}", params(("id" = i64, Path)), responses(
    (status = 200, body = ClipDetails), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn one(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    Named(id): Named,
) -> Result<Json<ClipDetails>, Refusal> {
    let clip = find(&reader, &visitor, &id).await?;
    let opened = open(&reader, &clip).await?;
    let media_type = type_of(&reader, &opened).await?;
    let mut codec = None;
    if matches!(media_type, "video/mp4" | "video/quicktime") {
        for offset in [0, clip.size_bytes.saturating_sub(CODEC_WITHIN as u64)] {
            let piece = reader
                .store
                .read_clip(&opened, offset, CODEC_WITHIN)
                .await
                .map_err(Refusal::unavailable)?;
            codec = codec.or_else(|| media_type::codec(&piece).map(str::to_string));
        }
    }
    Ok(Json(ClipDetails::new(clip, media_type, codec.as_deref())))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// `1`: to be kept as a file, not shown.
    download: Option<String>,
}

/// A clip's bytes, or the range of them that is asked for.
#[utoipa::path(get, path = "/api/media/{id}/video", params(("id" = i64, Path), How), responses(
    (status = 200, description = "All bytes", content((Vec<u8> = "video/*"), (Vec<u8> = "image/*"), (Vec<u8> = "application/octet-stream"))),
    (status = 206, description = "The bytes of `Range`", content((Vec<u8> = "video/*"), (Vec<u8> = "image/*"), (Vec<u8> = "application/octet-stream"))),
    (status = 304, description = "`If-None-Match` names it"), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 416, description = "No byte is in `Range`"),
    (status = 503, body = Problem)))]
pub(super) async fn video(
    State(reader): State<Arc<Reader>>,
    lasting: Lasting,
    Named(id): Named,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let clip = find(&reader, lasting.visitor(), &id).await?;
    let how: How = query::parameters(&uri)?;
    let opened = open(&reader, &clip).await?;
    let media_type = type_of(&reader, &opened).await?;
    let etag = format!("\"{}\"", clip.sha256);
    let mut response = Response::new(Body::empty());
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    set.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    insert(set, header::ETAG, &etag);
    if how.download.is_some() || !media_type::shown(media_type) {
        let named = format!("attachment; filename=\"{}\"", file_name(&clip, media_type));
        insert(set, header::CONTENT_DISPOSITION, &named);
    }
    if let Some(part) = part(&headers, &etag, clip.size_bytes, &mut response) {
        let length = (part.end - part.start).to_string();
        insert(response.headers_mut(), header::CONTENT_LENGTH, &length);
        if method != Method::HEAD {
            let device_id = clip.device_id;
            *response.body_mut() = bytes(reader, opened, part, (lasting, device_id));
        }
    }
    Ok(response)
}

/// Which bytes are asked for, with the status and the header that say so; `None` when none are sent.
fn part(headers: &HeaderMap, etag: &str, length: u64, response: &mut Response) -> Option<Range<u64>> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let names_it = |known: &str| {
        known
            .split(',')
            .map(str::trim)
            .any(|known| known == etag || known == "*")
    };
    if text(header::IF_NONE_MATCH).is_some_and(names_it) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return None;
    }
    // A range of another version would be a wrong one.
    let is_same = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let (status, range, part) = match range::wanted(text(header::RANGE).filter(|_| is_same), length) {
        Wanted::Whole => return Some(0..length),
        Wanted::Part(part) => (
            StatusCode::PARTIAL_CONTENT,
            format!("bytes {}-{}/{length}", part.start, part.end - 1),
            Some(part),
        ),
        Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, format!("bytes */{length}"), None),
    };
    *response.status_mut() = status;
    insert(response.headers_mut(), header::CONTENT_RANGE, &range);
    part
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Letters, digits and dashes alone: names and dates come from devices.
fn file_name(clip: &ClipRow, media_type: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
            .collect()
    };
    let moment = clip.moment.get(..19).unwrap_or_default();
    let ending = media_type::extension(Some(media_type));
    format!("{}-{}-{}.{ending}", plain(&clip.device_id), plain(moment), clip.id)
}

/// Read as fast as the browser takes it: a paused player holds a piece, no thread and no file. The pieces grow, where that
/// helps: who seeks reads little, who goes on gets more at a time.
fn bytes(reader: Arc<Reader>, clip: OpenClip, part: Range<u64>, of: (Lasting, String)) -> Body {
    Body::from_stream(stream::try_unfold(
        (reader, clip, part, PIECE, of),
        |(reader, clip, part, most, mut of)| async move {
            if part.is_empty() {
                return Ok(None);
            }
            if !of.0.still().await.is_some_and(|visitor| visitor.sees(&of.1)) {
                return Err(StoreError::Unavailable(format!(
                    "{}: its reader may see it no more",
                    clip.name
                )));
            }
            let length = usize::try_from(part.end - part.start).unwrap_or(most).min(most);
            let piece = reader.store.read_clip(&clip, part.start, length).await?;
            if piece.is_empty() {
                // Shorter than its row says: the browser must not take what came for all of it.
                return Err(StoreError::Unavailable(format!(
                    "{}: shorter than its row says",
                    clip.name
                )));
            }
            let rest = part.start + piece.len() as u64..part.end;
            let more = (most * 2).min(reader.store.read_most());
            Ok(Some((Bytes::from(piece), (reader, clip, rest, more, of))))
        },
    ))
}

/// Whether a clip is pinned.
#[derive(Deserialize, ToSchema)]
pub(super) struct Pin {
    pinned: bool,
}

/// Keeps a clip whatever its age, or no more. Admins alone.
#[utoipa::path(put, path = "/api/media/{id}/pin", params(("id" = i64, Path)), request_body = Pin, responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 408, body = Problem),
    (status = 413, body = Problem, description = "A body of more than 16 KB"), (status = 503, body = Problem)))]
pub(super) async fn pin(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    Named(id): Named,
    said: Said,
) -> Result<Response, Refusal> {
    visitor.admin()?;
    let clip = find(&reader, &visitor, &id).await?;
    let Pin { pinned } = said.json()?;
    reader.desk.pin(clip.id, pinned).await.map_err(Refusal::unavailable)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
