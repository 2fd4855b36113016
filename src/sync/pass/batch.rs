//! Events that are sent together, where the backend takes them so: one request, and one commit for what arrived.

use std::time::Duration;

use crate::device::{Due, Outcome, Record};
use crate::local_time;
use crate::notice::Notice;
use crate::row::{Event, Table};
use crate::upload::{BatchVerdict, Verdict};

use super::super::policy;
use super::{PassError, Running};

/// How many rows go together, and whether any do in this pass.
pub(super) struct Batching {
    /// A batch failed as a whole: for the rest of the pass each row speaks for itself.
    given_up: bool,
    rows: usize,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            given_up: false,
            rows: policy::BATCH_ROWS_FIRST,
        }
    }
}

/// A row that is at the server.
pub(super) struct Arrived {
    pub(super) id: i64,
    pub(super) remote_id: i64,
    /// Of a clip.
    pub(super) bytes: u64,
}

impl Batching {
    /// How many results go into one commit.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Learns from the time that the last commit took: its write lock is short on any card.
    fn learn(&mut self, commit: Duration) {
        if commit > policy::BATCH_COMMIT {
            self.rows = (self.rows / 2).max(policy::BATCH_ROWS_LEAST);
        } else if commit < policy::BATCH_COMMIT / 2 {
            self.rows = (self.rows * 2).min(policy::BATCH_ROWS_MOST);
        }
    }
}

impl Running<'_, '_> {
    /// Sends a page of events, in batches where the backend takes them; returns how many rows it came to. A row alone
    /// goes the plain way.
    pub(super) fn events(&mut self, page: &[Due], deprioritized: bool) -> Result<u64, PassError> {
        let mut left = page;
        while !left.is_empty() && !self.ended() {
            let batched = !deprioritized && !self.batching.given_up && self.pass.wire.takes_batches();
            let (now, later) = left.split_at(if batched { left.len().min(self.batching.rows) } else { 1 });
            match now {
                [row] => self.row(Table::Event, row)?,
                rows => self.batch(rows)?,
            }
            left = later;
        }
        Ok((page.len() - left.len()) as u64)
    }

    /// Sends rows together, as often as it takes; what can't go together goes alone.
    fn batch(&mut self, rows: &[Due]) -> Result<(), PassError> {
        let ids: Vec<i64> = rows.iter().map(|due| due.id).collect();
        let events = self.pass.on_database(|device| device.events(&ids))?;
        let mut together = Vec::with_capacity(events.len());
        let mut alone = Vec::new();
        for (due, event) in rows.iter().zip(events) {
            match event {
                // Deleted by the recorder since the list was read.
                Ok(None) => {}
                Ok(Some(event)) => {
                    let key = self.pass.key(Table::Event, event.id, &event.date);
                    together.push((event, key));
                }
                Err(_) => alone.push(due.id),
            }
        }
        let mut left = together.as_slice();
        while !left.is_empty() && !self.ended() {
            let Some(verdicts) = self.send_batch(left)? else {
                alone.extend(left.iter().map(|(event, _)| event.id));
                break;
            };
            let (sent, later) = left.split_at(verdicts.len().min(left.len()));
            self.book(sent, verdicts)?;
            left = later;
        }
        let waiting = left.len() as u64;
        if self.ended() {
            self.report.events.waiting += waiting;
        }
        for due in rows.iter().filter(|due| alone.contains(&due.id)) {
            if self.ended() {
                self.report.events.waiting += 1;
                continue;
            }
            self.row(Table::Event, due)?;
        }
        Ok(())
    }

    /// Sends a batch until there is a verdict for its first rows. `None` when its rows are to go alone.
    fn send_batch(&mut self, events: &[(Event, String)]) -> Result<Option<Vec<Verdict>>, PassError> {
        let Some((first, _)) = events.first() else {
            return Ok(None);
        };
        let mut tries = 0;
        while self.pass.wire.takes_batches() {
            match self.pass.wire.post_events(events) {
                BatchVerdict::Each(verdicts) if verdicts.is_empty() => return Ok(None),
                BatchVerdict::Each(verdicts) => return Ok(Some(verdicts)),
                BatchVerdict::NotTaken | BatchVerdict::Whole(Verdict::RetryUncompressed) => {}
                BatchVerdict::Whole(Verdict::Interrupted) => return Err(PassError::Interrupted),
                BatchVerdict::Whole(Verdict::Unavailable {
                    message,
                    unreachable,
                    retry_after,
                }) => {
                    tries += 1;
                    if self.tries_again(Table::Event, first.id, tries, &message, retry_after)? {
                        continue;
                    }
                    // Whoever brings a server down by its content is found only alone.
                    if self.pass.wire.body_begun() && retry_after.is_none() {
                        break;
                    }
                    return Ok(Some(vec![Verdict::Unavailable {
                        message,
                        unreachable,
                        retry_after,
                    }]));
                }
                BatchVerdict::Whole(verdict) => {
                    log::info!("a batch of {} events failed as a whole: {verdict:?}", events.len());
                    break;
                }
            }
        }
        self.batching.given_up = true;
        Ok(None)
    }

    /// Books what became of rows that were sent together: all that arrived in one commit.
    fn book(&mut self, events: &[(Event, String)], verdicts: Vec<Verdict>) -> Result<(), PassError> {
        let (mut arrived, mut failed) = (Vec::with_capacity(verdicts.len()), Vec::new());
        for ((event, _), verdict) in events.iter().zip(verdicts) {
            match verdict {
                Verdict::Done { remote_id } => arrived.push(Arrived {
                    id: event.id,
                    remote_id,
                    bytes: 0,
                }),
                verdict => failed.push((event.id, verdict)),
            }
        }
        if !arrived.is_empty() {
            self.book_arrived(Table::Event, &arrived)?;
        }
        for (id, verdict) in failed {
            self.conclude(Table::Event, id, 0, verdict)?;
        }
        Ok(())
    }

    pub(super) fn book_arrived(&mut self, table: Table, arrived: &[Arrived]) -> Result<(), PassError> {
        let date = self.pass.clock.local().format(local_time::ISO_MICROS).to_string();
        let now = self.pass.clock.unix_seconds();
        let records: Vec<Record> = arrived
            .iter()
            .map(|row| Record {
                table,
                id: row.id,
                date: date.clone(),
                now,
                outcome: Outcome::Success {
                    remote_id: row.remote_id,
                },
            })
            .collect();
        let begun = self.pass.clock.monotonic();
        self.pass.on_database(|device| device.record_all(&records))?;
        self.batching.learn(self.pass.clock.monotonic().saturating_sub(begun));
        self.pass.streak.end();
        self.report.table_mut(table).sent += arrived.len() as u64;
        for &Arrived { id, remote_id, bytes } in arrived {
            self.pass.reporter.notice(&Notice::Sent {
                table,
                id,
                remote_id,
                bytes,
            });
        }
        Ok(())
    }
}
