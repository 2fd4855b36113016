//! Rows in SQLite: one thread writes, another looks up keys meanwhile and never waits for a disk's sync.

mod alerting;
mod desk;
mod following;
mod keeping;
mod leases;
mod migrations;
mod of_few;
mod people;
mod pool;
mod read_rows;
mod reading;
mod reading_sql;
#[cfg(feature = "fleet")]
mod source;
mod sql;
mod tokens;
mod unseen;
mod uploads;
mod work;
mod worker;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::{Connection, ffi};

use super::row::{Added, Key, Kind, NewRow, NewStatus, Receipt};
use super::rows::{Load, Rows};
use super::uploads::{Claim, Created, Durable, Hold, NewUpload, Saved, Then, Upload, UploadRows};
use super::{Pending, StoreError, modes, sync_folder};
pub(super) use desk::SqliteDesk;
#[cfg(feature = "fleet")]
pub(super) use source::{Source, Video};
use work::Changing;
use worker::{Reply, Worker, answer};
use writer::{Job, LastSuccess, Writer};

/// How long someone with `sqlite3` in hand may hold the database before requests get 503.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a check may take before the writer's last success has to do for an answer, and how old that may be. On a slow
/// card a commit takes as long as that.
const CHECK_TIMEOUT: Duration = Duration::from_millis(700);
const SUCCESS_MAX_AGE: Duration = Duration::from_secs(10);

/// Names that are looked up at once: who asks for a receipt waits meanwhile.
const OWNED_AT_ONCE: usize = 50;

enum Question {
    Receipt(Kind, Key, Reply<Option<Receipt>>),
    Manifest(String, Reply<Option<String>>),
    Owned(Vec<String>, Reply<Vec<String>>),
    Upload(String, i64, Reply<Option<Upload>>),
    AwaitsPart(String, Reply<bool>),
    HasExpired(i64, Reply<bool>),
    Installation(Reply<String>),
}

impl Question {
    fn answer(self, conn: &Connection) {
        match self {
            Self::Receipt(kind, key, reply) => answer(reply, sql::receipt(conn, kind, &key).map_err(StoreError::from)),
            Self::Manifest(name, reply) => answer(reply, sql::manifest(conn, &name).map_err(StoreError::from)),
            Self::Owned(names, reply) => answer(reply, owned(conn, names).map_err(StoreError::from)),
            Self::Upload(id, now_ms, reply) => {
                answer(reply, uploads::find(conn, &id, now_ms).map_err(StoreError::from));
            }
            Self::HasExpired(now_ms, reply) => {
                answer(reply, uploads::has_expired(conn, now_ms).map_err(StoreError::from));
            }
            Self::Installation(reply) => answer(reply, sql::installation(conn).map_err(StoreError::from)),
            Self::AwaitsPart(part, reply) => answer(reply, uploads::awaits_part(conn, &part).map_err(StoreError::from)),
        }
    }
}

/// Those of some names that a row or an upload needs.
fn owned(conn: &Connection, names: Vec<String>) -> rusqlite::Result<Vec<String>> {
    let mut owned = Vec::new();
    for name in names {
        // In this order: an upload that is not awaited any more has its row already.
        let part = name.split('.').next().unwrap_or_default();
        if uploads::awaits_part(conn, part)? || sql::manifest(conn, &name)?.is_some() {
            owned.push(name);
        }
    }
    Ok(owned)
}

/// The way to the threads that own the database.
pub(super) struct SqliteRows {
    writes: Worker<Job>,
    last_success: LastSuccess,
    questions: Worker<Question>,
}

impl SqliteRows {
    /// Opens or creates the database at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite gives the files beside it the same mode.
        modes::make_file(path).map_err(StoreError::file(path))?;
        path.parent().map_or(Ok(()), sync_folder)?;
        let mut writer = Connection::open(path)?;
        writer.busy_timeout(BUSY_TIMEOUT)?;
        // A 201 means durable: FULL also in WAL mode.
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        migrations::migrate(&mut writer)?;
        writer.execute_batch(uploads::FREE_ALL)?;
        let reader = Connection::open(path)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        let last_success = LastSuccess::default();
        let writer = Writer::new(writer, last_success.clone());
        Ok(Self {
            writes: Worker::start("writer", move |jobs| writer.run(&jobs))?,
            last_success,
            questions: Worker::start("reader", move |questions: Receiver<Question>| {
                for question in questions {
                    question.answer(&reader);
                }
            })?,
        })
    }
}

impl Rows for SqliteRows {
    fn receipt(&self, kind: Kind, key: Key) -> Pending<'_, Option<Receipt>> {
        Box::pin(self.questions.ask(move |reply| Question::Receipt(kind, key, reply)))
    }

    fn add_all(&self, rows: Vec<NewRow>) -> Pending<'_, Vec<Added>> {
        Box::pin(self.writes.ask(|reply| Job::Add(rows, reply)))
    }

    fn put_status(&self, status: NewStatus) -> Pending<'_, ()> {
        Box::pin(self.writes.ask(|reply| Job::Status(Box::new(status), reply)))
    }

    fn manifest(&self, name: String) -> Pending<'_, Option<String>> {
        Box::pin(self.questions.ask(|reply| Question::Manifest(name, reply)))
    }

    fn owned(&self, names: Vec<String>) -> Pending<'_, HashSet<String>> {
        Box::pin(async move {
            let mut owned = HashSet::new();
            for names in names.chunks(OWNED_AT_ONCE) {
                owned.extend(
                    self.questions
                        .ask(|reply| Question::Owned(names.to_vec(), reply))
                        .await?,
                );
            }
            Ok(owned)
        })
    }

    /// It has none of its own.
    fn now_ms(&self) -> Pending<'_, i64> {
        Box::pin(async { Ok(crate::clock::unix_ms()) })
    }

    fn installation(&self) -> Pending<'_, String> {
        Box::pin(self.questions.ask(Question::Installation))
    }

    /// In less than a second.
    fn check(&self) -> Pending<'_, ()> {
        Box::pin(async {
            if let Ok(checked) = tokio::time::timeout(CHECK_TIMEOUT, self.writes.ask(Job::Check)).await {
                return checked;
            }
            if self.last_success.is_within(SUCCESS_MAX_AGE) {
                Ok(())
            } else {
                let reason = "database: it gets nothing done, though nothing fails";
                Err(StoreError::Unavailable(reason.to_string()))
            }
        })
    }

    fn load(&self) -> Load {
        let waiting = [self.writes.waiting(), self.questions.waiting()];
        Load {
            waiting: waiting.iter().sum(),
            connections: waiting.len(),
            // Each has one connection, and does one thing at a time.
            busy: waiting.iter().filter(|waiting| **waiting > 0).count(),
        }
    }
}

impl SqliteRows {
    fn change<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<'_, T> {
        Box::pin(
            self.writes
                .ask(|reply| Job::Change(Box::new(Changing::new(work, reply)))),
        )
    }
}

impl UploadRows for SqliteRows {
    fn create_upload(&self, new: NewUpload, part: String, now_ms: i64) -> Pending<'_, Created> {
        self.change(move |conn| uploads::create(conn, &new, &part, now_ms))
    }

    fn upload(&self, id: String, now_ms: i64) -> Pending<'_, Option<Upload>> {
        Box::pin(self.questions.ask(move |reply| Question::Upload(id, now_ms, reply)))
    }

    fn claim_upload(&self, id: String, now_ms: i64) -> Pending<'_, Claim> {
        self.change(move |conn| uploads::claim(conn, &id, now_ms))
    }

    fn save_upload(&self, hold: Hold, durable: Durable, then: Then, now_ms: i64) -> Pending<'_, Saved> {
        self.change(move |conn| uploads::save(conn, &hold, &durable, then, now_ms))
    }

    fn complete_upload(&self, hold: Hold, row: NewRow, now_ms: i64) -> Pending<'_, Option<Added>> {
        self.change(move |conn| uploads::complete(conn, &hold, &row, now_ms))
    }

    fn delete_upload(&self, hold: Hold) -> Pending<'_, bool> {
        self.change(move |conn| uploads::delete(conn, &hold))
    }

    fn expire_uploads(&self, now_ms: i64) -> Pending<'_, Vec<String>> {
        Box::pin(async move {
            // Not a lock, nor a write, for nothing.
            if !self.questions.ask(|reply| Question::HasExpired(now_ms, reply)).await? {
                return Ok(Vec::new());
            }
            self.change(move |conn| uploads::expire(conn, now_ms)).await
        })
    }

    fn awaits_part(&self, part: String) -> Pending<'_, bool> {
        Box::pin(self.questions.ask(|reply| Question::AwaitsPart(part, reply)))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let reason = format!("database: {error}");
        match error.sqlite_error().map(|error| error.extended_code) {
            // The write came before the sync.
            Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Self::Uncertain(reason),
            _ => Self::Unavailable(reason),
        }
    }
}

#[cfg(test)]
impl SqliteRows {
    pub(super) fn forget_clips(path: &Path) {
        let conn = Connection::open(path).unwrap();
        conn.busy_timeout(BUSY_TIMEOUT).unwrap();
        conn.execute("DELETE FROM media", []).unwrap();
    }

    pub(super) fn age_days(path: &Path, days: i32) {
        let conn = Connection::open(path).unwrap();
        conn.busy_timeout(BUSY_TIMEOUT).unwrap();
        for table in ["evenement", "media"] {
            let sql = format!("UPDATE {table} SET received_at = strftime('%Y-%m-%dT%H:%M:%fZ', received_at, ?1)");
            conn.execute(&sql, [format!("{} days", -days)]).unwrap();
        }
    }
}
