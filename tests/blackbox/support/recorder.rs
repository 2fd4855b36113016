//! A recorder at work: inserts events at a steady pace and measures how long each one waited for a lock.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::device::{Device, connect, event_row};
use super::eventually;
use super::layout::{Journal, Layout};

/// The longest that the uploader may keep an insert waiting.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

pub struct Recorder {
    stop: Arc<AtomicBool>,
    journal: Arc<Mutex<Journaled>>,
    control: Arc<Mutex<Journaled>>,
    threads: Vec<JoinHandle<()>>,
    _control_device: Device,
}

/// What one recorder saw.
#[derive(Debug, Default)]
struct Journaled {
    inserts: usize,
    /// The longest time from the first refusal of a lock to the end of the insert: what a slow machine costs before
    /// anybody stands in the way is no wait.
    longest_wait: Duration,
    failed: Vec<String>,
}

/// What a recorder's day was like.
#[derive(Debug)]
pub struct Day {
    pub inserts: usize,
    pub failed: Vec<String>,
    pub slowest: Duration,
    /// The longest wait in a database that only a considerate neighbour writes to: what the machine itself
    /// costs, when it takes the processor away from whoever holds a lock.
    pub slowest_alone: Duration,
}

impl Recorder {
    /// Inserts an event every `pace`, and as many into a database of its own for comparison.
    pub fn start(device: &Device, journal: Journal, pace: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let control_device = Device::with(device.layout, journal);
        let (work, control) = (Arc::default(), Arc::default());
        let threads = vec![
            insert_at_pace(device, pace, &stop, &work),
            insert_at_pace(&control_device, pace, &stop, &control),
            write_now_and_then(&control_device, &stop),
        ];
        Recorder {
            stop,
            journal: work,
            control,
            threads,
            _control_device: control_device,
        }
    }

    /// Waits until it has tried so many more inserts.
    #[track_caller]
    pub fn goes_on(&self, inserts: usize) {
        let tried = || {
            let journal = self.journal.lock().unwrap();
            journal.inserts + journal.failed.len()
        };
        let enough = tried() + inserts;
        eventually("the recorder goes on", || tried() >= enough);
    }

    /// What it saw since the last look.
    pub fn look(&self) -> Day {
        let work = std::mem::take(&mut *self.journal.lock().unwrap());
        let control = std::mem::take(&mut *self.control.lock().unwrap());
        Day {
            inserts: work.inserts,
            failed: work.failed,
            slowest: work.longest_wait,
            slowest_alone: control.longest_wait,
        }
    }

    pub fn stop(mut self) -> Day {
        self.stop.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut self.threads) {
            thread.join().unwrap();
        }
        self.look()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Day {
    /// Whether no insert waited for longer than it may.
    pub fn is_undisturbed(&self) -> bool {
        self.slowest <= LONGEST_WAIT + self.slowest_alone
    }

    /// No insert failed, none waited for more than 250 ms beyond what a busy machine costs anyone.
    #[track_caller]
    pub fn assert_undisturbed(&self, beside: &str) {
        assert!(self.failed.is_empty(), "inserts failed beside {beside}: {self:?}");
        assert!(self.inserts > 0, "the recorder did nothing beside {beside}");
        assert!(self.is_undisturbed(), "an insert waited beside {beside}: {self:?}");
    }
}

thread_local! {
    /// When the running insert was first refused a lock.
    static REFUSED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Waits as `sqlite3_busy_timeout` does, for 5 s in all, and notes since when.
fn wait_for_lock(times: i32) -> bool {
    const DELAYS_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let since = REFUSED.get().unwrap_or_else(Instant::now);
    REFUSED.set(Some(since));
    sleep(Duration::from_millis(
        DELAYS_MS[(times as usize).min(DELAYS_MS.len() - 1)],
    ));
    since.elapsed() < Duration::from_secs(5)
}

/// Inserts an event as the recorder does: a connection, one insert, commit, close. How long it waited for a lock.
fn insert(path: &Path, layout: Layout, date: &str) -> rusqlite::Result<Duration> {
    REFUSED.set(None);
    let db = connect(path)?;
    db.busy_handler(Some(wait_for_lock))?;
    let transaction = db.unchecked_transaction()?;
    event_row(&db, layout, date, 2)?;
    transaction.commit()?;
    db.close().map_err(|(_, error)| error)?;
    Ok(REFUSED.get().map_or(Duration::ZERO, |since| since.elapsed()))
}

fn insert_at_pace(
    device: &Device,
    pace: Duration,
    stop: &Arc<AtomicBool>,
    journal: &Arc<Mutex<Journaled>>,
) -> JoinHandle<()> {
    let (path, layout): (PathBuf, _) = (device.path(), device.layout);
    let (stop, journal) = (stop.clone(), journal.clone());
    let mut dates = Dates::after(device);
    spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            let inserted = insert(&path, layout, &dates.next());
            let mut journal = journal.lock().unwrap();
            match inserted {
                Ok(waited) => {
                    journal.inserts += 1;
                    journal.longest_wait = journal.longest_wait.max(waited);
                }
                Err(error) => journal.failed.push(format!("{error} after {:?}", started.elapsed())),
            }
            drop(journal);
            sleep(pace.saturating_sub(started.elapsed()));
        }
    })
}

/// A neighbour as the uploader should be: one connection, a row every 20 ms.
fn write_now_and_then(device: &Device, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (db, stop) = (device.db(), stop.clone());
    spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            db.execute("UPDATE capteur SET id_capteur = id_capteur WHERE id_capteur = 5", ())
                .unwrap();
            sleep(Duration::from_millis(20));
        }
    })
}

/// Dates for a recorder in a thread of its own: after every date the device gave out itself.
struct Dates {
    start: chrono::NaiveDateTime,
    given: i64,
}

impl Dates {
    fn after(device: &Device) -> Self {
        let date = chrono::NaiveDateTime::parse_from_str(&device.next_date(), "%Y-%m-%dT%H:%M:%S%.f").unwrap();
        Dates {
            start: date + chrono::Duration::hours(12),
            given: 0,
        }
    }

    fn next(&mut self) -> String {
        self.given += 1;
        let date = self.start + chrono::Duration::microseconds(self.given * 1_003);
        date.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }
}
