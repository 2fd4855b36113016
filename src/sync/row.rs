//! What a verdict means for its row and for the pass: decided here, once.

use crate::device::Reason;
use crate::upload::Verdict;

/// What follows from the last verdict on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Consequence {
    Sent {
        remote_id: i64,
    },
    Failed {
        message: String,
        /// How it is scheduled; a suspicion holds only if its body was on its way.
        reason: Reason,
        /// What happens to the rows behind it.
        then: Then,
        /// The server could not be reached.
        unreachable: bool,
        /// The kind of answer, for the log.
        verdict: &'static str,
    },
    /// A stop was asked for: the row is left as it was.
    Interrupted,
}

/// What happens to the rows behind a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// They are tried: the backend works.
    GoOn,
    /// They are tried: the backend had no say.
    GoOnUnasked,
    /// They are tried, unless others before it got an answer that tells as little.
    GoOnUnlessRepeated,
    /// They wait: the next would fare no better.
    EndPass,
}

/// The one table from verdict to consequence. Verdicts that are dealt with before a row is given up
/// ([`Verdict::RetryUncompressed`], [`Verdict::Resume`], [`Verdict::Local`]) count as the row's own failure when they get here.
#[must_use]
pub(super) fn consequence(verdict: Verdict) -> Consequence {
    let (message, reason, then, unreachable, verdict) = match verdict {
        Verdict::Done { remote_id } => return Consequence::Sent { remote_id },
        Verdict::Interrupted => return Consequence::Interrupted,
        Verdict::Unavailable {
            message, unreachable, ..
        } => (message, Reason::Suspect, Then::EndPass, unreachable, "unavailable"),
        Verdict::Misconfigured {
            message,
            may_be_the_row,
        } => {
            let reason = if may_be_the_row {
                Reason::Suspect
            } else {
                Reason::Backend
            };
            (message, reason, Then::EndPass, false, "misconfigured")
        }
        Verdict::ServerError { message } => (message, Reason::Row, Then::GoOnUnlessRepeated, false, "server error"),
        Verdict::Refused { message } => (message, Reason::Row, Then::GoOn, false, "refused"),
        Verdict::InvalidResponse { message } => (
            message,
            Reason::Row,
            Then::GoOnUnlessRepeated,
            false,
            "invalid response",
        ),
        Verdict::RetryUncompressed => (
            "HTTP 415: corps non compressé refusé".to_string(),
            Reason::Row,
            Then::GoOn,
            false,
            "refused",
        ),
        Verdict::Resume => (
            "envoi interrompu".to_string(),
            Reason::Row,
            Then::GoOn,
            false,
            "interrupted",
        ),
        Verdict::Local(error) => (error.to_string(), Reason::Row, Then::GoOnUnasked, false, "local"),
    };
    Consequence::Failed {
        message,
        reason,
        then,
        unreachable,
        verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_consequence() {
        let text = || "m".to_string();
        let failed = |reason, then, unreachable, verdict| Consequence::Failed {
            message: text(),
            reason,
            then,
            unreachable,
            verdict,
        };
        let unavailable = |unreachable| Verdict::Unavailable {
            message: text(),
            unreachable,
            retry_after: None,
        };
        let table = [
            (Verdict::Done { remote_id: 7 }, Consequence::Sent { remote_id: 7 }),
            (Verdict::Interrupted, Consequence::Interrupted),
            (
                unavailable(true),
                failed(Reason::Suspect, Then::EndPass, true, "unavailable"),
            ),
            (
                unavailable(false),
                failed(Reason::Suspect, Then::EndPass, false, "unavailable"),
            ),
            (
                Verdict::Misconfigured {
                    message: text(),
                    may_be_the_row: false,
                },
                failed(Reason::Backend, Then::EndPass, false, "misconfigured"),
            ),
            (
                Verdict::Misconfigured {
                    message: text(),
                    may_be_the_row: true,
                },
                failed(Reason::Suspect, Then::EndPass, false, "misconfigured"),
            ),
            (
                Verdict::ServerError { message: text() },
                failed(Reason::Row, Then::GoOnUnlessRepeated, false, "server error"),
            ),
            (
                Verdict::Refused { message: text() },
                failed(Reason::Row, Then::GoOn, false, "refused"),
            ),
            (
                Verdict::InvalidResponse { message: text() },
                failed(Reason::Row, Then::GoOnUnlessRepeated, false, "invalid response"),
            ),
            (
                Verdict::Local(std::io::Error::other("m")),
                failed(Reason::Row, Then::GoOnUnasked, false, "local"),
            ),
        ];
        for (verdict, expected) in table {
            assert_eq!(consequence(verdict), expected);
        }
    }
}
