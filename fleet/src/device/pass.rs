//! A pass: events, then clips, oldest first, events that came meanwhile between two clips; then how the device is.

use std::time::{Duration, Instant};

use sync_protocol::{Extension, patience};

use super::Device;
use crate::network::Answer;
use crate::run::Table;
use crate::stats::{Kind, Trouble};
use crate::wire::Meaning;

/// The receivers are not well: what is left waits for the next pass.
pub(super) struct Ended;

/// What became of one try.
pub(super) enum Tried {
    /// Something is off the list.
    Settled,
    /// It is tried again after a wait, or elsewhere.
    Unwell(Option<Duration>),
    /// A clip goes on at once.
    Resumes,
}

impl From<Trouble> for Tried {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Cut => Self::Resumes,
            Trouble::Unreachable | Trouble::Broken | Trouble::Timeout => Self::Unwell(None),
        }
    }
}

impl Device {
    pub(super) async fn pass(&mut self) -> Result<(), Ended> {
        self.line.prefer_own();
        loop {
            self.take_due(Instant::now());
            if !self.events.is_empty() {
                self.tries(Table::Events).await?;
            } else if !self.clips.is_empty() {
                self.tries(Table::Clips).await?;
            } else {
                break;
            }
        }
        if let Some(due) = self.status_due.take() {
            if self.line.has(Extension::Status) {
                self.tell_status(due).await;
            }
        }
        Ok(())
    }

    /// Tries the first of the rows that wait, with others where they go together, as often as patience has it.
    async fn tries(&mut self, table: Table) -> Result<(), Ended> {
        let most = patience::ATTEMPTS.max(u32::try_from(self.line.receivers()).unwrap_or(u32::MAX));
        let mut tries = 0;
        loop {
            let tried = match table {
                Table::Events => self.try_events().await,
                Table::Clips => self.try_clip().await,
            };
            match tried {
                Tried::Settled => return Ok(()),
                Tried::Resumes => tokio::time::sleep(patience::resume(self.random.f64())).await,
                Tried::Unwell(wish) => {
                    tries += 1;
                    let interval = self.run.plan.interval;
                    let named = self.line.fail_over(wish.map(|wish| wish.min(interval)));
                    if tries >= most {
                        return Err(Ended);
                    }
                    let wait = patience::between_tries(tries, named, interval, self.random.f64());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Books an answer to the first row that waits.
    pub(super) fn book_answer(&mut self, table: Table, kind: Kind, answer: &Answer) -> Tried {
        let meaning = answer.meaning();
        if meaning == Meaning::Refused && answer.status.is_success() {
            let said = format!("{} without an id", answer.status.as_u16());
            self.run.stats().odd(kind, &said);
        }
        self.book(table, kind, meaning)
    }

    /// Books what an answer means for the first row that waits.
    pub(super) fn book(&mut self, table: Table, kind: Kind, meaning: Meaning) -> Tried {
        let wait = match meaning {
            Meaning::Unwell(wish) => return Tried::Unwell(wish),
            Meaning::Stored(_) | Meaning::Refused => match table {
                Table::Events => self.events.pop_front(),
                Table::Clips => self.clips.pop_front(),
            },
        };
        let Some(row) = wait else { return Tried::Settled };
        let Meaning::Stored(id) = meaning else {
            return Tried::Settled;
        };
        self.run.stats().through(kind, self.late_since(row.due));
        let entries = match table {
            Table::Events => &mut self.lived.ledger.events,
            Table::Clips => &mut self.lived.ledger.clips,
        };
        if let Some(entry) = entries.get_mut(row.number as usize) {
            entry.id = Some(id);
        }
        self.lived.last_through = Some(Instant::now());
        let mut counts = self.run.stats().counts();
        match table {
            Table::Events => counts.events += 1,
            Table::Clips => counts.clips += 1,
        }
        Tried::Settled
    }
}
