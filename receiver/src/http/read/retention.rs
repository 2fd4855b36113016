//! `GET /api/retention`: how long things are kept, what was removed and why, and what stands in the way.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reader;
use super::devices::utc;
use super::shapes::Problem;
use super::visitor::Visitor;
use crate::answer::Refusal;
use crate::config::Keep;
use crate::store::Kind;
use crate::store::people::Role;
use crate::store::upkeep::{Removal, Trouble};

/// Lines that are told.
const LINES_MOST: u32 = 1000;

/// How long, and how much, is kept; null: for ever, any amount.
#[derive(Serialize, ToSchema)]
pub(super) struct Kept {
    clips_days: Option<u64>,
    clips_bytes: Option<u64>,
    events_days: Option<u64>,
    receipts_days: Option<u64>,
}

/// What stands in the way of a removal.
#[derive(Serialize, ToSchema)]
pub(super) struct InTheWay {
    #[schema(format = DateTime)]
    since: Option<String>,
    /// When it was tried last.
    #[schema(format = DateTime)]
    last: Option<String>,
    /// What the system says; for admins.
    error: Option<String>,
}

/// What was removed of a device on a day.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {
    /// UTC.
    #[schema(format = Date)]
    day: String,
    device_id: String,
    /// `media` or `evenement`.
    kind: &'static str,
    /// `age`: older than what is kept; `space`: more than what is kept.
    reason: &'static str,
    rows: u64,
    bytes: u64,
    /// When the first and the last of them had come.
    #[schema(format = DateTime)]
    oldest: String,
    #[schema(format = DateTime)]
    newest: String,
}

/// What is kept and what was removed.
#[derive(Serialize, ToSchema)]
pub(super) struct Retention {
    keep: Kept,
    trouble: Option<InTheWay>,
    /// Newest day first, of the devices that one sees.
    items: Vec<Removed>,
}

impl From<Keep> for Kept {
    fn from(keep: Keep) -> Self {
        Self {
            clips_days: keep.clips_days,
            clips_bytes: keep.clips_bytes,
            events_days: keep.events_days,
            receipts_days: keep.receipts_days,
        }
    }
}

impl InTheWay {
    /// Where our files are is for admins alone.
    fn new(trouble: Trouble, role: Role) -> Self {
        Self {
            since: utc(trouble.since_s),
            last: utc(trouble.last_s),
            error: (role == Role::Admin).then_some(trouble.reason),
        }
    }
}

impl From<Removal> for Removed {
    fn from(removal: Removal) -> Self {
        Self {
            day: removal.day,
            device_id: removal.device_id,
            kind: match removal.kind {
                Kind::Event => "evenement",
                Kind::Clip => "media",
            },
            reason: removal.reason.name(),
            rows: removal.rows,
            bytes: removal.bytes,
            oldest: removal.oldest,
            newest: removal.newest,
        }
    }
}

/// What is kept and for how long, what was removed in the last 90 days and why, and what can't be removed.
#[utoipa::path(get, path = "/api/retention", responses(
    (status = 200, body = Retention), (status = 401, body = Problem), (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn tell(State(reader): State<Arc<Reader>>, visitor: Visitor) -> Result<Json<Retention>, Refusal> {
    let trouble = reader.desk.trouble().await.map_err(Refusal::unavailable)?;
    let visible = visitor.person.devices.clone();
    let removals = reader
        .desk
        .removals(visible, LINES_MOST)
        .await
        .map_err(Refusal::unavailable)?;
    Ok(Json(Retention {
        keep: reader.keep.into(),
        trouble: trouble.map(|trouble| InTheWay::new(trouble, visitor.person.role)),
        items: removals.into_iter().map(Removed::from).collect(),
    }))
}
