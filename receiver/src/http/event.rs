//! `POST /api/evenements`.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;

use super::body::{self, Pieces};
use super::{App, Owner, Preface};
use crate::answer::{Refusal, Stored};
use crate::decode::Decoder;
use crate::event::{FIELDS_MOST, Fields};
use crate::media::refused;
use crate::store::{Store, Table};

pub async fn post<S: Store>(
    State(app): State<Arc<App<S>>>,
    Extension(owner): Extension<Owner>,
    request: Request,
) -> Response {
    let preface = match super::preface(&app, Table::Event, owner, request.headers()).await {
        Ok(preface) => preface,
        Err(answer) => return body::spare(request, answer),
    };
    let mut pieces = Pieces::new(&app.config, request.into_body());
    match store(&app, preface, &mut pieces).await {
        Ok(stored) => pieces.answer(stored),
        Err(refusal) => pieces.answer(refusal),
    }
}

async fn store<S: Store>(app: &App<S>, preface: Preface, pieces: &mut Pieces) -> Result<Stored, Refusal> {
    let mut decoder = Decoder::new(preface.encoding.as_deref(), Limited(Vec::new())).map_err(Refusal::unwell)?;
    while let Some(piece) = pieces.next().await? {
        decoder.push(&piece).map_err(body::refusal)?;
    }
    let text = decoder.finish().map_err(body::refusal)?.0;
    let fields = Fields::of_event(&text)?;
    preface.check_device(&fields.device_id)?;
    app.store.add_event(fields, preface.key).await.map_err(Refusal::unwell)
}

/// A buffer that takes no more than an event may be long.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > FIELDS_MOST {
            let reason = format!("corps de plus de {FIELDS_MOST} octets");
            return Err(refused(Refusal::too_long(reason)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
