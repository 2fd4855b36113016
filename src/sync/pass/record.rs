//! Writing down what became of a row, and what follows for the rows behind it.

use crate::device::{Failures, Outcome, Reason, Record};
use crate::local_time;
use crate::row::Table;

use super::super::policy;
use super::super::row::Then;
use super::super::streak::Suspect;
use super::{PassError, Running};

impl Running<'_, '_> {
    /// Whether the rows behind a failed one are tried.
    pub(super) fn after_failure(
        &mut self,
        table: Table,
        id: i64,
        message: String,
        before: Failures,
        then: Then,
    ) -> Result<(), PassError> {
        match then {
            Then::GoOn => self.pass.streak.end(),
            Then::GoOnUnasked => {}
            Then::EndPass => self.report.ended_by = Some(message),
            Then::GoOnUnlessRepeated => {
                let suspects = self.pass.streak.add(Suspect {
                    table,
                    id,
                    message: message.clone(),
                    before,
                });
                if !suspects.is_empty() {
                    self.report.ended_by = Some(message);
                }
                // It was the backend all along: these rows are not to blame and not to wait.
                for suspect in suspects {
                    self.acquit(&suspect)?;
                }
            }
        }
        Ok(())
    }

    /// Books a failure anew as the backend's: the row is due at once, but may be why. Not if people or another try changed the row since.
    fn acquit(&mut self, suspect: &Suspect) -> Result<(), PassError> {
        let (table, id, before) = (suspect.table, suspect.id, suspect.before);
        let now = self.pass.on_database(|device| device.failures(table, id))?;
        if now.attempts == before.attempts.saturating_add(1) {
            self.record_failure(table, id, &suspect.message, Reason::Suspect, before)?;
        }
        Ok(())
    }

    pub(super) fn record_failure(
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
    pub(super) fn record(&mut self, table: Table, id: i64, outcome: Outcome) -> Result<(), PassError> {
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
