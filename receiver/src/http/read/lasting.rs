//! Answers that last: whom they go to is asked again now and then.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::Instant;

use super::Reader;
use super::visitor::{NoVisitor, Visitor, who};
use super::whence::Hop;

/// How often it is asked whether the person may still read.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// A person who is told something for as long as they may be.
pub(super) struct Lasting {
    reader: Arc<Reader>,
    headers: HeaderMap,
    hop: Hop,
    visitor: Visitor,
    /// Their session could not be prolonged when this began.
    is_put_off: bool,
    checked: Instant,
}

impl FromRequestParts<Arc<Reader>> for Lasting {
    type Rejection = NoVisitor;

    async fn from_request_parts(parts: &mut Parts, reader: &Arc<Reader>) -> Result<Self, NoVisitor> {
        let visitor = Visitor::from_request_parts(parts, reader).await?;
        Ok(Self {
            reader: Arc::clone(reader),
            headers: parts.headers.clone(),
            hop: Hop::of(parts),
            is_put_off: visitor.is_due,
            visitor: Visitor {
                is_due: false,
                ..visitor
            },
            checked: Instant::now(),
        })
    }
}

impl Lasting {
    /// As they were when it was last asked.
    pub(super) fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// As they are, a few seconds ago at most; `None` when they may read no more. A database that does not answer takes nothing
    /// from anybody.
    pub(super) async fn still(&mut self) -> Option<&Visitor> {
        if self.checked.elapsed() >= ASK_EVERY {
            self.checked = Instant::now();
            match who(&self.reader, &self.headers, self.hop).await {
                Ok(visitor) => {
                    let is_due = visitor.is_due && !self.is_put_off;
                    self.visitor = Visitor { is_due, ..visitor };
                }
                Err(NoVisitor::Unwell(error)) => log::warn!("{error}"),
                Err(_) => return None,
            }
        }
        Some(&self.visitor)
    }
}
