//! The built receiver, on a free port and a folder of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::eventually;
use super::expected::Expected;
use super::random::Fingerprint;
use super::service::{Running, Service};

pub struct Receiver {
    folder: TempDir,
    running: Running,
    pub url: String,
    settings: Settings,
}

type Settings = &'static [(&'static str, &'static str)];

/// The receiver's program: beside the uploader's, built if it is not there.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_sync-service")).with_file_name("sync-receiver");
        if !program.exists() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .args(["build", "--quiet", "-p", "sync-receiver"])
                .status();
            assert!(
                built.is_ok_and(|status| status.success()),
                "cargo build -p sync-receiver"
            );
        }
        program
    })
}

fn listening(folder: &Path, address: &str, settings: Settings) -> (Running, String) {
    let mut service = Service::program(&[program().to_str().unwrap()])
        .env("RECEIVER_LISTEN", address)
        .env("RECEIVER_DATA", folder);
    for (name, value) in settings {
        service = service.env(name, value);
    }
    let mut running = service.start();
    running.prints("listening on http://127.0.0.1:");
    running.prints("\n");
    let url = running.stdout().trim().rsplit(' ').next().unwrap().to_owned();
    (running, url)
}

impl Receiver {
    pub fn start() -> Self {
        Receiver::with(&[])
    }

    pub fn with(settings: Settings) -> Self {
        let folder = tempfile::Builder::new().prefix("sync-receiver-").tempdir().unwrap();
        let (running, url) = listening(folder.path(), "127.0.0.1:0", settings);
        Receiver {
            folder,
            running,
            url,
            settings,
        }
    }

    /// The power goes and comes back: the next one has the same folder and the same port.
    pub fn cut_power(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        self.running.signal(rustix::process::Signal::KILL);
        eventually("it is dead", || !self.running.is_alive());
        self.running = listening(self.folder.path(), &address, self.settings).0;
    }

    /// A new token for a device; from now on each needs one.
    pub fn add_token(&self, device_id: &str) -> String {
        let mut add = Command::new(program());
        add.args(["token", "add", device_id])
            .env("RECEIVER_DATA", self.folder.path());
        let added = add.output().unwrap();
        assert!(added.status.success(), "{added:?}");
        String::from_utf8(added.stdout).unwrap().trim().to_owned()
    }

    pub fn peak_kb(&self) -> u64 {
        self.running.peak_kb_now()
    }

    pub fn stop(self) {
        self.running.stop().exits(0);
    }

    /// What it holds, by table and id, in the terms of what was expected of the uploader.
    pub fn holds(&self) -> HashMap<(&'static str, i64), Expected> {
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = Connection::open_with_flags(self.folder.path().join("receiver.db"), read_only).unwrap();
        let mut rows = HashMap::new();
        let mut query = db
            .prepare("SELECT id, date, capteur_id, capteur_nom, capteur_etat, device_id FROM evenement")
            .unwrap();
        let mut events = query.query([]).unwrap();
        while let Some(row) = events.next().unwrap() {
            let column = |index| json(row.get(index).unwrap());
            let sensor = format!(r#"{{"id":{},"nom":{},"etat":{}}}"#, column(2), column(3), column(4));
            let outline = super::expected::event_body(&column(1), &sensor, &row.get::<_, String>(5).unwrap());
            let id = row.get(0).unwrap();
            rows.insert(
                ("evenement", id),
                Expected {
                    table: "evenement",
                    id,
                    outline,
                    video: None,
                },
            );
        }
        let mut query = db
            .prepare("SELECT id, date, capteur_id, capteur_nom, numero_camera, device_id, file FROM media")
            .unwrap();
        let mut clips = query.query([]).unwrap();
        while let Some(row) = clips.next().unwrap() {
            let column = |index| json(row.get(index).unwrap());
            let sensor = format!(r#"{{"id":{},"nom":{}}}"#, column(2), column(3));
            let device_id: String = row.get(5).unwrap();
            let outline = super::expected::clip_body(&column(1), &sensor, &column(4), b"", &device_id);
            let id = row.get(0).unwrap();
            let file: String = row.get(6).unwrap();
            let video = std::fs::read(self.folder.path().join("clips").join(file)).unwrap();
            let video = Some((video.len() as u64, Fingerprint::of(&video)));
            rows.insert(
                ("media", id),
                Expected {
                    table: "media",
                    id,
                    outline,
                    video,
                },
            );
        }
        rows
    }

    /// What is in the folder of clips that are still arriving.
    pub fn incoming(&self) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(self.folder.path().join("incoming")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Files in the folder of clips and in that of clips that are still arriving.
    pub fn files(&self) -> (usize, usize) {
        let count = |name: &str| std::fs::read_dir(self.folder.path().join(name)).unwrap().count();
        (count("clips"), count("incoming"))
    }
}

fn json(value: Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => serde_json::to_string(&number).unwrap(),
        Value::Text(text) => super::expected::json(&text),
        Value::Blob(_) => panic!("the receiver keeps no blob there"),
    }
}
