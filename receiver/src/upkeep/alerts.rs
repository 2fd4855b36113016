//! What is told to people: states of devices, and events of sensors that somebody marked as important. Each is told when it
//! begins and when it is over; what holds is in the database, so that nothing is told twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lead::Lead;
use super::message::Writer;
use super::turns::{Turns, sensor_of};
use crate::known_devices::Known;
use crate::metrics::UpkeepMetrics;
use crate::people::now_s;
use crate::store::reading::{Change, Cursor};
use crate::store::upkeep::{Important, Turn};
use crate::store::{Desk, StoreError};

/// The name of the work.
pub(super) const WORK: &str = "alerts";

/// How often events are looked for, and devices looked at.
const EVENTS_EVERY: Duration = Duration::from_secs(2);
const DEVICES_EVERY: Duration = Duration::from_secs(10);

/// Rows read at a time.
const ROWS_MOST: u32 = 500;

/// How far events were followed is noted at least so often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Where nobody has looked for so long, no device could give a sign: silence is counted from then on anew.
const GAP_S: i64 = 600;

/// With so many that nobody took, nothing more is noticed: it still holds, or not, when there is room.
const WAITING_MOST: usize = 10_000;

/// The work, and what it remembers between two looks.
pub(super) struct Alerts {
    lead: Lead,
    desk: Arc<dyn Desk>,
    writer: Writer,
    metrics: UpkeepMetrics,
    /// How far events were followed, and when that was noted.
    followed: Option<(Cursor, Instant)>,
    devices_at: Option<Instant>,
    watched: Option<(i64, Instant)>,
}

impl Alerts {
    pub(super) fn new(lead: Lead, desk: Arc<dyn Desk>, writer: Writer, metrics: UpkeepMetrics) -> Self {
        Self {
            lead,
            desk,
            writer,
            metrics,
            followed: None,
            devices_at: None,
            watched: None,
        }
    }

    /// Looks, for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            if let Err(error) = self.look().await {
                log::warn!("alerts: {error}; it is tried again");
                self.followed = None;
            }
            tokio::time::sleep(EVENTS_EVERY).await;
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        if !self.lead.is_ours().await? {
            // Another one goes on from what is noted.
            (self.followed, self.devices_at, self.watched) = (None, None, None);
            self.metrics.alarms.set(0);
            self.metrics.notices_waiting.set(0);
            return Ok(());
        }
        let waiting = self.desk.notices().await?;
        self.metrics
            .notices_waiting
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
        if waiting >= WAITING_MOST {
            return Ok(());
        }
        let important = self.desk.important().await?;
        let is_time = self.devices_at.is_none_or(|at| at.elapsed() >= DEVICES_EVERY);
        let followed = self.cursor(&important).await?;
        if !is_time && followed.is_none() {
            return Ok(());
        }
        let held = self.desk.alarms().await?;
        self.metrics.alarms.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
        let held = held.into_iter().map(|alarm| (alarm.subject.clone(), alarm)).collect();
        let (now_s, turns) = (now_s(), Vec::new());
        let mut turns = Turns {
            writer: &self.writer,
            now_s,
            held,
            turns,
        };
        let end = match followed {
            Some(cursor) => Some(follow(&*self.desk, cursor, &important, &mut turns).await?),
            None => None,
        };
        turns.calm();
        if is_time {
            let since_s = watched(&*self.desk, &mut self.watched, now_s).await?;
            let known = read(self.desk.devices().await?).await;
            turns.devices(&known, since_s);
            self.devices_at = Some(Instant::now());
        }
        let turns = turns.turns;
        self.note(turns, end).await
    }

    /// Where events go on, if any sensor is important.
    async fn cursor(&mut self, important: &[Important]) -> Result<Option<Cursor>, StoreError> {
        if important.is_empty() {
            if self.followed.take().is_some() {
                // Who marks one later is told from then on.
                self.desk.turn(Vec::new(), None).await?;
            }
            return Ok(None);
        }
        if let Some((cursor, _)) = &self.followed {
            return Ok(Some(cursor.clone()));
        }
        let noted = self.desk.followed().await?;
        let newest = self.desk.newest().await?;
        let cursor = match noted.filter(|cursor| self.desk.is_own(cursor, &newest)) {
            Some(cursor) => cursor,
            None => {
                self.desk.turn(Vec::new(), Some(newest.clone())).await?;
                newest
            }
        };
        self.followed = Some((cursor.clone(), Instant::now()));
        Ok(Some(cursor))
    }

    /// Changes what holds, and notes how far events were followed.
    async fn note(&mut self, turns: Vec<Turn>, end: Option<Cursor>) -> Result<(), StoreError> {
        let is_late = self.followed.as_ref().is_some_and(|(_, at)| at.elapsed() >= NOTE_EVERY);
        let has_turns = !turns.is_empty();
        let noted = has_turns || (is_late && end.is_some());
        if noted {
            for turn in &turns {
                match turn {
                    Turn::Begins(alarm, _) => {
                        log::info!("alerts: {} begins: {}", alarm.subject.what, alarm.subject.device_id)
                    }
                    Turn::IsOver(subject, _) => log::info!("alerts: {} is over: {}", subject.what, subject.device_id),
                    Turn::GoesOn(..) => {}
                }
            }
            self.desk.turn(turns, end.clone()).await?;
        }
        if let Some(end) = end {
            let at = match &self.followed {
                Some((_, at)) if !noted => *at,
                _ => Instant::now(),
            };
            self.followed = Some((end, at));
        }
        Ok(())
    }
}

/// Reads what devices told, on a thread of its own: of thousands it takes a moment.
async fn read(rows: Vec<crate::store::reading::DeviceRow>) -> Vec<Known> {
    let reading = tokio::task::spawn_blocking(move || rows.into_iter().map(Known::new).collect());
    reading.await.unwrap_or_default()
}

/// Since when devices could give a sign.
async fn watched(desk: &dyn Desk, kept: &mut Option<(i64, Instant)>, now_s: i64) -> Result<i64, StoreError> {
    if let Some((since_s, _)) = kept.filter(|(_, at)| at.elapsed() < NOTE_EVERY) {
        return Ok(since_s);
    }
    let since_s = desk.looked(now_s, GAP_S).await?;
    *kept = Some((since_s, Instant::now()));
    Ok(since_s)
}

/// Goes through what was stored since; gives the place after it.
async fn follow(
    desk: &dyn Desk,
    mut cursor: Cursor,
    important: &[Important],
    turns: &mut Turns<'_>,
) -> Result<Cursor, StoreError> {
    let marked: HashSet<(&str, &str)> = important
        .iter()
        .map(|one| (one.device_id.as_str(), one.sensor.as_str()))
        .collect();
    loop {
        let (changes, end) = desk.changes(cursor, None, ROWS_MOST).await?;
        let is_last = changes.len() < ROWS_MOST as usize;
        for (change, _) in changes {
            if let Change::Event(event) = change {
                let sensor = sensor_of(&event);
                if marked.contains(&(event.device_id.as_str(), sensor.as_str())) {
                    turns.event(event, sensor);
                }
            }
        }
        cursor = end;
        if is_last || turns.turns.len() >= ROWS_MOST as usize {
            return Ok(cursor);
        }
    }
}
