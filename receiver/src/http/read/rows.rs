//! `GET /api/evenements`, `/api/media`, `/api/hours`, and events as CSV.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Reader;
use super::lasting::Lasting;
use super::query::{self, Which, cursor};
use super::shapes::{Clips, Events, Problem};
use super::visitor::{NoVisitor, Visitor, let_in};
use crate::answer::Refusal;
use crate::http::{headers, unauthorized};
use crate::record::Scalar;
use crate::store::StoreError;
use crate::store::reading::{EventRow, Filter, HourRow, Place, Slice};

/// Rows of the CSV that are read at a time.
const CSV_PAGE: u32 = 1000;

/// The person who reads, on a path where devices write: one of those asks here, without storing anything, whether its
/// token is good, and is answered as before there was something to read.
async fn reader_of(reader: &Reader, parts: &Parts) -> Result<Visitor, Response> {
    let refused = match let_in(reader, parts).await {
        Ok(visitor) => return Ok(visitor),
        Err(refused) => refused,
    };
    let is_browser = parts.headers.contains_key(header::COOKIE);
    let is_nobody = matches!(refused, NoVisitor::SignIn | NoVisitor::NoPeople);
    if !(matches!(refused, NoVisitor::Device) || is_nobody && !is_browser) {
        return Err(refused.into_response());
    }
    Err(match reader.access.owner(headers::token(&parts.headers)).await {
        Err(refusal) => unauthorized(refusal),
        Ok(_) => {
            let refusal = Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET n'est pas accepté ici: seule une personne connectée lit",
            );
            (refusal.status, [(header::ALLOW, "POST")], refusal).into_response()
        }
    })
}

/// A page of events.
#[utoipa::path(get, path = "/api/evenements", params(Which), responses(
    (status = 200, body = Events), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 405, body = Problem, description = "A device asks"), (status = 503, body = Problem)))]
pub(super) async fn events(State(reader): State<Arc<Reader>>, parts: Parts) -> Result<Json<Events>, Response> {
    let visitor = reader_of(&reader, &parts).await?;
    let page = async {
        let which: Which = query::parameters(&parts.uri)?;
        let (filter, slice) = (which.filter(&visitor)?, which.slice()?);
        let limit = slice.limit as usize;
        let rows = reader.desk.events(filter, slice).await.map_err(Refusal::unavailable)?;
        let next = rows
            .last()
            .filter(|_| rows.len() == limit)
            .map(|row| cursor(&row.moment, row.id));
        Ok(Json(Events::new(rows, next)))
    };
    page.await.map_err(Refusal::into_response)
}

/// A page of clips.
#[utoipa::path(get, path = "/api/media", params(Which), responses(
    (status = 200, body = Clips), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 405, body = Problem, description = "A device asks"), (status = 503, body = Problem)))]
pub(super) async fn clips(State(reader): State<Arc<Reader>>, parts: Parts) -> Result<Json<Clips>, Response> {
    let visitor = reader_of(&reader, &parts).await?;
    let page = async {
        let which: Which = query::parameters(&parts.uri)?;
        let (filter, slice) = (which.filter(&visitor)?, which.slice()?);
        let limit = slice.limit as usize;
        let rows = reader.desk.clips(filter, slice).await.map_err(Refusal::unavailable)?;
        let next = rows
            .last()
            .filter(|_| rows.len() == limit)
            .map(|row| cursor(&row.moment, row.id));
        Ok(Json(Clips::new(rows, next)))
    };
    page.await.map_err(Refusal::into_response)
}

/// Which day.
#[derive(Debug, serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichDay {
    /// The day by the devices' clocks: `2025-12-18`.
    #[param(pattern = r"^\d{4}-\d\d-\d\d$")]
    day: String,
    /// A `device_id`.
    device: Option<String>,
    /// A sensor's name, or its id where it has none.
    sensor: Option<String>,
    /// A `numero_camera`: of clips alone.
    camera: Option<String>,
}

/// Rows of an hour.
#[derive(Serialize, ToSchema)]
pub(super) struct Hour {
    events: u64,
    clips: u64,
}

/// A day by the hour.
#[derive(Serialize, ToSchema)]
pub(super) struct Hours {
    /// From midnight on, 24 of them.
    hours: Vec<Hour>,
}

/// How many events and clips each hour of a day has.
#[utoipa::path(get, path = "/api/hours", params(WhichDay), responses(
    (status = 200, body = Hours), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 503, body = Problem)))]
pub(super) async fn hours(
    State(reader): State<Arc<Reader>>,
    visitor: Visitor,
    uri: Uri,
) -> Result<Json<Hours>, Refusal> {
    let which: WhichDay = query::parameters(&uri)?;
    if !query::is_day(&which.day) {
        return Err(Refusal::bad("day: un jour comme 2025-12-18 est attendu"));
    }
    let filter = Filter {
        from: Some(which.day.clone()),
        // After every moment of the day, before the next day's first.
        to: Some(format!("{}~", which.day)),
        device: query::given(which.device.as_deref()),
        sensor: query::given(which.sensor.as_deref()),
        camera: query::given(which.camera.as_deref()),
        visible: visitor.person.devices,
    };
    let rows = reader.desk.hours(filter).await.map_err(Refusal::unavailable)?;
    let hours = rows.map(|HourRow { events, clips }| Hour { events, clips }).into();
    Ok(Json(Hours { hours }))
}

/// Events as comma-separated values, newest first; `limit` and `cursor` mean nothing here.
#[utoipa::path(get, path = "/api/evenements.csv", params(Which), responses(
    (status = 200, body = String, content_type = "text/csv"), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn csv(State(reader): State<Arc<Reader>>, lasting: Lasting, uri: Uri) -> Result<Response, Refusal> {
    let which: Which = query::parameters(&uri)?;
    let filter = which.filter(lasting.visitor())?;
    let slice = Slice {
        after: None,
        limit: CSV_PAGE,
        ..which.slice()?
    };
    // The first page before the answer begins: trouble that is there already has its status.
    let first = reader
        .desk
        .events(filter.clone(), slice.clone())
        .await
        .map_err(Refusal::unavailable)?;
    let lines = stream::try_unfold((Some(first), true, lasting), move |(page, is_first, mut lasting)| {
        let (reader, filter, slice) = (Arc::clone(&reader), filter.clone(), slice.clone());
        async move {
            let Some(rows) = page else { return Ok(None) };
            let mut text = if is_first {
                "id,date,capteur_id,capteur_nom,capteur_etat,device_id,received_at\r\n".to_string()
            } else {
                String::new()
            };
            rows.iter().for_each(|row| line(&mut text, row));
            let next = match rows.last() {
                Some(last) if rows.len() == CSV_PAGE as usize => {
                    Some(page_after(last, &reader, filter, slice, &mut lasting).await?)
                }
                _ => None,
            };
            Ok::<_, StoreError>(Some((Bytes::from(text), (next, false, lasting))))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"evenements.csv\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The events after `last`, of the devices that its reader may see now.
async fn page_after(
    last: &EventRow,
    reader: &Reader,
    filter: Filter,
    slice: Slice,
    lasting: &mut Lasting,
) -> Result<Vec<EventRow>, StoreError> {
    let Some(visitor) = lasting.still().await else {
        return Err(StoreError::Unavailable(
            "CSV: its reader may see it no more".to_string(),
        ));
    };
    let filter = Filter {
        visible: visitor.person.devices.clone(),
        ..filter
    };
    let after = Some(Place {
        moment: last.moment.clone(),
        id: last.id,
    });
    reader.desk.events(filter, Slice { after, ..slice }).await
}

fn line(text: &mut String, row: &EventRow) {
    let field = |scalar: &Scalar| match scalar {
        Scalar::Null => String::new(),
        Scalar::Integer(integer) => integer.to_string(),
        Scalar::Real(real) => real.to_string(),
        Scalar::Text(text) => quoted(text),
    };
    let fields = [
        row.id.to_string(),
        field(&row.date),
        field(&row.sensor_id),
        field(&row.sensor_name),
        field(&row.sensor_state),
        quoted(&row.device_id),
        row.received_at.clone(),
    ];
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// A text as a field. One that a spreadsheet would take for a formula gets an apostrophe in front: names come from
/// devices.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_string();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_no_formula_and_breaks_no_line() {
        assert_eq!(quoted("PIR Entrée"), "PIR Entrée");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
