//! The rows in SQLite, written by one thread: requests that come together are committed together.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Key, StoreError, Table};
use crate::answer::Stored;
use crate::event::Fields;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS evenement (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, capteur_etat,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    owner           TEXT NOT NULL,
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, idempotency_key)
);
CREATE TABLE IF NOT EXISTS media (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    date, capteur_id, capteur_nom, numero_camera,
    device_id       TEXT NOT NULL,
    source          TEXT NOT NULL,
    file            TEXT NOT NULL UNIQUE,
    size_bytes      INTEGER NOT NULL,
    received_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    owner           TEXT NOT NULL,
    idempotency_key TEXT,
    answer          TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, idempotency_key)
);
";

/// Requests committed together at most.
const TOGETHER: usize = 256;

/// A row to be stored.
pub struct NewRow {
    pub fields: Fields,
    pub key: Option<Key>,
    /// File name and length, of a clip.
    pub file: Option<(String, u64)>,
}

/// What became of a row.
pub struct Added {
    pub answer: Stored,
    /// `false` when the key had been seen: the answer is the first one's.
    pub is_new: bool,
}

enum Job {
    Add(Box<NewRow>, oneshot::Sender<Result<Added, StoreError>>),
    Answered(Table, Key, oneshot::Sender<Result<Option<Stored>, StoreError>>),
    Check(oneshot::Sender<Result<(), StoreError>>),
}

/// The way to the thread that owns the database.
pub struct Rows {
    jobs: Sender<Job>,
}

fn trouble(error: impl std::fmt::Display) -> StoreError {
    StoreError(format!("database: {error}"))
}

impl Rows {
    /// Opens or creates the database at `path`; `has_row` is asked about files left from a crash.
    pub fn open(path: &Path) -> Result<(Self, Connection), StoreError> {
        let conn = Connection::open(path).map_err(trouble)?;
        conn.busy_timeout(Duration::from_secs(5)).map_err(trouble)?;
        // A 201 means durable: FULL also in WAL mode.
        conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(trouble)?;
        conn.execute_batch(SCHEMA).map_err(trouble)?;
        let reader = Connection::open(path).map_err(trouble)?;
        let (jobs, receiver) = channel();
        std::thread::Builder::new()
            .name("rows".into())
            .spawn(move || work(conn, &receiver))
            .map_err(trouble)?;
        Ok((Self { jobs }, reader))
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (sender, answer) = oneshot::channel();
        self.jobs.send(job(sender)).map_err(|_| trouble("its thread ended"))?;
        answer.await.map_err(|_| trouble("its thread ended"))?
    }

    pub async fn add(&self, row: NewRow) -> Result<Added, StoreError> {
        self.ask(|sender| Job::Add(Box::new(row), sender)).await
    }

    pub async fn answered(&self, table: Table, key: Key) -> Result<Option<Stored>, StoreError> {
        self.ask(|sender| Job::Answered(table, key, sender)).await
    }

    pub async fn check(&self) -> Result<(), StoreError> {
        self.ask(Job::Check).await
    }
}

fn work(mut conn: Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut adds = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Add(row, sender) => adds.push((row, sender)),
                Job::Answered(table, key, sender) => {
                    let _ = sender.send(find(&conn, table, &key).map_err(trouble));
                }
                Job::Check(sender) => {
                    let check = conn.execute_batch("BEGIN IMMEDIATE; CREATE TABLE write_check (x); ROLLBACK;");
                    if check.is_err() {
                        let _ = conn.execute_batch("ROLLBACK");
                    }
                    let _ = sender.send(check.map_err(trouble));
                }
            }
            if adds.len() < TOGETHER {
                next = jobs.try_recv().ok();
            }
        }
        let (rows, senders): (Vec<_>, Vec<_>) = adds.into_iter().unzip();
        match add_all(&mut conn, &rows) {
            Ok(added) => {
                for (sender, added) in senders.into_iter().zip(added) {
                    let _ = sender.send(Ok(added));
                }
            }
            Err(error) => {
                for sender in senders {
                    let _ = sender.send(Err(trouble(&error)));
                }
            }
        }
    }
}

/// Stores rows in one transaction: all or none.
fn add_all(conn: &mut Connection, rows: &[Box<NewRow>]) -> rusqlite::Result<Vec<Added>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let tx = conn.transaction()?;
    let added = rows.iter().map(|row| add(&tx, row)).collect::<rusqlite::Result<_>>()?;
    tx.commit()?;
    Ok(added)
}

fn add(conn: &Connection, row: &NewRow) -> rusqlite::Result<Added> {
    let table = if row.file.is_some() { Table::Media } else { Table::Event };
    let fields = &row.fields;
    let (owner, key) = match &row.key {
        Some(key) => (key.owner.as_str(), Some(key.key.as_str())),
        None => ("", None),
    };
    let id: Option<i64> = match &row.file {
        None => conn
            .prepare_cached(
                "INSERT INTO evenement (date, capteur_id, capteur_nom, capteur_etat, device_id, source, owner, idempotency_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (owner, idempotency_key) DO NOTHING RETURNING id",
            )?
            .query_row(
                (
                    sql(&fields.date),
                    sql(&fields.sensor_id),
                    sql(&fields.sensor_name),
                    sql(&fields.sensor_state),
                    &fields.device_id,
                    &fields.source,
                    owner,
                    key,
                ),
                |row| row.get(0),
            )
            .optional()?,
        Some((file, bytes)) => conn
            .prepare_cached(
                "INSERT INTO media (date, capteur_id, capteur_nom, numero_camera, device_id, source, owner, idempotency_key, file, size_bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (owner, idempotency_key) DO NOTHING RETURNING id",
            )?
            .query_row(
                (
                    sql(&fields.date),
                    sql(&fields.sensor_id),
                    sql(&fields.sensor_name),
                    sql(&fields.camera),
                    &fields.device_id,
                    &fields.source,
                    owner,
                    key,
                    file,
                    i64::try_from(*bytes).unwrap_or(i64::MAX),
                ),
                |row| row.get(0),
            )
            .optional()?,
    };
    let Some(id) = id else {
        let key = row.key.as_ref().ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let answer = find(conn, table, key)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        return Ok(Added { answer, is_new: false });
    };
    let (name, answer) = match &row.file {
        None => ("evenement", Stored::event(id, &fields.date, &fields.sensor_id)),
        Some((_, bytes)) => ("media", Stored::media(id, &fields.date, &fields.sensor_id, *bytes)),
    };
    conn.prepare_cached(&format!("UPDATE {name} SET answer = ?1 WHERE id = ?2"))?
        .execute((&answer.0, id))?;
    Ok(Added { answer, is_new: true })
}

fn find(conn: &Connection, table: Table, key: &Key) -> rusqlite::Result<Option<Stored>> {
    let table = match table {
        Table::Event => "evenement",
        Table::Media => "media",
    };
    conn.prepare_cached(&format!(
        "SELECT answer FROM {table} WHERE owner = ?1 AND idempotency_key = ?2"
    ))?
    .query_row((&key.owner, &key.key), |row| row.get(0).map(Stored))
    .optional()
}

/// A JSON value as SQLite holds it.
fn sql(value: &Value) -> Sql {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Sql::Integer(integer),
            None => number.as_f64().map_or(Sql::Null, Sql::Real),
        },
        Value::String(text) => Sql::Text(text.clone()),
        _ => Sql::Null,
    }
}
