//! A device: work that arrives by schedule, whether or not the work before is done, and one line to bring it over.

pub(crate) mod clip;
pub(crate) mod events;
mod line_times;
mod pass;
mod schedule;
mod status;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sync_protocol::Extensions;
use sync_protocol::patience::Troubles;

use crate::arguments::Name;
use crate::network::Line;
use crate::run::{Run, Table};
use crate::stats::Kind;
use crate::wire;
use line_times::LineTimes;
use schedule::Schedule;

/// What became of a row, as its device knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of its date.
    pub(crate) unix_s: i64,
    /// What the server calls it; `None` without a receipt.
    pub(crate) id: Option<i64>,
}

/// All rows of a device; a row's number is its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) events: Vec<Entry>,
    pub(crate) clips: Vec<Entry>,
}

/// What is left of a device when the run is over.
pub(crate) struct Lived {
    pub(crate) ledger: Ledger,
    /// Of each return of its line (0: the backlog at the beginning, then the outages): how long until nothing waited.
    pub(crate) drained: Vec<(usize, Duration)>,
    /// When it last got a row through.
    pub(crate) last_through: Option<Instant>,
}

/// A row that waits.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    number: u32,
    due: Instant,
    /// Something of a clip may be at a server.
    begun: bool,
    /// A clip's line breaks half-way, once.
    cut: bool,
}

/// A device.
pub(crate) struct Device {
    run: Arc<Run>,
    number: u32,
    name: Name,
    random: Rng,
    line: Line,
    line_times: LineTimes,
    schedule: Schedule,
    events: VecDeque<Waiting>,
    clips: VecDeque<Waiting>,
    status_due: Option<Instant>,
    batch_rows: usize,
    troubles: Troubles,
    /// When its line came back last; what was due before is late since then alone.
    returned: Instant,
    returning: Option<usize>,
    lived: Lived,
}

impl Device {
    pub(crate) fn new(run: &Arc<Run>, number: u32, name: Name, extensions: &[Extensions]) -> Self {
        let plan = &run.plan;
        let mut random = Rng::with_seed(plan.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number)));
        let mut line = Line::new(&run.network, number, extensions);
        line.pass = name.token.as_deref().and_then(wire::bearer);
        let mut device = Self {
            run: Arc::clone(run),
            number,
            name,
            line,
            line_times: LineTimes::new(run, &mut random),
            schedule: Schedule::new(run, &mut random),
            random,
            events: VecDeque::new(),
            clips: VecDeque::new(),
            status_due: None,
            batch_rows: events::BATCH_ROWS_FIRST,
            troubles: Troubles::default(),
            returned: run.begun,
            returning: (plan.backlog_events + plan.backlog_clips > 0).then_some(0),
            lived: Lived {
                ledger: Ledger::default(),
                drained: Vec::new(),
                last_through: None,
            },
        };
        for (table, count) in [(Table::Events, plan.backlog_events), (Table::Clips, plan.backlog_clips)] {
            for index in 0..count {
                device.wait(table, run.begun, run.backlog_unix_s(index, count));
            }
        }
        device
    }

    /// Plays the device until all its rows are through, or time is up.
    pub(crate) async fn live(mut self) -> Lived {
        let deadline = self.run.deadline();
        sleep_until(self.run.begun).await;
        loop {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            if let Some((outage, back)) = self.line_times.down(now) {
                self.line.hang_up();
                sleep_until(back).await;
                self.returned = back;
                self.returning = Some(outage);
                self.troubles.over();
                continue;
            }
            self.take_due(now);
            if self.events.is_empty() && self.clips.is_empty() && self.status_due.is_none() {
                self.note_drained(now);
                match self.schedule.next() {
                    Some(next) => self.rest(next).await,
                    // No more work, but a line that others count with.
                    None if now < self.run.work_ends() => self.rest(self.run.work_ends()).await,
                    None => break,
                }
                continue;
            }
            let ends = self.line_times.next_down(now).unwrap_or(deadline).min(deadline);
            match tokio::time::timeout_at(ends.into(), self.pass()).await {
                Ok(Ok(())) => self.troubles.over(),
                Ok(Err(pass::Ended)) => {
                    let (named, chance) = (self.line.named_wait(), self.random.f64());
                    let wait = self.troubles.wait(named, self.run.plan.interval, chance);
                    sleep_until((Instant::now() + wait).min(ends)).await;
                }
                // The power is gone, whatever was on its way.
                Err(_) => self.line.hang_up(),
            }
        }
        self.give_up();
        self.lived
    }

    /// Time is up: what is not through by now is as late as it is, and is no less late for being left out.
    fn give_up(&mut self) {
        self.take_due(Instant::now());
        for (kind, waiting) in [(Kind::Event, &self.events), (Kind::Clip, &self.clips)] {
            for row in waiting {
                self.run.stats().through(kind, self.late_since(row.due));
            }
        }
    }

    /// Adds what has become due.
    fn take_due(&mut self, now: Instant) {
        for due in self.schedule.take(now) {
            match due.what {
                schedule::What::Status => self.status_due = self.status_due.or(Some(due.at)),
                schedule::What::Row(table) => {
                    let unix_s = self.run.unix_s(due.at);
                    self.wait(table, due.at, unix_s);
                }
            }
        }
    }

    /// A new row waits.
    fn wait(&mut self, table: Table, due: Instant, unix_s: i64) {
        let (waiting, entries) = match table {
            Table::Events => (&mut self.events, &mut self.lived.ledger.events),
            Table::Clips => (&mut self.clips, &mut self.lived.ledger.clips),
        };
        waiting.push_back(Waiting {
            number: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            due,
            begun: false,
            cut: table == Table::Clips && self.random.f64() < self.run.plan.cut_share,
        });
        entries.push(Entry { unix_s, id: None });
    }

    fn note_drained(&mut self, now: Instant) {
        if let Some(which) = self.returning.take() {
            let took = now.saturating_duration_since(self.returned);
            self.lived.drained.push((which, took));
        }
    }

    /// Nothing to do until then; the connection lies idle for its time, and is ended.
    async fn rest(&mut self, until: Instant) {
        let until = self
            .line_times
            .next_down(Instant::now())
            .map_or(until, |down| down.min(until));
        if let Some(idle_until) = self.line.idle_until().filter(|idle_until| *idle_until < until) {
            sleep_until(idle_until).await;
            self.line.hang_up();
        }
        sleep_until(until).await;
    }

    /// Since when something that was due then is late: not before the line was back.
    fn late_since(&self, due: Instant) -> Duration {
        due.max(self.returned).elapsed()
    }
}

async fn sleep_until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}
