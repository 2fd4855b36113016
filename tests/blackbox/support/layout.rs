//! The two layouts of the recorder's database, as its own statements make them.

use rusqlite::Connection;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Current,
    /// The older, fuller one, with a trigger that deletes old media by itself.
    Older,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    Delete,
    Wal,
}

pub const SENSORS: [(i64, &str); 5] = [
    (1, "PIR Entrée"),
    (2, "Tapis Salon"),
    (3, "Bouton Arrêt"),
    (4, "Caméra 1"),
    (5, "Caméra 2"),
];

const CURRENT: &str = include_str!("../../recorder.sql");

const OLDER: &str = "
CREATE TABLE capteur (
    id_capteur INTEGER PRIMARY KEY AUTOINCREMENT,
    nom_capteur TEXT NOT NULL,
    type_capteur TEXT NOT NULL DEFAULT 'pir',
    device_id TEXT,
    actif INTEGER NOT NULL DEFAULT 1,
    date_creation TEXT
);
CREATE TABLE evenement (
    id_evenement INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT UNIQUE NOT NULL,
    date_evenement TEXT NOT NULL,
    timestamp REAL NOT NULL,
    etat_capteur INTEGER NOT NULL DEFAULT 1,
    id_capteur INTEGER NOT NULL,
    metadata TEXT,
    FOREIGN KEY (id_capteur) REFERENCES capteur(id_capteur)
);
CREATE TABLE media (
    id_media INTEGER PRIMARY KEY AUTOINCREMENT,
    type_media TEXT NOT NULL CHECK (type_media IN ('video', 'photo')),
    video BLOB NOT NULL,
    taille INTEGER,
    duree REAL,
    date_media TEXT NOT NULL,
    timestamp REAL NOT NULL,
    id_capteur INTEGER NOT NULL,
    id_evenement INTEGER,
    numero_camera INTEGER,
    resolution TEXT,
    codec TEXT,
    FOREIGN KEY (id_capteur) REFERENCES capteur(id_capteur),
    FOREIGN KEY (id_evenement) REFERENCES evenement(id_evenement)
);
CREATE INDEX idx_evenement_date ON evenement(date_evenement DESC);
CREATE INDEX idx_evenement_capteur ON evenement(id_capteur);
CREATE INDEX idx_media_date ON media(date_media DESC);
CREATE INDEX idx_media_capteur ON media(id_capteur);
CREATE INDEX idx_media_camera ON media(numero_camera);
CREATE TRIGGER nettoyage_media AFTER INSERT ON media
BEGIN
    DELETE FROM media WHERE date_media < datetime('now', '-30 days');
END;
";

/// The table `sync_tracking` as the Python service left it in databases of the field.
pub const PYTHON_TRACKING: &str = "
CREATE TABLE IF NOT EXISTS sync_tracking (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    local_id INTEGER NOT NULL,
    remote_id INTEGER,
    sync_date TEXT NOT NULL,
    sync_status TEXT NOT NULL CHECK(sync_status IN ('pending', 'success', 'failed')),
    error_message TEXT,
    UNIQUE(table_name, local_id)
);
CREATE INDEX IF NOT EXISTS idx_sync_status ON sync_tracking(sync_status, table_name);
";

impl Layout {
    pub const ALL: [Layout; 2] = [Layout::Current, Layout::Older];

    /// Makes the recorder's tables, indexes and sensors.
    pub fn create(self, db: &Connection, journal: Journal) {
        let journal = match journal {
            Journal::Delete => "delete",
            Journal::Wal => "wal",
        };
        let set: String = db
            .query_row(&format!("PRAGMA journal_mode={journal}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(set, journal);
        db.execute_batch(if self == Layout::Current { CURRENT } else { OLDER })
            .unwrap();
        let insert = "INSERT INTO capteur (id_capteur, nom_capteur) VALUES (?, ?)";
        for sensor in SENSORS {
            db.execute(insert, sensor).unwrap();
        }
    }

    pub fn date_column(self, table: &str) -> &'static str {
        match (self, table) {
            (Layout::Current, _) => "date",
            (Layout::Older, "evenement") => "date_evenement",
            (Layout::Older, _) => "date_media",
        }
    }
}
