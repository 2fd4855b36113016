//! Real `sync-service` processes, and a balancer between them and the receivers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use super::noise;

/// Takes connections to the receivers in turn; who refuses one is left out.
pub struct Balancer {
    pub address: String,
    receivers: Arc<Mutex<Vec<String>>>,
    /// Answers that come meanwhile are lost.
    is_mute: Arc<AtomicBool>,
}

impl Balancer {
    pub fn before(receivers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let receivers: Vec<_> = receivers.iter().map(ToString::to_string).collect();
        let receivers = Arc::new(Mutex::new(receivers));
        let is_mute = Arc::<AtomicBool>::default();
        let (targets, mute, turn) = (Arc::clone(&receivers), Arc::clone(&is_mute), AtomicUsize::new(0));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let targets = targets.lock().unwrap().clone();
                let order = (0..targets.len()).map(|more| &targets[(turn + more) % targets.len()]);
                let mut found = order.map(TcpStream::connect);
                let Some(far) = found.find_map(Result::ok) else {
                    continue;
                };
                let (near_back, far_back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let mute = Arc::clone(&mute);
                std::thread::spawn(move || relay(near, far, &AtomicBool::new(false)));
                std::thread::spawn(move || relay(far_back, near_back, &mute));
            }
        });
        Self {
            address,
            receivers,
            is_mute,
        }
    }

    pub fn replace(&self, which: usize, address: &str) {
        self.receivers.lock().unwrap()[which] = address.to_string();
    }

    pub fn loses_answers(&self, loses: bool) {
        self.is_mute.store(loses, Ordering::SeqCst);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, is_mute: &AtomicBool) {
    let mut bytes = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if is_mute.load(Ordering::SeqCst) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A recorder and its `sync-service`.
pub struct Device {
    pub name: String,
    path: PathBuf,
    database: Connection,
    backend: String,
    child: Option<Child>,
    pub events: usize,
    pub clips: usize,
    settings: Vec<(&'static str, String)>,
}

impl Device {
    pub fn new(folder: &Path, number: usize, address: &str) -> Self {
        let path = folder.join(format!("{number}.db"));
        let database = Connection::open(&path).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        let tables = include_str!("../../../../tests/recorder.sql");
        database.execute_batch(tables).unwrap();
        let sensor = "INSERT INTO capteur (nom_capteur) VALUES ('PIR Entrée')";
        database.execute_batch(sensor).unwrap();
        Self {
            name: format!("device-{number}"),
            path,
            database,
            backend: format!("http://{address}"),
            child: None,
            events: 0,
            clips: 0,
            settings: Vec::new(),
        }
    }

    /// One more setting of its `sync-service`, from its next start on.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_string()));
    }

    /// As the recorder does, in one commit.
    pub fn record(&mut self, events: usize, clip_bytes: Option<usize>) {
        let change = self.database.unchecked_transaction().unwrap();
        for _ in 0..events {
            self.events += 1;
            let date = format!("2025-12-18T17:30:00.{:06}", self.events);
            let event = "INSERT INTO evenement (date, id_capteur) VALUES (?1, 1)";
            change.execute(event, [date]).unwrap();
        }
        if let Some(length) = clip_bytes {
            self.clips += 1;
            let date = format!("2025-12-18T18:00:00.{:06}", self.clips);
            let bytes = noise(length, length as u64 + self.clips as u64);
            let clip = "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?1, ?2, 1, 1)";
            change.execute(clip, rusqlite::params![bytes, date]).unwrap();
        }
        change.commit().unwrap();
    }

    pub fn unsent(&self) -> usize {
        let sent = "SELECT count(*) FROM sync_tracking WHERE sync_status = 'success'";
        // Before its first pass the table is not there.
        let sent: i64 = self.database.query_row(sent, [], |row| row.get(0)).unwrap_or(0);
        self.events + self.clips - usize::try_from(sent).unwrap()
    }

    /// The first runs on; the others run once, and again as long as there is something to send, as cron would have it.
    pub fn tend(&mut self) {
        let realtime = self.name == "device-0";
        if let Some(child) = &mut self.child {
            let Some(status) = child.try_wait().unwrap() else {
                return;
            };
            assert!(!realtime, "{} ended: {status}", self.name);
        }
        if self.unsent() == 0 && !realtime {
            return;
        }
        let program = Path::new(env!("CARGO_BIN_EXE_sync-receiver")).with_file_name("sync-service");
        let service = Command::new(program)
            .env_clear()
            .env("LOCAL_DB_PATH", &self.path)
            .env("BACKEND_URL", &self.backend)
            .env("DEVICE_ID", &self.name)
            .env("SYNC_MODE", if realtime { "realtime" } else { "once" })
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(service.unwrap());
    }

    /// What was acknowledged: the server's id and the date.
    pub fn told(&self, table: &str) -> Vec<(i64, String)> {
        let sql = format!(
            "SELECT remote_id, date FROM sync_tracking JOIN {table} ON local_id = id_{table}
             WHERE table_name = '{table}' AND sync_status = 'success' ORDER BY remote_id"
        );
        let mut rows = self.database.prepare(&sql).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn clip(&self, date: &str) -> Vec<u8> {
        let sql = "SELECT video FROM media WHERE date = ?1";
        self.database.query_row(sql, [date], |row| row.get(0)).unwrap()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
