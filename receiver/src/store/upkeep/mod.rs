//! What receivers keep in order beside serving: whose turn it is, what is removed by age or for space,
//! and what is told to people.

mod alerting;
mod keeping;

use super::Pending;
pub(crate) use alerting::{Alarm, Alerting, Important, Notice, Subject, Turn};
pub(crate) use keeping::{Doom, Doomed, EventPage, Keeping, Reason, Removal, Trouble};

/// Whose turn a work is that one of any number of receivers does at a time.
pub(crate) trait Leases: Send + Sync {
    /// Takes the lead of `work`, or keeps it, for `lease_ms` from now by the database's clock; `false` while it is
    /// another's.
    fn lead(&self, work: &'static str, holder: String, lease_ms: i64) -> Pending<'_, bool>;

    /// What a receiver calls itself here: where there is one at a time, each has the name of the one before, whose leads it
    /// goes on with.
    fn name_of_receiver(&self) -> String;

    /// Lets go of the lead, if it is this holder's: another need not wait for the end of the lease.
    fn resign(&self, work: &'static str, holder: String) -> Pending<'_, ()>;
}
