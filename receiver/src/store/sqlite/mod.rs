//! Rows in SQLite: one thread writes, another looks up keys meanwhile and never waits for a disk's sync.

mod desk;
mod people;
mod pool;
mod read_rows;
mod reading;
mod reading_sql;
mod sql;
mod tokens;
mod worker;
mod writer;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ffi};

use super::rows::{Added, Key, Kind, NewRow, NewStatus, Receipt, Rows};
use super::{Pending, StoreError, modes, sync_folder};
pub(super) use desk::SqliteDesk;
use worker::{Reply, Worker, answer};
use writer::{Job, LastSuccess, Writer};

/// How long someone with `sqlite3` in hand may hold the database before requests get 503.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a check may take before the writer's last success has to do for an answer, and how old that may be. On a slow
/// card a commit takes as long as that.
const CHECK_TIMEOUT: Duration = Duration::from_millis(700);
const SUCCESS_MAX_AGE: Duration = Duration::from_secs(10);

enum Question {
    Receipt(Kind, Key, Reply<Option<Receipt>>),
    NamesClip(String, Reply<bool>),
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
        writer.execute_batch(sql::SCHEMA)?;
        reading_sql::extend(&mut writer)?;
        let reader = Connection::open(path)?;
        reader.busy_timeout(BUSY_TIMEOUT)?;
        let last_success = LastSuccess::default();
        let writer = Writer::new(writer, last_success.clone());
        Ok(Self {
            writes: Worker::start("writer", move |jobs| writer.run(&jobs))?,
            last_success,
            questions: Worker::start("reader", move |questions| {
                for question in questions {
                    match question {
                        Question::Receipt(kind, key, reply) => {
                            answer(reply, sql::receipt(&reader, kind, &key).map_err(StoreError::from));
                        }
                        Question::NamesClip(name, reply) => {
                            answer(reply, sql::names_clip(&reader, &name).map_err(StoreError::from));
                        }
                    }
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

    fn names_clip(&self, name: String) -> Pending<'_, bool> {
        Box::pin(self.questions.ask(|reply| Question::NamesClip(name, reply)))
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
