//! What is removed by age and for space: a few rows at a time, with a rest after each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lead::Lead;
use super::leap::Leap;
use super::walk::Walk;
use crate::config::Keep;
use crate::metrics::{OfRemoval, UpkeepMetrics};
use crate::store::upkeep::{Doom, Doomed, Reason};
use crate::store::{Desk, Store, StoreError};

/// The name of the work.
pub(super) const WORK: &str = "retention";

/// Clips that are on their way out at a time.
const CLIPS_MOST: u32 = 50;

/// Clips that can't be removed, in a round, beyond which no more are doomed: it is the place for clips that is at fault.
const STUCK_MOST: u32 = 1_000;

/// Events looked at in a step, and receipts.
const ROWS_MOST: u32 = 200;

/// How often it is looked whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often the bytes of all clips are added up.
const SUM_EVERY: Duration = Duration::from_secs(30);

/// The rest after a step, at least; it is as long as the step if that took longer.
const REST: Duration = Duration::from_millis(20);

/// How long to wait after trouble, at first and at most.
const TROUBLE_FIRST: Duration = Duration::from_secs(1);
const TROUBLE_MOST: Duration = Duration::from_secs(60);

const DAY_S: i64 = 86_400;

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// There may be more.
    Did,
    Nothing,
    /// Nothing but what can't be done now.
    Stuck,
}

/// The work, and what it remembers between two steps.
pub(super) struct Retention {
    keep: Keep,
    lead: Lead,
    store: Arc<Store>,
    desk: Arc<dyn Desk>,
    metrics: UpkeepMetrics,
    known: Known,
    leap: Leap,
}

/// What is known of the database for as long as nobody else leads.
#[derive(Default)]
struct Known {
    /// Bytes beyond what is kept, and when they were added up.
    excess: Option<(u64, Instant)>,
    /// What stands in the way, as it was told last.
    trouble: Option<String>,
    /// Whether what another receiver found in its way has been looked at.
    looked: bool,
    round: Round,
    walk: Walk,
}

/// Once through all that is doomed: what can't be removed is passed by, and tried again in the next one.
struct Round {
    begun: Instant,
    /// The last clip that stays.
    past: i64,
    /// How many do.
    stuck: u32,
}

impl Default for Round {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            past: 0,
            stuck: 0,
        }
    }
}

impl Retention {
    pub(super) fn new(keep: Keep, lead: Lead, store: Arc<Store>, desk: Arc<dyn Desk>, metrics: UpkeepMetrics) -> Self {
        Self {
            keep,
            lead,
            store,
            desk,
            metrics,
            known: Known::default(),
            leap: Leap::new(WORK),
        }
    }

    /// Removes what is to go, for as long as it is polled.
    pub(super) async fn run(mut self) {
        let mut wait = TROUBLE_FIRST;
        loop {
            let begun = Instant::now();
            let step = self.step().await.unwrap_or_else(|error| {
                log::warn!("retention: {error}; it is tried again");
                Step::Stuck
            });
            let rest = match step {
                Step::Did => begun.elapsed().max(REST),
                Step::Nothing => LOOK_EVERY,
                Step::Stuck => wait,
            };
            wait = match step {
                Step::Did => wait,
                Step::Nothing => TROUBLE_FIRST,
                Step::Stuck => (wait * 2).min(TROUBLE_MOST),
            };
            tokio::time::sleep(rest).await;
        }
    }

    async fn step(&mut self) -> Result<Step, StoreError> {
        // Without a setting there may still be what an earlier one began.
        if !self.keep.removes() && self.desk.doomed(0, 1).await?.is_empty() {
            return Ok(Step::Nothing);
        }
        if !self.lead.is_ours().await? {
            self.known = Known::default();
            self.metrics.stuck.set(0);
            return Ok(Step::Nothing);
        }
        let doomed = self.desk.doomed(self.known.round.past, CLIPS_MOST).await?;
        let count = u32::try_from(doomed.len()).unwrap_or(u32::MAX);
        let is_through = count < CLIPS_MOST;
        let stuck = self.remove(&doomed, is_through).await?;
        // A clock that has just leapt tells no age.
        let now_s = match self.keep.has_days() {
            true => self.leap.now_s(&self.store).await?,
            false => None,
        };
        let more = self.remove_rows(now_s).await?;
        let room = CLIPS_MOST
            .saturating_sub(stuck)
            .min(STUCK_MOST.saturating_sub(self.known.round.stuck));
        // What was removed may have taken longer than the lead lasts: then another one has added up what is to go.
        let may_doom = room > 0 && self.lead.is_ours().await?;
        let found = if may_doom { self.doom(room, now_s).await? } else { 0 };
        let step = if count > stuck || more || found > 0 || !is_through {
            Step::Did
        } else if self.known.round.stuck > 0 {
            Step::Stuck
        } else {
            Step::Nothing
        };
        // Where there is always something to do, what is stuck has its turn all the same.
        if step != Step::Did || is_through && self.known.round.begun.elapsed() > TROUBLE_MOST {
            self.known.round = Round::default();
        }
        Ok(step)
    }

    /// Removes the bytes of clips, then their rows; says how many stay. `is_through` says that there are no more.
    async fn remove(&mut self, doomed: &[Doomed], is_through: bool) -> Result<u32, StoreError> {
        let places = doomed.iter().map(|clip| (clip.file.clone(), clip.manifest.clone()));
        let removed = if doomed.is_empty() {
            Vec::new()
        } else {
            self.store.remove_clips(places.collect()).await
        };
        let (mut gone, mut stuck) = (Vec::new(), Vec::new());
        for (clip, removed) in doomed.iter().zip(removed) {
            match removed {
                Ok(()) => gone.push(clip),
                Err(error) => stuck.push((clip.id, error)),
            }
        }
        self.metrics.removal_errors.inc_by(stuck.len() as u64);
        if !gone.is_empty() {
            self.desk.clips_gone(gone.iter().map(|clip| clip.id).collect()).await?;
            for clip in &gone {
                self.count("media", clip.reason, 1, clip.size_bytes);
            }
            log::info!("retention: removed {} clips", gone.len());
        }
        self.pass_by(&stuck, is_through).await?;
        Ok(u32::try_from(stuck.len()).unwrap_or(u32::MAX))
    }

    /// Remembers and tells what can't be removed.
    async fn pass_by(&mut self, stuck: &[(i64, StoreError)], is_through: bool) -> Result<(), StoreError> {
        let is_first = self.known.round.stuck == 0;
        if let Some((last, _)) = stuck.last() {
            self.known.round.past = *last;
            self.known.round.stuck += u32::try_from(stuck.len()).unwrap_or(u32::MAX);
        }
        let all = i64::from(self.known.round.stuck);
        // Less than the last time is known at the end alone.
        if is_through || all > self.metrics.stuck.get() {
            self.metrics.stuck.set(all);
        }
        match stuck.first() {
            Some((_, error)) if is_first => self.tell(Some(error.to_string())).await,
            None if is_first && is_through => self.tell(None).await,
            _ => Ok(()),
        }
    }

    /// Says what stands in the way, in the log when that changes, and to people for as long as it lasts.
    async fn tell(&mut self, trouble: Option<String>) -> Result<(), StoreError> {
        if !self.known.looked {
            self.known.trouble = self.desk.trouble().await?.map(|trouble| trouble.reason);
            self.known.looked = true;
        }
        match (&trouble, &self.known.trouble) {
            (None, None) => return Ok(()),
            (None, Some(_)) => log::warn!("retention: what could not be removed is gone"),
            (Some(now), before) if before.as_ref() != Some(now) => {
                log::error!("retention: a clip can't be removed: {now}; it is tried again");
            }
            _ => {}
        }
        self.desk.put_trouble(trouble.clone()).await?;
        self.known.trouble = trouble;
        Ok(())
    }

    /// Removes events and receipts by age; says whether there may be more.
    async fn remove_rows(&mut self, now_s: Option<i64>) -> Result<bool, StoreError> {
        let before_s = before(now_s, self.keep.events_days);
        let (removed, mut more) = self.known.walk.remove(&*self.desk, before_s, ROWS_MOST).await?;
        self.count("evenement", Reason::Age, removed as u64, 0);
        if let Some(before_s) = before(now_s, self.keep.receipts_days) {
            more |= self.desk.forget_receipts(before_s, ROWS_MOST).await? > 0;
        }
        Ok(more)
    }

    /// Dooms clips by age, then for space; says how many.
    async fn doom(&mut self, room: u32, now_s: Option<i64>) -> Result<usize, StoreError> {
        if let Some(before_s) = before(now_s, self.keep.clips_days) {
            let found = self.desk.doom(Doom::Before(before_s), room).await?;
            if !found.is_empty() {
                // They count for space as well.
                self.known.excess = None;
                return Ok(found.len());
            }
        }
        let excess = self.excess().await?;
        if excess == 0 {
            return Ok(0);
        }
        // Where the answer is lost, they are added up again.
        let added_up = self.known.excess.take();
        let found = self.desk.doom(Doom::Bytes(excess), room).await?;
        let left = |(left, at): (u64, Instant)| (left.saturating_sub(found.iter().sum()), at);
        self.known.excess = added_up.map(left);
        Ok(found.len())
    }

    /// Bytes beyond what is kept.
    async fn excess(&mut self) -> Result<u64, StoreError> {
        let Some(most) = self.keep.clips_bytes else {
            return Ok(0);
        };
        if let Some((excess, _)) = self.known.excess.filter(|(_, at)| at.elapsed() < SUM_EVERY) {
            return Ok(excess);
        }
        let excess = self.desk.clip_bytes().await?.saturating_sub(most);
        self.known.excess = Some((excess, Instant::now()));
        Ok(excess)
    }

    fn count(&self, kind: &'static str, reason: Reason, rows: u64, bytes: u64) {
        let of = OfRemoval {
            kind,
            reason: reason.name(),
        };
        self.metrics.removed.get_or_create(&of).inc_by(rows);
        if kind == "media" {
            self.metrics.removed_bytes.get_or_create(&of).inc_by(bytes);
        }
    }
}

/// The moment before which something is older than so many days.
fn before(now_s: Option<i64>, days: Option<u64>) -> Option<i64> {
    let days = i64::try_from(days?).unwrap_or(i64::MAX);
    Some(now_s?.saturating_sub(days.saturating_mul(DAY_S)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Places, open};

    #[tokio::test]
    async fn trouble_that_another_receiver_told_ends_with_it() {
        let data = tempfile::tempdir().unwrap();
        let (store, desk) = open(data.path(), &Places::default()).await.unwrap();
        let metrics = UpkeepMetrics::default();
        let lead = || Lead::new(WORK, "one".to_string(), Arc::clone(&desk), &metrics);
        let keep = Keep {
            clips_days: Some(1),
            ..Keep::default()
        };
        let mut retention = Retention::new(keep, lead(), Arc::new(store), Arc::clone(&desk), metrics.clone());
        retention.step().await.unwrap();
        // The other one leads, finds something in its way, and is gone.
        desk.resign(WORK, "one".to_string()).await.unwrap();
        assert!(desk.lead(WORK, "two".to_string(), 60_000).await.unwrap());
        retention.lead = lead();
        assert_eq!(retention.step().await.unwrap(), Step::Nothing);
        desk.put_trouble(Some("a disk".to_string())).await.unwrap();
        desk.resign(WORK, "two".to_string()).await.unwrap();
        retention.lead = lead();
        retention.step().await.unwrap();
        assert_eq!(desk.trouble().await.unwrap(), None);
    }

    fn event() -> crate::record::Event {
        crate::record::Event {
            origin: crate::record::Origin {
                date: crate::record::Scalar::Null,
                sensor_id: crate::record::Scalar::Null,
                sensor_name: crate::record::Scalar::Null,
                device_id: "pi".to_string(),
                source: "sync_service".to_string(),
            },
            sensor_state: crate::record::Scalar::Null,
        }
    }

    #[tokio::test]
    async fn events_that_came_by_a_clock_that_was_ahead_hold_up_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (store, desk) = open(data.path(), &Places::default()).await.unwrap();
        let most = i64::from(ROWS_MOST);
        let add = async |count: i64| {
            for _ in 0..count {
                store.add_event(event(), None).await.unwrap();
            }
        };
        add(most + 1).await;
        crate::store::age_days(data.path(), -30);
        add(most).await;
        crate::store::age_days(data.path(), 2);
        add(most + 1).await;
        let metrics = UpkeepMetrics::default();
        let lead = Lead::new(WORK, "one".to_string(), Arc::clone(&desk), &metrics);
        let keep = Keep {
            events_days: Some(1),
            ..Keep::default()
        };
        let mut retention = Retention::new(keep, lead, Arc::new(store), desk, metrics.clone());
        let mut steps = 0;
        while retention.step().await.unwrap() == Step::Did {
            steps += 1;
            assert!(steps < 10);
        }
        let of = OfRemoval {
            kind: "evenement",
            reason: "age",
        };
        assert_eq!(metrics.removed.get_or_create(&of).get(), most as u64);
        // The next look begins behind those that were passed.
        assert_eq!(retention.known.walk.after, 2 * most);
    }

    #[tokio::test]
    async fn nothing_goes_by_age_while_the_clock_has_just_leapt() {
        let data = tempfile::tempdir().unwrap();
        let (store, desk) = open(data.path(), &Places::default()).await.unwrap();
        store.add_event(event(), None).await.unwrap();
        // It came two days ago, by a clock that has leapt since.
        crate::store::age_days(data.path(), 2);
        let metrics = UpkeepMetrics::default();
        let lead = Lead::new(WORK, "one".to_string(), Arc::clone(&desk), &metrics);
        let keep = Keep {
            events_days: Some(1),
            ..Keep::default()
        };
        let mut retention = Retention::new(keep, lead, Arc::new(store), desk, metrics.clone());
        let of = OfRemoval {
            kind: "evenement",
            reason: "age",
        };
        for (clock_s, gone) in [(2 * DAY_S, 0), (60, 1)] {
            retention.leap = Leap::since(clock_s, 60);
            retention.step().await.unwrap();
            assert_eq!(metrics.removed.get_or_create(&of).get(), gone, "{clock_s}");
        }
    }
}
