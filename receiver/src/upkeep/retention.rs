//! What is removed by age and for space: a few rows at a time, with a rest after each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lead::Lead;
use crate::config::Keep;
use crate::metrics::{OfRemoval, UpkeepMetrics};
use crate::people::now_s;
use crate::store::upkeep::{Doom, Doomed, Reason};
use crate::store::{Desk, Store, StoreError};

/// The name of the work.
pub(super) const WORK: &str = "retention";

/// Clips that are on their way out at a time.
const CLIPS_MOST: u32 = 50;

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
            wait = if step == Step::Stuck {
                (wait * 2).min(TROUBLE_MOST)
            } else {
                TROUBLE_FIRST
            };
            tokio::time::sleep(rest).await;
        }
    }

    async fn step(&mut self) -> Result<Step, StoreError> {
        // Without a setting there may still be what an earlier one began.
        if !self.keep.removes() && self.desk.doomed(1).await?.is_empty() {
            return Ok(Step::Nothing);
        }
        if !self.lead.is_ours().await? {
            self.known = Known::default();
            self.metrics.stuck.set(0);
            return Ok(Step::Nothing);
        }
        let doomed = self.desk.doomed(CLIPS_MOST).await?;
        let stuck = self.remove(&doomed).await?;
        let more = self.remove_rows().await?;
        let room = CLIPS_MOST.saturating_sub(u32::try_from(stuck).unwrap_or(u32::MAX));
        // What was removed may have taken longer than the lead lasts: then another one has added up what is to go.
        let may_doom = room > 0 && self.lead.is_ours().await?;
        let found = if may_doom { self.doom(room).await? } else { 0 };
        if doomed.len() > stuck || more || found > 0 {
            Ok(Step::Did)
        } else if stuck > 0 {
            Ok(Step::Stuck)
        } else {
            Ok(Step::Nothing)
        }
    }

    /// Removes the bytes of clips, then their rows; says how many stay.
    async fn remove(&mut self, doomed: &[Doomed]) -> Result<usize, StoreError> {
        let places = doomed.iter().map(|clip| (clip.file.clone(), clip.manifest.clone()));
        let removed = if doomed.is_empty() {
            Vec::new()
        } else {
            self.store.remove_clips(places.collect()).await
        };
        let (mut gone, mut trouble, mut stuck) = (Vec::new(), None, 0);
        for (clip, removed) in doomed.iter().zip(removed) {
            match removed {
                Ok(()) => gone.push(clip),
                Err(error) => {
                    stuck += 1;
                    self.metrics.removal_errors.inc();
                    trouble = trouble.or(Some(error.to_string()));
                }
            }
        }
        if !gone.is_empty() {
            self.desk.clips_gone(gone.iter().map(|clip| clip.id).collect()).await?;
            for clip in &gone {
                self.count("media", clip.reason, 1, clip.size_bytes);
            }
            log::info!("retention: removed {} clips", gone.len());
        }
        self.metrics.stuck.set(i64::try_from(stuck).unwrap_or(i64::MAX));
        self.tell(trouble, stuck).await?;
        Ok(stuck)
    }

    /// Says what stands in the way, in the log when that changes, and to people for as long as it lasts.
    async fn tell(&mut self, trouble: Option<String>, stuck: usize) -> Result<(), StoreError> {
        if !self.known.looked {
            self.known.trouble = self.desk.trouble().await?.map(|trouble| trouble.reason);
            self.known.looked = true;
        }
        match (&trouble, &self.known.trouble) {
            (None, None) => return Ok(()),
            (None, Some(_)) => log::warn!("retention: what could not be removed is gone"),
            (Some(now), before) if before.as_ref() != Some(now) => {
                log::error!("retention: {stuck} clips can't be removed, the first because {now}; it is tried again");
            }
            _ => {}
        }
        self.desk.put_trouble(trouble.clone()).await?;
        self.known.trouble = trouble;
        Ok(())
    }

    /// Removes events and receipts by age; says whether there may be more.
    async fn remove_rows(&self) -> Result<bool, StoreError> {
        let mut more = false;
        if let Some(before_s) = self.keep.events_days.map(before) {
            let removed = self.desk.remove_events(before_s, ROWS_MOST).await?;
            self.count("evenement", Reason::Age, removed as u64, 0);
            more |= removed > 0;
        }
        if let Some(before_s) = self.keep.receipts_days.map(before) {
            more |= self.desk.forget_receipts(before_s, ROWS_MOST).await? > 0;
        }
        Ok(more)
    }

    /// Dooms clips by age, then for space; says how many.
    async fn doom(&mut self, room: u32) -> Result<usize, StoreError> {
        if let Some(before_s) = self.keep.clips_days.map(before) {
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
fn before(days: u64) -> i64 {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    now_s().saturating_sub(days.saturating_mul(DAY_S))
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
}
