//! One pass: events, then media, oldest first; between two clips, events that came meanwhile go first.

use std::time::Duration;

use crate::clock::Clock;
use crate::device::{Backlog, Device, DeviceError, Due, FailedDue, Failures, Kind, Outcome, Reason, Record};
use crate::local_time;
use crate::notice::{Notice, PassReport, Reporter};
use crate::row::Table;
use crate::upload::{RetryAfter, Verdict};

use super::policy::{self, Random};
use super::retry_transient::{self, GiveUp};
use super::row::{Consequence, Then, consequence};
use super::{Wire, idempotency_key};

/// A row that can't be read to its end, or changes each time it is read, is given up for this pass after so many
/// further tries.
const REREADS: u32 = 3;

/// Everything a pass needs, lent for its time.
pub struct Pass<'a> {
    /// The local database.
    pub device: &'a mut Device,
    /// The server.
    pub wire: &'a mut dyn Wire,
    /// Who is told.
    pub reporter: &'a mut dyn Reporter,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Jitter.
    pub random: &'a mut Random,
    /// `DEVICE_ID`.
    pub device_id: &'a str,
    /// The time between passes: the longest wish of a server that is honoured.
    pub interval: Duration,
    /// One pass and exit: failed rows are all due, and trouble is not waited out.
    pub once: bool,
}

/// Why a pass has no report to return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassError {
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
    /// Rows that got a 500 one after the other, with their failures before it.
    server_errors: Vec<(Table, i64, String, Failures)>,
    /// Events up to this id were looked at.
    events_seen_to: i64,
}

impl Pass<'_> {
    /// Runs the pass.
    ///
    /// # Errors
    /// It was interrupted, or the local database could not be used.
    pub fn run(&mut self) -> Result<PassReport, PassError> {
        let start = self.clock.monotonic();
        let at = self.clock.local();
        self.wire.prefer_first(start);
        self.reporter.notice(&Notice::PassStarted { at });
        let mut running = Running {
            pass: self,
            report: PassReport::default(),
            server_errors: Vec::new(),
            events_seen_to: i64::MIN,
        };
        let mut deprioritized = Vec::new();
        for table in Table::ALL {
            deprioritized.push((table, running.section(table)?));
        }
        // Last, the rows with which the backend failed before: if one of them ends the pass, nothing waits behind it.
        for (table, backlog) in deprioritized {
            if !running.ended() {
                running.rows(table, backlog)?;
            }
        }
        let mut report = running.report;
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
        self.rows(table, backlog)?;
        Ok(deprioritized)
    }

    fn backlog(&mut self, table: Table, failed_due: FailedDue) -> Result<Backlog, PassError> {
        let backlog = self.pass.on_database(|device| device.backlog(table, failed_due))?;
        if table == Table::Event {
            self.events_seen_to = backlog.last_id();
        }
        Ok(backlog)
    }

    fn rows(&mut self, table: Table, mut backlog: Backlog) -> Result<(), PassError> {
        let mut handled = 0;
        'pages: while !self.ended() {
            let page = self.pass.on_database(|device| device.next_page(&mut backlog))?;
            if page.is_empty() {
                break;
            }
            for due in page {
                if table == Table::Media {
                    self.events_meanwhile()?;
                }
                if self.ended() {
                    break 'pages;
                }
                self.row(table, &due)?;
                handled += 1;
            }
        }
        if self.ended() {
            self.report.table_mut(table).waiting += backlog.due.saturating_sub(handled);
        }
        Ok(())
    }

    /// Sends events that came since they were last looked at: a person waits for an event, not for a clip.
    fn events_meanwhile(&mut self) -> Result<(), PassError> {
        let last = self.pass.on_database(|device| device.last_id(Table::Event))?;
        if last.is_none_or(|last| last <= self.events_seen_to) {
            return Ok(());
        }
        // What failed in this pass was tried in it.
        let backlog = self.backlog(Table::Event, FailedDue::No)?;
        self.rows(Table::Event, backlog)
    }

    /// Sends one row and records what became of it.
    fn row(&mut self, table: Table, due: &Due) -> Result<(), PassError> {
        let Some(verdict) = self.send(table, due)? else {
            // Deleted by the recorder's retention since the list was read.
            return Ok(());
        };
        let (bytes, verdict) = verdict;
        match consequence(verdict) {
            Consequence::Interrupted => Err(PassError::Interrupted),
            Consequence::Sent { remote_id } => {
                self.record(table, due.id, Outcome::Success { remote_id })?;
                self.server_errors.clear();
                self.report.table_mut(table).sent += 1;
                self.pass.reporter.notice(&Notice::Sent {
                    table,
                    id: due.id,
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
                let before = self.pass.on_database(|device| device.failures(table, due.id))?;
                let (attempts, due_at) = self.record_failure(table, due.id, &message, reason, before)?;
                self.report.table_mut(table).failed += 1;
                self.pass.reporter.notice(&Notice::Failed {
                    table,
                    id: due.id,
                    message: &message,
                    verdict,
                    unreachable,
                    attempts,
                    due_at,
                });
                self.after_failure(table, due.id, message, before, then)
            }
        }
    }

    /// Whether the rows behind a failed one are tried.
    fn after_failure(
        &mut self,
        table: Table,
        id: i64,
        message: String,
        before: Failures,
        then: Then,
    ) -> Result<(), PassError> {
        match then {
            Then::GoOn => self.server_errors.clear(),
            Then::EndPass => self.report.ended_by = Some(message),
            Then::GoOnUnlessRepeated => {
                self.server_errors.push((table, id, message.clone(), before));
                if self.server_errors.len() >= policy::SERVER_ERRORS {
                    // It was the backend all along: these rows are not to blame and not to wait.
                    for (table, id, message, before) in std::mem::take(&mut self.server_errors) {
                        self.record_failure(table, id, &message, Reason::Backend, before)?;
                    }
                    self.report.ended_by = Some(message);
                }
            }
        }
        Ok(())
    }

    /// Tries a row until it has a verdict that stands. `None` when the row is gone.
    fn send(&mut self, table: Table, due: &Due) -> Result<Option<(u64, Verdict)>, PassError> {
        let mut attempt = 0;
        let mut rereads = 0;
        loop {
            let Some((bytes, verdict)) = self.attempt(table, due) else {
                return Ok(None);
            };
            match verdict {
                // Not an attempt: the next one is plain and can't get this verdict.
                Verdict::RetryUncompressed => {}
                Verdict::Local(error) => match error.downcast::<DeviceError>() {
                    Ok(error) if error.kind == Kind::Vanished => return Ok(None),
                    Ok(error) if rereads < REREADS && error.kind != Kind::Row => {
                        rereads += 1;
                        log::info!("{table} {}: {error}; it is read again", due.id);
                        self.wait_until_readable(error)?;
                    }
                    Ok(error) => return Ok(Some((bytes, Verdict::Local(error.into())))),
                    Err(error) => return Ok(Some((bytes, Verdict::Local(error)))),
                },
                Verdict::Unavailable {
                    message,
                    unreachable,
                    retry_after,
                } => {
                    attempt += 1;
                    let now = self.pass.clock.monotonic();
                    let moved = self.pass.wire.fail_over(now);
                    let backends = u32::try_from(self.pass.wire.backend_count()).unwrap_or(u32::MAX);
                    let tries = policy::ATTEMPTS.max(backends);
                    if attempt >= tries {
                        let verdict = Verdict::Unavailable {
                            message,
                            unreachable,
                            retry_after,
                        };
                        return Ok(Some((bytes, verdict)));
                    }
                    log::info!("{table} {}: try {attempt} of {tries} failed: {message}", due.id);
                    self.pass.reporter.notice(&Notice::Retrying {
                        table,
                        id: due.id,
                        message: &message,
                    });
                    // Another backend is tried at once; the same one is given time.
                    if !moved && self.wait_before(attempt, retry_after) {
                        return Err(PassError::Interrupted);
                    }
                }
                verdict => return Ok(Some((bytes, verdict))),
            }
        }
    }

    /// Reads a row and sends it, once. Returns its length in bytes (of a clip) and the verdict; `None` when the
    /// row is gone.
    fn attempt(&mut self, table: Table, due: &Due) -> Option<(u64, Verdict)> {
        let pass = &mut *self.pass;
        let key = |date| idempotency_key(pass.device.database_id(), pass.device_id, table, due.id, date);
        match table {
            Table::Event => match pass.device.event(due.id) {
                Ok(None) => None,
                Ok(Some(event)) => {
                    let key = key(&event.date);
                    Some((0, pass.wire.post_event(&event, &key).verdict))
                }
                Err(error) => Some((0, Verdict::Local(error.into()))),
            },
            Table::Media => match pass.device.clip(due.id, due.date.as_ref()) {
                Ok(None) => None,
                Ok(Some((clip, mut video))) => {
                    let bytes = clip.video_len;
                    pass.reporter.notice(&Notice::ClipStarted { id: due.id, bytes });
                    let key = key(&clip.date);
                    Some((bytes, pass.wire.post_clip(&clip, &mut video, &key).verdict))
                }
                Err(error) => Some((0, Verdict::Local(error.into()))),
            },
        }
    }

    /// Waits until the database can be read again, if `error` is a trouble of the whole file.
    fn wait_until_readable(&mut self, error: DeviceError) -> Result<(), PassError> {
        if error.kind == Kind::Changed {
            return Ok(());
        }
        let mut first = Some(error);
        self.pass.on_database(|device| match first.take() {
            Some(error) => Err(error),
            None => device.data_version().map(|_| ()),
        })
    }

    fn wait_before(&mut self, attempt: u32, retry_after: Option<RetryAfter>) -> bool {
        let pass = &mut *self.pass;
        let wish = retry_after.map(|after| delay_of(after, pass.clock.unix_seconds()));
        let delay = policy::attempt_delay(attempt, wish, pass.interval, pass.random);
        retry_transient::wait(pass.clock, pass.reporter, delay)
    }

    fn record_failure(
        &mut self,
        table: Table,
        id: i64,
        message: &str,
        reason: Reason,
        before: Failures,
    ) -> Result<(u32, i64), PassError> {
        let now = self.pass.clock.unix_seconds();
        let (failures, due_at) = policy::schedule(before, reason, now, self.pass.random);
        let outcome = Outcome::Failed {
            message: message.to_string(),
            reason,
            failures,
            due_at,
        };
        self.record(table, id, outcome)?;
        Ok((failures.attempts, due_at))
    }

    /// Writes a result. It is kept, and nothing else is sent, until it is written.
    fn record(&mut self, table: Table, id: i64, outcome: Outcome) -> Result<(), PassError> {
        let record = Record {
            table,
            id,
            date: self.pass.clock.local().format(local_time::ISO_MICROS).to_string(),
            now: self.pass.clock.unix_seconds(),
            outcome,
        };
        self.pass.on_database(|device| device.record(&record))
    }
}

/// How long a server wishes to be left alone.
fn delay_of(wish: RetryAfter, now: i64) -> Duration {
    match wish {
        RetryAfter::Delay(delay) => delay,
        RetryAfter::At(time) => {
            let now = std::time::UNIX_EPOCH + Duration::from_secs(now.unsigned_abs());
            time.duration_since(now).unwrap_or_default()
        }
    }
}
