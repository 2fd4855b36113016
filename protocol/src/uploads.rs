//! Clips that go on after a break: tus 1.0.0 (<https://tus.io/protocols/resumable-upload>), and what is promised on top.
//!
//! A `POST` with [`crate::KEY_HEADER`] may be repeated. Its answer is 201 with the contract's object when the clip is
//! stored: the body with its `id` says so, whatever headers are there. Else it is 201 with `Location`, [`OFFSET_HEADER`]
//! and [`DIGEST_HEADER`] of the bytes that are there, and a body that came along was taken only if there was no such
//! upload before. Names of headers are in lower case.

/// Where uploads are created, below the backend's address.
pub const PATH: &str = "/api/media/uploads";

/// The version of the protocol, in every request and answer.
pub const VERSION: &str = "1.0.0";

/// The header with [`VERSION`].
pub const VERSION_HEADER: &str = "tus-resumable";

/// Bytes of the whole video.
pub const LENGTH_HEADER: &str = "upload-length";

/// Bytes that are there; of a `PATCH`, where it goes on.
pub const OFFSET_HEADER: &str = "upload-offset";

/// Names with values in base64, of which [`MEDIA`] is one.
pub const METADATA_HEADER: &str = "upload-metadata";

/// The contract's object without `video_data`.
pub const MEDIA: &str = "media";

/// Until when an upload that nobody continues is kept.
pub const EXPIRES_HEADER: &str = "upload-expires";

/// Name of an algorithm and, in base64, what it makes of the bytes of one request.
pub const CHECKSUM_HEADER: &str = "upload-checksum";

/// `sha-256=:…:` of the bytes that are there (RFC 9530).
pub const DIGEST_HEADER: &str = "repr-digest";

/// `Content-Type` of bytes of a video.
pub const CONTENT_TYPE: &str = "application/offset+octet-stream";

/// Status of a request whose bytes are not those of its [`CHECKSUM_HEADER`].
pub const CHECKSUM_MISMATCH: u16 = 460;

/// Days that an upload is kept which nobody continues.
pub const KEPT_DAYS: u32 = 7;
