//! How a device is: said after a pass, never again when it is not heard.

use std::time::Instant;

use hyper::Method;
use sync_protocol::status::{self, Disk, Rows, Service, Status, Tables};

use super::{Device, Entry};
use crate::network::{Ask, Pieces};
use crate::stats::Kind;
use crate::wire;

impl Device {
    pub(super) async fn tell_status(&mut self, due: Instant) {
        let ask = Ask {
            method: Method::PUT,
            path: status::path(&self.name.id),
            headers: vec![wire::json_type()],
            body: Pieces::from(wire::json(&self.status())),
            patience: wire::STATUS,
        };
        // A refusal is counted; the next status says the same.
        let told = self.line.ask(Kind::Status, ask).await;
        if told.is_ok_and(|answer| answer.status.is_success()) {
            self.run.stats().through(Kind::Status, self.late_since(due));
        }
    }

    fn status(&self) -> Status {
        let now_s = self.run.unix_s(Instant::now());
        let rows = |entries: &[Entry], waiting: usize| Rows {
            waiting: waiting as u64,
            done: (entries.len() - waiting.min(entries.len())) as u64,
            ..Rows::default()
        };
        let ledger = &self.lived.ledger;
        Status {
            version: 1,
            service: Some(Service {
                mode: "realtime".to_string(),
                interval_s: Some(self.run.plan.interval.as_secs_f64()),
                last_pass: Some(now_s),
                ..Service::default()
            }),
            tables: Tables {
                evenement: rows(&ledger.events, self.events.len()),
                media: rows(&ledger.clips, self.clips.len()),
            },
            program_version: env!("CARGO_PKG_VERSION").to_string(),
            uptime_s: self.run.begun.elapsed().as_secs(),
            disk: Some(Disk {
                free_bytes: 20_000_000_000,
                total_bytes: 32_000_000_000,
            }),
            clock_unix_ms: now_s * 1_000,
            utc_offset_s: Some(0),
            backend: self.line.url(),
        }
    }
}
