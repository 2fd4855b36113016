//! A recorder at work: inserts events at a steady pace and measures how long each one took.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::device::{Device, insert_event};
use super::layout::Journal;

pub struct Recorder {
    stop: Arc<AtomicBool>,
    work: JoinHandle<Journaled>,
    control: JoinHandle<Journaled>,
    neighbour: JoinHandle<()>,
    control_device: Device,
}

/// What one recorder saw.
#[derive(Debug, Default)]
struct Journaled {
    took: Vec<Duration>,
    failed: Vec<String>,
}

/// What a recorder's day was like.
#[derive(Debug)]
pub struct Day {
    pub inserts: usize,
    pub failed: Vec<String>,
    pub slowest: Duration,
    /// The slowest insert into a database that only a considerate neighbour writes to: what the machine itself
    /// costs, when it takes the processor away from whoever holds a lock.
    pub slowest_alone: Duration,
}

impl Recorder {
    /// Inserts an event every `pace`, and as many into a database of its own for comparison.
    pub fn start(device: &Device, journal: Journal, pace: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let control_device = Device::with(device.layout, journal);
        let work = insert_at_pace(device, pace, &stop);
        let control = insert_at_pace(&control_device, pace, &stop);
        let neighbour = write_now_and_then(&control_device, &stop);
        Recorder {
            stop,
            work,
            control,
            neighbour,
            control_device,
        }
    }

    pub fn stop(self) -> Day {
        self.stop.store(true, Ordering::Relaxed);
        let work = self.work.join().unwrap();
        let control = self.control.join().unwrap();
        self.neighbour.join().unwrap();
        drop(self.control_device);
        Day {
            inserts: work.took.len(),
            failed: work.failed,
            slowest: work.took.into_iter().max().unwrap_or_default(),
            slowest_alone: control.took.into_iter().max().unwrap_or_default(),
        }
    }
}

impl Day {
    /// No insert failed, none waited for more than 250 ms beyond what a busy machine costs anyone.
    pub fn assert_undisturbed(&self) {
        assert!(self.failed.is_empty(), "inserts failed: {self:?}");
        assert!(self.inserts > 0, "the recorder did nothing");
        let allowed = Duration::from_millis(250) + self.slowest_alone;
        assert!(self.slowest <= allowed, "an insert waited: {self:?}");
    }
}

fn insert_at_pace(device: &Device, pace: Duration, stop: &Arc<AtomicBool>) -> JoinHandle<Journaled> {
    let (path, layout, stop): (PathBuf, _, _) = (device.path(), device.layout, stop.clone());
    let mut dates = Dates::after(device);
    spawn(move || {
        let mut journal = Journaled::default();
        while !stop.load(Ordering::Relaxed) {
            let started = Instant::now();
            match insert_event(&path, layout, &dates.next(), 2) {
                Ok(_) => journal.took.push(started.elapsed()),
                Err(error) => journal.failed.push(format!("{error} after {:?}", started.elapsed())),
            }
            sleep(pace.saturating_sub(started.elapsed()));
        }
        journal
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
