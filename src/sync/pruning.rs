//! Pruning from pass to pass: when the table is gone through anew, and what was said already.

use std::collections::BTreeMap;
use std::time::Duration;

use super::policy;
use super::prune::{End, Sweep, Why};
use super::too_long::TooLong;
use crate::clock::Clock;
use crate::config::PruneConfig;
use crate::device::{Device, DeviceError};
use crate::notice::{Notice, Reporter};

/// The key under which the database remembers when the table was last gone through to its end, in Unix seconds: also a run from cron
/// knows it.
const SWEPT_WHOLE: &str = "prune_swept_whole";

/// What is kept from pass to pass.
pub(super) struct Pruning {
    config: PruneConfig,
    /// New rows come first: whoever wants them within 2 s does not wait for a clean-up.
    gives_way: bool,
    /// What this and earlier processes learned.
    too_long: Option<TooLong>,
    /// Where the sweeps by age and for room go on; what is above was not looked at yet.
    by_age: Option<i64>,
    for_room: Option<i64>,
    /// When (monotonic) the table was last gone through by age.
    swept: Option<Duration>,
    /// When (monotonic) nothing more was found that could make room.
    exhausted: Option<Duration>,
    /// What was said, by what it is about.
    said: BTreeMap<&'static str, String>,
}

impl Pruning {
    pub(super) fn new(config: PruneConfig, gives_way: bool) -> Self {
        Self {
            config,
            gives_way,
            too_long: None,
            by_age: None,
            for_room: None,
            swept: None,
            exhausted: None,
            said: BTreeMap::new(),
        }
    }

    /// Deletes what may go after a pass that sent `clips_sent`. Trouble is said once: the pass itself is done.
    pub(super) fn after_pass(
        &mut self,
        device: &mut Device,
        reporter: &mut dyn Reporter,
        clock: &dyn Clock,
        clips_sent: u64,
    ) {
        if self.config.is_off() {
            return;
        }
        if clips_sent > 0 {
            self.exhausted = None;
        }
        let trouble = self.run(device, reporter, clock).err();
        if let Some(error) = &trouble {
            log::debug!("pruning: {error}");
        }
        self.say(reporter, "error", trouble.map(|error| error.message));
    }

    fn run(&mut self, device: &mut Device, reporter: &mut dyn Reporter, clock: &dyn Clock) -> Result<(), DeviceError> {
        let obstacle = device.prune_obstacle()?;
        let stands = obstacle.is_some();
        self.say(reporter, "obstacle", obstacle);
        if stands {
            return Ok(());
        }
        let mut too_long = match self.too_long.take() {
            Some(known) => known,
            None => TooLong::recall(device)?,
        };
        let version = self.gives_way.then(|| device.data_version()).transpose()?;
        let mut sweep = Sweep {
            device,
            reporter,
            clock,
            too_long: &mut too_long,
            until: clock.monotonic() + policy::PRUNE_TIME,
            most: policy::PRUNE_CLIPS,
            version,
            deleted: (0, 0),
        };
        let result = self.sweeps(&mut sweep);
        let message = too_long.told();
        self.too_long = Some(too_long);
        if let Some(message) = message {
            self.say(reporter, "too long", Some(message));
        }
        let missing = self.missing(device, &result)?;
        self.say(reporter, "space", missing);
        result.map(|_| ())
    }

    /// First what is old enough, then what must go for room.
    fn sweeps(&mut self, sweep: &mut Sweep) -> Result<End, DeviceError> {
        let now = sweep.clock.monotonic();
        let is_due =
            |last: Option<Duration>, every: Duration| last.is_none_or(|last| now.saturating_sub(last) >= every);
        for why in Why::of(&self.config, sweep.clock.local()) {
            let end = match why {
                Why::Age(_) => {
                    if self.by_age.is_none() && !is_due(self.swept, policy::PRUNE_EVERY) {
                        continue;
                    }
                    let unix_s = sweep.clock.unix_seconds();
                    let whole = is_whole_due(sweep.device, unix_s)?;
                    let end = sweep.run(why, self.by_age.unwrap_or(i64::MIN), whole)?;
                    self.by_age = goes_on_at(end, self.by_age);
                    if end == End::Done {
                        self.swept = Some(now);
                        if whole {
                            sweep.device.set_meta(SWEPT_WHOLE, &unix_s.to_string())?;
                        }
                    }
                    end
                }
                Why::Space(_) => {
                    if !is_due(self.exhausted, policy::PRUNE_EVERY) {
                        continue;
                    }
                    let end = sweep.run(why, self.for_room.unwrap_or(i64::MIN), true)?;
                    self.for_room = goes_on_at(end, self.for_room);
                    self.exhausted = (end == End::Done).then_some(now);
                    end
                }
            };
            if end != End::Done {
                return Ok(end);
            }
        }
        Ok(End::Done)
    }

    /// What to say when nothing is left that could make room.
    fn missing(&mut self, device: &Device, result: &Result<End, DeviceError>) -> Result<Option<String>, DeviceError> {
        let Some(keep_mb) = self.config.keep_free_mb else {
            return Ok(None);
        };
        let free_mb = device.free_bytes()? / 1_000_000;
        if free_mb >= keep_mb {
            self.exhausted = None;
            return Ok(None);
        }
        Ok((result == &Ok(End::Done)).then(|| {
            format!(
                "{free_mb} Mo libres sur les {keep_mb} de SYNC_PRUNE_KEEP_FREE_MB, et plus aucun média à supprimer qui soit sûrement sur le serveur"
            )
        }))
    }

    /// Says a thing once, and again only after it was over.
    fn say(&mut self, reporter: &mut dyn Reporter, about: &'static str, message: Option<String>) {
        match message {
            None => {
                self.said.remove(about);
            }
            Some(message) if !self.said.contains_key(about) => {
                log::warn!("{message}");
                reporter.notice(&Notice::NotPruned(&message));
                self.said.insert(about, message);
            }
            Some(_) => {}
        }
    }
}

/// Whether the table is to be gone through to its end. A time to come is a clock that was wrong.
fn is_whole_due(device: &Device, now: i64) -> Result<bool, DeviceError> {
    let last: Option<i64> = device.meta(SWEPT_WHOLE)?.and_then(|text| text.parse().ok());
    Ok(last.is_none_or(|last| !(0..policy::PRUNE_WHOLE_EVERY_S).contains(&now.saturating_sub(last))))
}

/// Where a sweep that began at `before` goes on another time.
fn goes_on_at(end: End, before: Option<i64>) -> Option<i64> {
    match end {
        End::At(after) => Some(after),
        End::Interrupted => before,
        End::Done => None,
    }
}
