//! Trying one row: as often as the policy allows, until it has a verdict that stands.

use std::time::Duration;

use crate::device::{DeviceError, Due, Kind};
use crate::notice::Notice;
use crate::row::Table;
use crate::upload::{RetryAfter, Verdict};

use super::super::{extensions, policy, retry_transient};
use super::{PassError, Running};

/// A row that can't be read to its end, or changes each time it is read, is given up for this pass after so many
/// further tries.
const REREADS: u32 = 3;

/// What follows when the database did not give a row.
enum Reread {
    /// It is tried once more.
    Again,
    /// Nothing is said of it.
    Leave,
    /// It is booked as the row's own failure.
    Refuse(DeviceError),
}

impl Running<'_, '_> {
    /// Tries a row until it has a verdict that stands, with its length in bytes (of a clip). `None` when there is
    /// nothing to say of it: it is gone, or the database is in trouble.
    pub(super) fn send(&mut self, table: Table, due: &Due) -> Result<Option<(u64, Verdict)>, PassError> {
        self.try_on(table, due, None, None)
    }

    /// The same of a row that was tried in this pass, with what that came to if it counts.
    pub(super) fn send_again(
        &mut self,
        table: Table,
        due: &Due,
        tried: Option<(u64, Verdict)>,
    ) -> Result<Option<(u64, Verdict)>, PassError> {
        self.try_on(table, due, Some(false), tried)
    }

    fn try_on(
        &mut self,
        table: Table,
        due: &Due,
        mut is_new: Option<bool>,
        mut tried: Option<(u64, Verdict)>,
    ) -> Result<Option<(u64, Verdict)>, PassError> {
        let (mut tries, mut rereads) = (0, 0);
        loop {
            let Some((bytes, verdict)) = self.attempt(table, due, &mut is_new, tried.take())? else {
                return Ok(None);
            };
            let verdict = match verdict {
                // Not a try: the next one is plain and can't get this verdict.
                Verdict::RetryUncompressed => continue,
                Verdict::Resume => {
                    if self.pauses_clip()? {
                        return Ok(None);
                    }
                    continue;
                }
                Verdict::Local(error) => match error.downcast::<DeviceError>() {
                    Err(error) => Verdict::Local(error),
                    Ok(error) => match self.unreadable(table, due.id, error, &mut rereads)? {
                        Reread::Again => continue,
                        Reread::Leave => return Ok(None),
                        Reread::Refuse(error) => Verdict::Local(error.into()),
                    },
                },
                Verdict::Unavailable {
                    message,
                    unreachable,
                    retry_after,
                } => {
                    let advanced = table == Table::Media && self.pass.wire.clip_advanced();
                    tries = if advanced { 1 } else { tries + 1 };
                    if self.tries_again(table, due.id, tries, &message, retry_after)? {
                        continue;
                    }
                    Verdict::Unavailable {
                        message,
                        unreachable,
                        retry_after,
                    }
                }
                verdict => verdict,
            };
            return Ok(Some((bytes, verdict)));
        }
    }

    /// What follows when the database did not give the row.
    fn unreadable(
        &mut self,
        table: Table,
        id: i64,
        error: DeviceError,
        rereads: &mut u32,
    ) -> Result<Reread, PassError> {
        match error.kind {
            Kind::Vanished => Ok(Reread::Leave),
            Kind::Row => Ok(Reread::Refuse(error)),
            _ if *rereads < REREADS => {
                *rereads += 1;
                log::info!("{table} {id}: {error}; it is read again");
                self.wait_until_readable(error)?;
                Ok(Reread::Again)
            }
            Kind::Changed => Ok(Reread::Refuse(error)),
            // The database's trouble, not the row's: it stays as it is, and due.
            _ => {
                log::error!("{table} {id}: {error}; it is left for the next pass");
                self.report.table_mut(table).waiting += 1;
                Ok(Reread::Leave)
            }
        }
    }

    /// Whether a row is tried again after its `tries`th try met a backend that is not well; if so, waits for it.
    pub(super) fn tries_again(
        &mut self,
        table: Table,
        id: i64,
        tries: u32,
        message: &str,
        retry_after: Option<RetryAfter>,
    ) -> Result<bool, PassError> {
        let (now, interval) = (self.pass.clock.monotonic(), self.pass.interval);
        let wish = retry_after.map(|after| delay_of(after, self.pass.clock.unix_seconds()).min(interval));
        let named = self.pass.wire.fail_over(now, wish);
        let backends = u32::try_from(self.pass.wire.backend_count()).unwrap_or(u32::MAX);
        let most = policy::ATTEMPTS.max(backends);
        if tries >= most {
            return Ok(false);
        }
        log::info!("{table} {id}: try {tries} of {most} failed: {message}");
        self.pass.reporter.notice(&Notice::Retrying { table });
        // Another backend is tried at once; the same one is given time, and one that named a time is not asked before it.
        let delay = policy::attempt_delay(tries, named, interval, self.pass.random);
        if retry_transient::wait(self.pass.clock, self.pass.reporter, delay) {
            return Err(PassError::Interrupted);
        }
        Ok(true)
    }

    /// A clip goes on after a break: at once, or with the next pass if clips wait by now.
    fn pauses_clip(&mut self) -> Result<bool, PassError> {
        if self.waits(Table::Media) {
            self.report.media.waiting += 1;
            return Ok(true);
        }
        let delay = policy::resume_delay(self.pass.random);
        if retry_transient::wait(self.pass.clock, self.pass.reporter, delay) {
            return Err(PassError::Interrupted);
        }
        Ok(false)
    }

    /// Whether nothing of a clip can be at a server: it is its first try, and no other failed before.
    fn is_new(&mut self, id: i64) -> Result<bool, PassError> {
        Ok(!self.pass.wire.resumes_clips() || self.is_untried(id)?)
    }

    /// Whether no try of a clip failed before.
    pub(super) fn is_untried(&mut self, id: i64) -> Result<bool, PassError> {
        // Now, and not after the pass: whoever is killed over this clip must know next time that it may go on.
        if let Err(error) = extensions::keep(self.pass.device, self.pass.wire) {
            log::error!("{error}");
        }
        let failures = self.pass.on_database(|device| device.failures(Table::Media, id))?;
        Ok(failures.attempts == 0)
    }

    /// Reads a row and sends it, once. Returns its length in bytes (of a clip) and the verdict; `None` when the
    /// row is gone. `is_new` is what is known of the clip, and learns that it was tried. Where it was `tried` already,
    /// nothing is sent.
    fn attempt(
        &mut self,
        table: Table,
        due: &Due,
        is_new: &mut Option<bool>,
        tried: Option<(u64, Verdict)>,
    ) -> Result<Option<(u64, Verdict)>, PassError> {
        if tried.is_some() {
            return Ok(tried);
        }
        let new = match (table, is_new.take()) {
            (Table::Media, None) => self.is_new(due.id)?,
            (_, known) => known.unwrap_or(true),
        };
        *is_new = Some(false);
        Ok(self.attempt_once(table, due, new))
    }

    fn attempt_once(&mut self, table: Table, due: &Due, is_new: bool) -> Option<(u64, Verdict)> {
        let pass = &mut *self.pass;
        match table {
            Table::Event => match pass.device.event(due.id) {
                Ok(None) => None,
                Ok(Some(event)) => {
                    let key = pass.key(table, due.id, &event.date);
                    Some((0, pass.wire.post_event(&event, &key)))
                }
                Err(error) => Some((0, Verdict::Local(error.into()))),
            },
            Table::Media => match pass.device.clip(due.id, due.date.as_ref()) {
                Ok(None) => None,
                Ok(Some((clip, mut video))) => {
                    let bytes = clip.video_len;
                    pass.reporter.notice(&Notice::ClipStarted { id: due.id, bytes });
                    let key = pass.key(table, due.id, &clip.date);
                    Some((bytes, pass.wire.post_clip(&clip, &mut video, &key, is_new)))
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
