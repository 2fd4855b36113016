//! A device: a folder with a `surveillance.db` made as the recorder makes it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::types::{FromSql, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};
use tempfile::TempDir;

use super::layout::{Journal, Layout};
use super::random::Fingerprint;

pub struct Device {
    dir: PathBuf,
    /// Removed with the device; absent when the folder is another's.
    _temporary: Option<TempDir>,
    pub layout: Layout,
    /// Microseconds since the device's first row: every row gets a date of its own.
    clock: AtomicI64,
}

/// A row of `sync_tracking`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    pub id: i64,
    pub table: String,
    pub local_id: i64,
    pub remote_id: Option<i64>,
    pub date: String,
    pub status: String,
    pub error: Option<String>,
}

/// The recorder's connection: short-lived, 5 s of patience, foreign keys off.
pub fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "foreign_keys", false)?;
    Ok(db)
}

impl Device {
    pub fn new() -> Self {
        Device::with(Layout::Current, Journal::Delete)
    }

    pub fn with(layout: Layout, journal: Journal) -> Self {
        let device = Device::empty_folder(layout);
        layout.create(&device.db(), journal);
        device
    }

    /// A folder whose database is not there yet.
    pub fn empty_folder(layout: Layout) -> Self {
        let folder = folder();
        Device {
            dir: folder.path().to_owned(),
            _temporary: Some(folder),
            layout,
            clock: AtomicI64::new(0),
        }
    }

    /// With its database in a folder that is there already.
    pub fn at(folder: &Path) -> Self {
        let device = Device {
            dir: folder.to_owned(),
            _temporary: None,
            layout: Layout::Current,
            clock: AtomicI64::new(0),
        };
        device.create_database();
        device
    }

    pub fn create_database(&self) {
        self.layout.create(&self.db(), Journal::Delete);
    }

    pub fn folder(&self) -> &Path {
        &self.dir
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join("surveillance.db")
    }

    pub fn db(&self) -> Connection {
        connect(&self.path()).unwrap()
    }

    /// A date that no other row of this device has, later than those before it.
    pub fn next_date(&self) -> String {
        let micros = self.clock.fetch_add(1_000_001, Ordering::Relaxed);
        let start = chrono::Local::now().date_naive().and_hms_opt(0, 0, 0).unwrap();
        let date = start - chrono::Duration::days(1) + chrono::Duration::microseconds(micros);
        date.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    pub fn event(&self) -> i64 {
        self.event_at(&self.next_date(), 1)
    }

    pub fn event_at(&self, date: &str, sensor: i64) -> i64 {
        insert_event(&self.path(), self.layout, date, sensor).unwrap()
    }

    pub fn events(&self, count: usize) {
        let db = self.db();
        let all = db.unchecked_transaction().unwrap();
        for _ in 0..count {
            event_row(&db, self.layout, &self.next_date(), 1).unwrap();
        }
        all.commit().unwrap();
    }

    pub fn clip(&self, video: &[u8]) -> i64 {
        self.clip_at(&self.next_date(), 4, 1, video)
    }

    pub fn clip_at(&self, date: &str, sensor: i64, camera: i64, video: &[u8]) -> i64 {
        clip_row(
            &self.db(),
            self.layout,
            date,
            sensor,
            camera,
            Value::Blob(video.to_vec()),
        )
        .unwrap()
    }

    /// A large incompressible clip, made by SQLite itself.
    pub fn big_clip(&self, len: usize) -> i64 {
        let id = self.clip(b"");
        self.db()
            .execute(
                "UPDATE media SET video = randomblob(?) WHERE id_media = ?",
                [len as i64, id],
            )
            .unwrap();
        id
    }

    /// Length and fingerprint of a clip's video.
    pub fn fingerprint(&self, clip: i64) -> (u64, u64) {
        let read = |row: &rusqlite::Row<'_>| {
            let video = match row.get_ref(0)? {
                ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes,
                other => panic!("the tests put no {other:?} there"),
            };
            Ok((video.len() as u64, Fingerprint::of(video)))
        };
        self.db()
            .query_row("SELECT video FROM media WHERE id_media = ?", [clip], read)
            .unwrap()
    }

    /// What a person types into the sqlite3 shell.
    pub fn sql(&self, statements: &str) {
        self.db().execute_batch(statements).unwrap();
    }

    /// One value.
    pub fn value<T: FromSql>(&self, query: &str) -> T {
        self.db().query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub fn tracking(&self) -> Vec<Tracked> {
        let db = self.db();
        let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'sync_tracking'";
        if db.query_row(exists, [], |_| Ok(())).optional().unwrap().is_none() {
            return Vec::new();
        }
        let mut query = db
            .prepare("SELECT * FROM sync_tracking ORDER BY table_name, local_id")
            .unwrap();
        let rows = query.query_map([], |row| {
            Ok(Tracked {
                id: row.get("id")?,
                table: row.get("table_name")?,
                local_id: row.get("local_id")?,
                remote_id: row.get("remote_id")?,
                date: row.get("sync_date")?,
                status: row.get("sync_status")?,
                error: row.get("error_message")?,
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// The row of `sync_tracking` for one local row.
    pub fn tracked(&self, table: &str, local_id: i64) -> Option<Tracked> {
        self.tracking()
            .into_iter()
            .find(|row| row.table == table && row.local_id == local_id)
    }

    /// Many events at once, made by SQLite itself.
    pub fn many_events(&self, count: u32) {
        self.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO evenement (date, id_capteur)
             SELECT strftime('%Y-%m-%dT%H:%M:%S', 1700000000 + i, 'unixepoch') || printf('.%06d', i), 1 + i % 5 FROM n"
        ));
    }

    /// Every event but these is at the server, as the Python service left it: a history, and no state of ours.
    pub fn python_sent_all_events_but(&self, ids: &str) {
        self.sql(super::layout::PYTHON_TRACKING);
        self.sql(&format!(
            "INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status)
             SELECT 'evenement', id_evenement, id_evenement, date, 'success' FROM evenement
             WHERE id_evenement NOT IN ({ids})"
        ));
    }

    /// The same service failed with every event.
    pub fn python_failed_all_events(&self) {
        self.sql(super::layout::PYTHON_TRACKING);
        self.sql(
            "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status, error_message)
             SELECT 'evenement', id_evenement, date, 'failed', 'HTTP 400: non' FROM evenement",
        );
    }

    /// What the Python service writes after each row.
    pub fn python_marks(&self, table: &str, id: i64, remote_id: Option<i64>, status: &str, error: Option<&str>) {
        let statement = "INSERT OR REPLACE INTO sync_tracking
            (table_name, local_id, remote_id, sync_date, sync_status, error_message) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![table, id, remote_id, "2025-12-18T17:30:00.123456", status, error];
        self.db().execute(statement, row).unwrap();
    }
}

/// Inserts an event as the recorder does: a connection, one insert, commit, close.
pub fn insert_event(path: &Path, layout: Layout, date: &str, sensor: i64) -> rusqlite::Result<i64> {
    let db = connect(path)?;
    let transaction = db.unchecked_transaction()?;
    let id = event_row(&db, layout, date, sensor)?;
    transaction.commit()?;
    db.close().map_err(|(_, error)| error)?;
    Ok(id)
}

pub fn event_row(db: &Connection, layout: Layout, date: &str, sensor: i64) -> rusqlite::Result<i64> {
    match layout {
        Layout::Current => {
            let insert = "INSERT INTO evenement (date, id_capteur) VALUES (?, ?)";
            db.prepare_cached(insert)?.execute(params![date, sensor])?;
        }
        Layout::Older => {
            let insert =
                "INSERT INTO evenement (event_id, date_evenement, timestamp, etat_capteur, id_capteur, metadata)
                VALUES (?, ?, 1766075400.123456, 0, ?, '{\"zone\": 1}')";
            db.prepare_cached(insert)?
                .execute(params![format!("evt-{date}"), date, sensor])?;
        }
    }
    Ok(db.last_insert_rowid())
}

pub fn clip_row(
    db: &Connection,
    layout: Layout,
    date: &str,
    sensor: i64,
    camera: i64,
    video: Value,
) -> rusqlite::Result<i64> {
    match layout {
        Layout::Current => {
            let insert = "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?, ?, ?, ?)";
            db.execute(insert, params![video, date, sensor, camera])?;
        }
        Layout::Older => {
            let insert = "INSERT INTO media (type_media, video, taille, duree, date_media, timestamp, id_capteur,
                numero_camera, resolution, codec) VALUES ('video', ?, 0, 10.0, ?, 1766075400.5, ?, ?, '640x480', 'h264')";
            db.execute(insert, params![video, date, sensor, camera])?;
        }
    }
    Ok(db.last_insert_rowid())
}

/// A temporary folder, in memory where there is room: the tests are about promises, not about the disk's speed.
fn folder() -> TempDir {
    let shm = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(shm).is_ok_and(|fs| fs.f_bavail * fs.f_frsize > 4 << 30);
    let folder = if room && std::env::var_os("TMPDIR").is_none() {
        tempfile::Builder::new().prefix("sync-service-").tempdir_in(shm)
    } else {
        tempfile::Builder::new().prefix("sync-service-").tempdir()
    };
    folder.unwrap()
}
