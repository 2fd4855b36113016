//! The device module against real database files, with a recorder on another connection.

mod backlog;
mod bookmarks;
mod clip;
mod connection;
mod generation;
mod plans;
mod record;
mod requeue;
mod turns;

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::*;

/// A database as the recorder makes it, in a folder of its own.
pub(crate) struct Recorder {
    folder: tempfile::TempDir,
    pub conn: Connection,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self::with_journal("delete")
    }

    pub(crate) fn with_journal(mode: &str) -> Self {
        // In memory where there is such a place: tests wait for no card.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let conn = Connection::open(folder.path().join("surveillance.db")).unwrap();
        conn.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))
            .unwrap();
        // Tests need the order of commits, not their durability.
        conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;")
            .unwrap();
        conn.execute_batch(include_str!("../../../tests/recorder.sql")).unwrap();
        conn.execute_batch(
            "INSERT INTO capteur (nom_capteur) VALUES ('PIR Entrée'), ('Tapis Salon'), ('Bouton Arrêt'), ('Caméra 1');",
        )
        .unwrap();
        Self { folder, conn }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("surveillance.db")
    }

    pub(crate) fn device(&self) -> Device {
        Found::open(&self.path()).unwrap().set_up().unwrap()
    }

    pub(crate) fn events(&self, count: i64) {
        self.conn
            .execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                 INSERT INTO evenement (date, id_capteur) SELECT printf('2025-12-18T%010d', i), 1 FROM n",
                [count],
            )
            .unwrap();
    }

    pub(crate) fn clip(&self, video: &[u8]) -> i64 {
        self.conn
            .execute(
                "INSERT INTO media (video, date, id_capteur, numero_camera) VALUES (?1, '2025-12-18T17:30:00', 4, 1)",
                [video],
            )
            .unwrap();
        self.conn.last_insert_rowid()
    }

    /// Tracks every row of a table as done, as years of uploading would have.
    pub(crate) fn all_done(&self, table: &str) {
        self.conn
            .execute(
                &format!(
                    "INSERT INTO sync_tracking (table_name, local_id, remote_id, sync_date, sync_status)
                     SELECT '{table}', id_{table}, id_{table}, '2025-12-18T00:00:00', 'success' FROM {table}"
                ),
                [],
            )
            .unwrap();
    }
}

/// Bytes without a pattern, the same every time.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

impl Device {
    /// Gives up at once where another program holds the lock.
    pub(crate) fn impatient(self) -> Self {
        self.conn.busy_timeout(Duration::ZERO).unwrap();
        self
    }
}
