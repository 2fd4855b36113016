//! One pass: events, then media, oldest first; between two clips, events that came meanwhile go first.

mod attempt;
mod batch;
mod clips;
mod record;

use std::time::Duration;

use crate::clock::Clock;
use crate::device::{BREATH, Backlog, Device, DeviceError, Due, FailedDue, Outcome, Reason};
use crate::notice::{Notice, PassReport, Reporter};
use crate::row::{Scalar, Table};
use crate::upload::{Verdict, Wire};

use fastrand::Rng;

use super::key::idempotency_key;
use super::policy;
use super::retry_transient::{self, GiveUp};
use super::row::{Consequence, consequence};
use super::streak::Streak;
use batch::Batching;
use clips::Together;

/// Everything a pass needs, lent for its time.
pub(super) struct Pass<'a> {
    pub device: &'a mut Device,
    pub wire: &'a mut dyn Wire,
    pub reporter: &'a mut dyn Reporter,
    pub clock: &'a dyn Clock,
    pub random: &'a mut Rng,
    /// Failures in a row that may be the backend's.
    pub streak: &'a mut Streak,
    pub device_id: &'a str,
    /// The time between passes: the longest wish of a server that is honoured.
    pub interval: Duration,
    /// One pass and exit: failed rows are all due, and trouble is not waited out.
    pub once: bool,
}

/// Why a pass has no report to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PassError {
    /// A stop was asked for; what was done is recorded.
    Interrupted,
    /// The database was in trouble for longer than `once` waits.
    Trouble(DeviceError),
    /// The database is no longer what was opened: open it again.
    Replaced,
    /// The database is unusable.
    Unusable(DeviceError),
}

impl From<GiveUp> for PassError {
    fn from(give_up: GiveUp) -> Self {
        match give_up {
            GiveUp::Interrupted => PassError::Interrupted,
            GiveUp::Trouble(error) => PassError::Trouble(error),
            GiveUp::Replaced => PassError::Replaced,
            GiveUp::Unusable(error) => PassError::Unusable(error),
        }
    }
}

/// The state of a running pass.
struct Running<'p, 'a> {
    pass: &'p mut Pass<'a>,
    report: PassReport,
    /// Events up to this id were looked at.
    events_seen_to: i64,
    /// Whether there was room for a result.
    has_room: bool,
    batching: Batching,
    together: Together,
}

impl Pass<'_> {
    /// Sends what is due.
    ///
    /// # Errors
    /// It was interrupted, or the local database could not be used.
    pub(super) fn run(&mut self) -> Result<PassReport, PassError> {
        let start = self.clock.monotonic();
        let at = self.clock.local();
        self.wire.prefer_first(start);
        self.reporter.notice(&Notice::PassStarted { at });
        let mut running = Running {
            pass: self,
            report: PassReport::default(),
            events_seen_to: i64::MIN,
            has_room: false,
            batching: Batching::default(),
            together: Together::default(),
        };
        let mut deprioritized = Vec::new();
        for table in Table::ALL {
            deprioritized.push((table, running.section(table)?));
        }
        // Last, the rows with which the backend failed before: if one of them ends the pass, nothing waits behind it.
        for (table, backlog) in deprioritized {
            let due = backlog.due;
            running.rows(table, backlog, due)?;
        }
        let mut report = running.report;
        if report.media.waiting == 0 {
            report.clips_wait_until = None;
        }
        report.backend = self.wire.backend().to_string();
        report.several_backends = self.wire.backend_count() > 1;
        report.wire = self.wire.stats();
        report.duration_ms = u64::try_from((self.clock.monotonic() - start).as_millis()).unwrap_or(u64::MAX);
        self.reporter.notice(&Notice::PassEnded(&report));
        Ok(report)
    }

    fn failed_due(&self) -> FailedDue {
        if self.once {
            FailedDue::All
        } else {
            FailedDue::At {
                now: self.clock.unix_seconds(),
                longest_delay: policy::LONGEST_DELAY_S,
            }
        }
    }

    /// The `Idempotency-Key` of a row.
    fn key(&self, table: Table, id: i64, date: &Scalar) -> String {
        idempotency_key(self.device.database_id(), self.device_id, table, id, date)
    }

    /// An operation on the database that waits out what passes. Errors of one row are the caller's.
    fn retry_transient<T>(
        &mut self,
        operation: impl FnMut(&mut Device) -> Result<T, DeviceError>,
    ) -> Result<Result<T, DeviceError>, PassError> {
        let outcome = retry_transient::retry_transient(
            self.device,
            self.clock,
            self.reporter,
            self.random,
            self.once,
            operation,
        );
        Ok(outcome?)
    }

    /// The same for an operation that concerns no single row.
    fn on_database<T>(&mut self, operation: impl FnMut(&mut Device) -> Result<T, DeviceError>) -> Result<T, PassError> {
        self.retry_transient(operation)?.map_err(PassError::Unusable)
    }
}

impl Running<'_, '_> {
    fn ended(&self) -> bool {
        self.report.ended_by.is_some()
    }

    /// A table's turn: its heading, and its rows as long as the pass goes on.
    /// Returns what is left for last.
    fn section(&mut self, table: Table) -> Result<Backlog, PassError> {
        let failed_due = self.pass.failed_due();
        let backlog = self.backlog(table, failed_due)?;
        self.pass.reporter.notice(&Notice::Section {
            table,
            due: backlog.due,
        });
        self.report.table_mut(table).vanished = backlog.vanished;
        let deprioritized = backlog.deprioritized();
        let due = backlog.due.saturating_sub(deprioritized.due);
        self.rows(table, backlog, due)?;
        Ok(deprioritized)
    }

    fn backlog(&mut self, table: Table, failed_due: FailedDue) -> Result<Backlog, PassError> {
        while self
            .pass
            .on_database(|device| device.prepare_backlog(table, failed_due))?
        {
            // A long history takes many steps; what is left at a stop is done at the next start.
            if retry_transient::wait(self.pass.clock, self.pass.reporter, BREATH) {
                return Err(PassError::Interrupted);
            }
        }
        let backlog = self.pass.on_database(|device| device.backlog(table, failed_due))?;
        if table == Table::Event {
            self.events_seen_to = backlog.last_id();
        }
        Ok(backlog)
    }

    /// Sends the `due` rows of a backlog; those that an ended pass leaves are counted as waiting.
    fn rows(&mut self, table: Table, mut backlog: Backlog, due: u64) -> Result<(), PassError> {
        let mut handled = 0;
        while !self.ended() && !self.waits(table) {
            let page = self.pass.on_database(|device| device.next_page(&mut backlog))?;
            if page.is_empty() {
                break;
            }
            self.make_room()?;
            handled += match table {
                Table::Event => self.events(&page, backlog.is_deprioritized())?,
                Table::Media => self.clips(page, backlog.is_deprioritized())?,
            };
        }
        if self.ended() || (table == Table::Media && self.report.clips_wait_until.is_some()) {
            self.report.table_mut(table).waiting += due.saturating_sub(handled);
        }
        Ok(())
    }

    /// Before the first row of `once` is sent: a card that is full is met before the server has what can't be marked. Whoever stays
    /// keeps a result until there is room.
    fn make_room(&mut self) -> Result<(), PassError> {
        if self.pass.once && !self.has_room {
            self.pass.on_database(Device::make_room)?;
            self.has_room = true;
        }
        Ok(())
    }

    /// Whether the rows of a table wait by the timetable of rates: clips, from the first that had to until the pass ends.
    fn waits(&mut self, table: Table) -> bool {
        if table == Table::Event {
            return false;
        }
        let until = &mut self.report.clips_wait_until;
        *until = until.or_else(|| self.pass.wire.clips_wait_until());
        until.is_some()
    }

    /// Whether events came since they were last looked at.
    fn has_new_events(&mut self) -> Result<bool, PassError> {
        let last = self.pass.on_database(|device| device.last_id(Table::Event))?;
        Ok(last.is_some_and(|last| last > self.events_seen_to))
    }

    /// Sends events that came since they were last looked at: a person waits for an event, not for a clip.
    fn events_meanwhile(&mut self) -> Result<(), PassError> {
        // What failed in this pass was tried in it.
        let backlog = self.backlog(Table::Event, FailedDue::No)?;
        let due = backlog.due.saturating_sub(backlog.deprioritized().due);
        self.rows(Table::Event, backlog, due)
    }

    /// Sends one row and records what became of it.
    fn row(&mut self, table: Table, due: &Due) -> Result<(), PassError> {
        match self.send(table, due)? {
            Some((bytes, verdict)) => self.conclude(table, due.id, bytes, verdict),
            None => Ok(()),
        }
    }

    /// Records what became of a row that was sent.
    fn conclude(&mut self, table: Table, id: i64, bytes: u64, verdict: Verdict) -> Result<(), PassError> {
        match consequence(verdict) {
            Consequence::Interrupted => Err(PassError::Interrupted),
            Consequence::Sent { remote_id } => {
                self.record(table, id, Outcome::Success { remote_id })?;
                self.pass.streak.end();
                self.report.table_mut(table).sent += 1;
                self.pass.reporter.notice(&Notice::Sent {
                    table,
                    id,
                    remote_id,
                    bytes,
                });
                Ok(())
            }
            Consequence::Failed {
                message,
                reason,
                then,
                unreachable,
                verdict,
            } => {
                let reason = match reason {
                    // It can't be why.
                    Reason::Suspect if !self.pass.wire.body_begun() => Reason::Backend,
                    reason => reason,
                };
                let before = self.pass.on_database(|device| device.failures(table, id))?;
                let (attempts, due_at) = self.record_failure(table, id, &message, reason, before)?;
                self.report.table_mut(table).failed += 1;
                self.pass.reporter.notice(&Notice::Failed {
                    table,
                    id,
                    message: &message,
                    verdict,
                    unreachable,
                    attempts,
                    due_at,
                });
                self.after_failure(table, id, message, before, then)
            }
        }
    }
}
