//! Events: one alone the plain way, several in a batch where the receiver takes that.

use std::borrow::Cow;

use hyper::Method;
use sync_protocol::Extension;
use sync_protocol::batch::{self, Answer, Entry};

use super::Device;
use super::pass::Tried;
use crate::network::{Ask, Pieces};
use crate::run::{Run, Table};
use crate::stats::Kind;
use crate::wire::{self, Meaning};

/// Rows of the first batch, and of the largest: it doubles between them, as the uploader's does on a good card.
pub(super) const BATCH_ROWS_FIRST: usize = 125;
const BATCH_ROWS_MOST: usize = 500;

impl Device {
    pub(super) async fn try_events(&mut self) -> Tried {
        if self.events.len() > 1 && self.line.has(Extension::Batch) {
            self.try_batch().await
        } else {
            self.try_event().await
        }
    }

    async fn try_event(&mut self) -> Tried {
        let Some(row) = self.events.front() else {
            return Tried::Settled;
        };
        let unix_s = self.unix_s(row.number);
        let ask = event_ask(&self.run, self.number, &self.name.id, row.number, unix_s);
        match self.line.ask(Kind::Event, ask).await {
            Ok(answer) => self.book_answer(Table::Events, Kind::Event, &answer),
            Err(trouble) => trouble.into(),
        }
    }

    async fn try_batch(&mut self) -> Tried {
        let sensor = self.run.sensor(Table::Events);
        let rows = self.events.iter().take(self.batch_rows);
        let entries: Vec<_> = rows
            .map(|row| Entry {
                key: Cow::Owned(self.run.key(Table::Events, self.number, row.number)),
                evenement: wire::event(self.unix_s(row.number), row.number, &sensor, &self.name.id),
            })
            .collect();
        let ask = Ask {
            method: Method::POST,
            path: batch::PATH.to_string(),
            headers: vec![wire::json_type()],
            body: Pieces::from(wire::json(&entries)),
            patience: wire::BATCH,
        };
        let sent = entries.len();
        let answer = match self.line.ask(Kind::Batch, ask).await {
            Ok(answer) => answer,
            Err(trouble) => return trouble.into(),
        };
        let results = serde_json::from_slice::<Answer>(&answer.body).map(|answer| answer.results);
        match results {
            Ok(results) if answer.status.is_success() && results.len() == sent => {
                for result in results {
                    let meaning = result.id.map_or(Meaning::Refused, Meaning::Stored);
                    if meaning == Meaning::Refused {
                        let said = format!("200, and in it a row {}", result.status);
                        self.run.stats().odd(Kind::Batch, &said);
                    }
                    self.book(Table::Events, Kind::Batch, meaning);
                }
                self.batch_rows = (self.batch_rows * 2).min(BATCH_ROWS_MOST);
                Tried::Settled
            }
            _ if answer.status.is_success() => {
                self.run.stats().odd(Kind::Batch, "not as many results as rows");
                Tried::Unwell(None)
            }
            _ => match answer.meaning() {
                Meaning::Unwell(wish) => Tried::Unwell(wish),
                Meaning::Stored(_) | Meaning::Refused => Tried::Unwell(None),
            },
        }
    }

    fn unix_s(&self, number: u32) -> i64 {
        let entry = self.lived.ledger.events.get(number as usize);
        entry.map_or(0, |entry| entry.unix_s)
    }
}

/// The request of one event.
pub(crate) fn event_ask(run: &Run, device: u32, name: &str, number: u32, unix_s: i64) -> Ask {
    let sensor = run.sensor(Table::Events);
    let event = wire::event(unix_s, number, &sensor, name);
    Ask {
        method: Method::POST,
        path: Table::Events.path().to_string(),
        headers: vec![
            wire::json_type(),
            wire::key_header(&run.key(Table::Events, device, number)),
        ],
        body: Pieces::from(wire::json(&event)),
        patience: wire::SMALL,
    }
}
