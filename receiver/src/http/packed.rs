//! Lists packed with gzip for browsers: a day of events is a megabyte of JSON, and a tenth of that on the wire.

use std::io::Write;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

use super::assets::takes_gzip;

/// Below this packing gains nothing: it fits in one or two packets.
const WORTH_BYTES: u64 = 2_000;

/// Packs an answer in JSON whose length is known. Streams, video and what answers a change go as they are.
pub(super) async fn pack(request: Request, next: Next) -> Response {
    let wanted = request.method() == Method::GET && takes_gzip(request.headers());
    let response = next.run(request).await;
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts
        .headers
        .append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted || body.size_hint().exact().is_none_or(|bytes| bytes < WORTH_BYTES) {
        return Response::from_parts(parts, body);
    }
    // A body whose length is known is whole already.
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Response::from_parts(parts, Body::empty());
    };
    let unpacked = plain.clone();
    let packed = tokio::task::spawn_blocking(move || {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&plain).and_then(|()| packer.finish())
    });
    let Ok(Ok(packed)) = packed.await else {
        return Response::from_parts(parts, Body::from(unpacked));
    };
    parts
        .headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}
