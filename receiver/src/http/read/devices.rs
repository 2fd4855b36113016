//! `GET /api/devices`: every device with its state, worst first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use sync_protocol::status::Status;
use utoipa::{IntoParams, ToSchema};

use super::named::Named;
use super::shapes::Problem;
use super::visitor::Visitor;
use super::{Reader, query};
use crate::answer::Refusal;
use crate::device_state::{STATES, State as DeviceState, states};
use crate::known_devices::Known;
use crate::people::now_s;
use crate::store::reading::Backlog;

/// Hours whose backlog is told, and their seconds.
const HOURS: usize = 24;
const DAY_S: i64 = 86_400;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// A part of the name, in any case.
    q: Option<String>,
    /// Only devices whose worst state this is.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Devices at most: 1 to 1000, 50 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// A device and what it said of itself. What it did not say is null.
#[derive(Serialize, ToSchema)]
pub(super) struct Device {
    device_id: String,
    /// What holds, worst first: `silent`, `disk_low`, `backlog`, `clock_off`, `late`, `new`, `ok`.
    states: Vec<&'static str>,
    /// When anything last came from it, UTC.
    #[schema(format = DateTime)]
    last_sign: Option<String>,
    /// Seconds between its passes.
    interval_s: Option<i64>,
    /// Rows that wait on it.
    waiting: Option<u64>,
    /// Seconds that the oldest of them has waited.
    oldest_waiting_s: Option<i64>,
    disk_free_percent: Option<f64>,
    /// Seconds that its clock is ahead.
    clock_off_s: Option<i64>,
    /// Seconds that its local time, which its dates are in, is ahead of UTC.
    utc_offset_s: Option<i32>,
    version: Option<String>,
    /// Most rows that waited in each of the last 24 hours, the last one now; null where it said nothing.
    backlog_day: Vec<Option<u64>>,
}

/// How many devices are in each state, as their worst.
#[derive(Serialize, ToSchema, Default)]
pub(super) struct Counts {
    silent: u64,
    disk_low: u64,
    backlog: u64,
    clock_off: u64,
    late: u64,
    new: u64,
    ok: u64,
}

/// A page of devices.
#[derive(Serialize, ToSchema)]
pub(super) struct DevicePage {
    devices: Vec<Device>,
    /// Of all devices that one sees.
    counts: Counts,
    /// Devices that fit `q` and `state`.
    total: u64,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// The worst of each hour's quarters, the last hour being the one that goes on.
fn by_hour(backlog: &[Backlog], now_s: i64) -> Vec<Option<u64>> {
    let mut hours = vec![None; HOURS];
    for Backlog { quarter_s, rows } in backlog {
        let ago = usize::try_from((now_s - quarter_s) / 3600).unwrap_or(0);
        if let Some(hour) = HOURS.checked_sub(ago + 1).and_then(|index| hours.get_mut(index)) {
            *hour = (*hour).max(Some(*rows));
        }
    }
    hours
}

impl Device {
    fn new(known: &Known, backlog: &[Backlog], now_s: i64) -> Self {
        let (facts, status) = (&known.facts, known.status.as_ref());
        let backlog_now = |status: &Status| {
            let tables = &status.tables;
            tables.evenement.backlog().saturating_add(tables.media.backlog())
        };
        Self {
            device_id: known.device_id.clone(),
            states: states(facts, now_s).iter().map(|state| state.name()).collect(),
            last_sign: facts.last_sign_s.and_then(utc),
            interval_s: facts.interval_s,
            waiting: status.map(backlog_now),
            oldest_waiting_s: facts.oldest_waiting_s,
            disk_free_percent: facts.disk_free_percent,
            clock_off_s: facts.clock_off_s,
            utc_offset_s: status.and_then(|status| status.utc_offset_s),
            version: status
                .map(|status| status.program_version.clone())
                .filter(|version| !version.is_empty()),
            backlog_day: by_hour(backlog, now_s),
        }
    }
}

pub(super) fn utc(seconds: i64) -> Option<String> {
    let time = DateTime::from_timestamp(seconds, 0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl Counts {
    fn count(&mut self, state: DeviceState) {
        let place = match state {
            DeviceState::Silent => &mut self.silent,
            DeviceState::DiskLow => &mut self.disk_low,
            DeviceState::Backlog => &mut self.backlog,
            DeviceState::ClockOff => &mut self.clock_off,
            DeviceState::Late => &mut self.late,
            DeviceState::New => &mut self.new,
            DeviceState::Ok => &mut self.ok,
        };
        *place += 1;
    }
}

/// The devices that one sees, worst first, then by name.
#[utoipa::path(get, path = "/api/devices", params(Which), responses(
    (status = 200, body = DevicePage), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 503, body = Problem)))]
pub(super) async fn list(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Json<DevicePage>, Refusal> {
    let which: Which = query::parameters(&uri)?;
    let limit = query::limit(which.limit)? as usize;
    let state = match query::given(which.state.as_deref()) {
        None => None,
        Some(name) => Some(DeviceState::of(&name).ok_or_else(|| Refusal::bad("state: état inconnu"))?),
    };
    let wanted = which.q.unwrap_or_default().to_lowercase();
    let after = query::given(which.cursor.as_deref()).map(|text| place(&text));
    let after = after
        .map(|place| place.ok_or_else(|| Refusal::bad("cursor: pas un curseur de cette liste")))
        .transpose()?;

    let all = reader.devices.all(&*reader.desk).await.map_err(Refusal::unavailable)?;
    let now = now_s();
    let mut counts = Counts::default();
    let mut found = Vec::new();
    for known in all.iter().filter(|known| visitor.sees(&known.device_id)) {
        let worst = states(&known.facts, now).first().copied().unwrap_or(DeviceState::Ok);
        counts.count(worst);
        let is_named = wanted.is_empty() || known.device_id.to_lowercase().contains(&wanted);
        if is_named && state.is_none_or(|state| state == worst) {
            found.push((worst.rank(), known));
        }
    }
    let total = found.len() as u64;
    let (found, next) = page(found, after, limit);
    let names = found.iter().map(|(_, known)| known.device_id.clone()).collect();
    let backlogs = reader
        .desk
        .backlogs(names, now - DAY_S)
        .await
        .map_err(Refusal::unavailable)?;
    let devices = found.into_iter().zip(&backlogs);
    Ok(Json(DevicePage {
        devices: devices
            .map(|((_, known), backlog)| Device::new(known, backlog, now))
            .collect(),
        counts,
        total,
        next,
    }))
}

/// The devices of a page, each with the rank of its state, and where the next page begins.
fn page(
    mut found: Vec<(usize, &Known)>,
    after: Option<(usize, String)>,
    limit: usize,
) -> (Vec<(usize, &Known)>, Option<String>) {
    if let Some((rank, device)) = after {
        found.retain(|one| (one.0, one.1.device_id.as_str()) > (rank, device.as_str()));
    }
    // The page's devices alone are put in order.
    let more = found.len() > limit;
    if more {
        found.select_nth_unstable_by(limit, |one, other| {
            (one.0, &one.1.device_id).cmp(&(other.0, &other.1.device_id))
        });
        found.truncate(limit);
    }
    found.sort_by(|one, other| (one.0, &one.1.device_id).cmp(&(other.0, &other.1.device_id)));
    let next = found
        .last()
        .filter(|_| more)
        .map(|(rank, known)| format!("{rank}~{}", known.device_id));
    (found, next)
}

fn place(text: &str) -> Option<(usize, String)> {
    let (rank, device) = text.split_once('~')?;
    let rank = rank.parse().ok().filter(|rank| *rank < STATES.len())?;
    Some((rank, device.to_string()))
}

/// One device.
#[utoipa::path(get, path = "/api/devices/{device_id}", params(("device_id" = String, Path)), responses(
    (status = 200, body = Device), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 503, body = Problem)))]
pub(super) async fn one(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    Named(device_id): Named,
) -> Result<Json<Device>, Refusal> {
    let nothing = || Refusal::new(StatusCode::NOT_FOUND, "appareil inconnu");
    if !visitor.sees(&device_id) {
        return Err(nothing());
    }
    let row = reader
        .desk
        .device(device_id)
        .await
        .map_err(Refusal::unavailable)?
        .ok_or_else(nothing)?;
    let now = now_s();
    let names = vec![row.device_id.clone()];
    let backlogs = reader
        .desk
        .backlogs(names, now - DAY_S)
        .await
        .map_err(Refusal::unavailable)?;
    let backlog = backlogs.first().map_or(&[][..], Vec::as_slice);
    Ok(Json(Device::new(&Known::new(row), backlog, now)))
}
