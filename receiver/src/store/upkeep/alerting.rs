//! What is asked of a database by who tells people that something is wrong.
//!
//! What holds and what is to be told of it are changed together, each once, whoever changes it: a notice stays until
//! somebody took it, also after a restart.

use super::super::Pending;
use crate::store::reading::Cursor;

/// A sensor whose events are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Important {
    pub(crate) device_id: String,
    /// Its name, or its id where it has none.
    pub(crate) sensor: String,
    pub(crate) marked_by: String,
    pub(crate) marked_at_s: i64,
}

/// What an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) device_id: String,
    /// The name of a state, or `event`.
    pub(crate) what: String,
    /// Of an event; else empty.
    pub(crate) sensor: String,
}

impl Subject {
    /// All of it as one text that is no other's.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}", self.what, self.device_id, self.sensor)
    }
}

/// Something that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) subject: Subject,
    /// As it is linked to.
    pub(crate) moment: String,
    pub(crate) began_s: i64,
    /// When it was last seen to hold.
    pub(crate) last_s: i64,
}

/// What becomes of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// With what is told of it.
    Begins(Alarm, String),
    GoesOn(Subject, i64),
    /// With what is told of it.
    IsOver(Subject, String),
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) id: i64,
    pub(crate) body: String,
    /// How often it was tried before.
    pub(crate) tries: u32,
}

/// Keeping what is to be told.
pub(crate) trait Alerting: Send + Sync {
    /// Sensors whose events are told.
    fn important(&self) -> Pending<'_, Vec<Important>>;

    /// Marks a sensor; one that is marked stays as it is.
    fn mark(&self, sensor: Important) -> Pending<'_, ()>;

    /// Takes a mark off.
    fn unmark(&self, device_id: String, sensor: String) -> Pending<'_, ()>;

    /// What holds now.
    fn alarms(&self) -> Pending<'_, Vec<Alarm>>;

    /// Changes what holds, with what is to be told of it, and notes how far events were followed: all of it or nothing.
    /// What begins while it holds, or is over while it does not, changes nothing and is not told.
    fn turn(&self, turns: Vec<Turn>, followed: Option<Cursor>) -> Pending<'_, ()>;

    /// How far events were followed.
    fn followed(&self) -> Pending<'_, Option<Cursor>>;

    /// Notes that somebody looks now; gives since when somebody does without a gap longer than `gap_s`.
    fn looked(&self, now_s: i64, gap_s: i64) -> Pending<'_, i64>;

    /// Takes the next notice that is due, for `claim_s`: nobody else gets it meanwhile. Those of a subject are given in
    /// their order, the next one when the one before was taken.
    fn next_notice(&self, claim_s: i64) -> Pending<'_, Option<Notice>>;

    /// A notice was taken: it is no more.
    fn notice_taken(&self, id: i64) -> Pending<'_, ()>;

    /// A notice was not taken: it is due again after this.
    fn notice_refused(&self, id: i64, again_s: i64) -> Pending<'_, ()>;

    /// How many wait.
    fn notices(&self) -> Pending<'_, usize>;
}
