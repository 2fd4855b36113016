//! The part of an address that names something.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::answer::Refusal;

/// A name in an address. Bytes that are no text name nothing.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        let unknown = |_| Refusal::new(StatusCode::NOT_FOUND, format!("{}: inconnu", parts.uri.path()));
        read.map(|Path(name)| Self(name)).map_err(unknown)
    }
}
