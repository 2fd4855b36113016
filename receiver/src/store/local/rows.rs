//! The rows, written by one thread, so that requests that come together are committed together; another one looks up
//! keys meanwhile and never waits for a disk's sync.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::sql;
use crate::answer::Stored;
use crate::record::{Clip, Event};
use crate::store::{Key, StoreError, Table};

/// Requests committed together at most.
const TOGETHER: usize = 256;

/// How long someone with `sqlite3` in hand may hold the database before requests get 503.
const BUSY: Duration = Duration::from_secs(3);

/// How long the end waits for a thread: what it is asked is done in less, unless somebody holds the database.
const END_WITHIN: Duration = Duration::from_millis(400);

/// How long the check of the database's health waits for its lock: who asks has no more than a second.
const CHECK_BUSY: Duration = Duration::from_millis(500);

/// How long that check may take before the writer's last success has to do for an answer, and how old that may be. On a
/// slow card a commit takes as long as that.
const CHECK_WITHIN: Duration = Duration::from_millis(700);
const SUCCESS_LASTS: Duration = Duration::from_secs(10);

/// How often it is tried, at most, whether writing works again.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A row to be stored.
pub enum NewRow {
    Event(Event),
    Clip(Clip, ClipFile),
}

/// What a row says of a clip's file.
pub struct ClipFile {
    pub name: String,
    pub size_bytes: u64,
    pub sha256: String,
}

/// What became of a row.
pub struct Added {
    pub answer: Stored,
    /// `false` when the key had been seen: the answer is the first one's.
    pub is_new: bool,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Write {
    Add(Box<(NewRow, Option<Key>)>, Reply<Added>),
    Check(Reply<()>),
}

struct Find(Table, Key, Reply<Option<Stored>>);

/// The way to the threads that own the database.
pub struct Rows {
    writes: Worker<Write>,
    state: Arc<State>,
    finds: Worker<Find>,
}

/// The half of [`Rows`] that is there before anything is served.
pub struct Writer(Worker<Write>, Arc<State>);

/// What the writer has come to.
#[derive(Default)]
struct State {
    succeeded: Mutex<Option<Instant>>,
}

impl State {
    fn succeeded(&self) -> MutexGuard<'_, Option<Instant>> {
        self.succeeded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Opens or creates the database at `path`: its writer, and a connection to read with.
    pub fn open(path: &Path) -> Result<(Writer, Connection), StoreError> {
        let writer = Connection::open(path)?;
        writer.busy_timeout(BUSY)?;
        // A 201 means durable: FULL also in WAL mode.
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        writer.execute_batch(sql::SCHEMA)?;
        let reader = Connection::open(path)?;
        reader.busy_timeout(BUSY)?;
        let state = Arc::new(State::default());
        let worker = Worker::start("writer", {
            let state = Arc::clone(&state);
            move |jobs| Writing::new(writer, state).run(&jobs)
        })?;
        Ok((Writer(worker, state), reader))
    }

    /// Stores a row, durably.
    pub async fn add(&self, row: NewRow, key: Option<Key>) -> Result<Added, StoreError> {
        self.writes.ask(|reply| Write::Add(Box::new((row, key)), reply)).await
    }

    /// The answer given for a key.
    pub async fn answered(&self, table: Table, key: Key) -> Result<Option<Stored>, StoreError> {
        self.finds.ask(|reply| Find(table, key, reply)).await
    }

    /// Whether rows can be written, in less than a second.
    pub async fn check(&self) -> Result<(), StoreError> {
        if let Ok(checked) = tokio::time::timeout(CHECK_WITHIN, self.writes.ask(Write::Check)).await {
            return checked;
        }
        let succeeded = *self.state.succeeded();
        match succeeded {
            Some(at) if at.elapsed() < SUCCESS_LASTS => Ok(()),
            _ => Err(StoreError::Slow),
        }
    }
}

impl Writer {
    /// Gives the reading connection to a thread of its own.
    pub fn with_reader(self, reader: Connection) -> Result<Rows, StoreError> {
        let finds = Worker::start("reader", move |jobs: Receiver<Find>| {
            for Find(table, key, reply) in jobs {
                answer(reply, sql::find(&reader, table, &key).map_err(StoreError::from));
            }
        })?;
        Ok(Rows {
            writes: self.0,
            state: self.1,
            finds,
        })
    }
}

/// A thread, and the way to it.
struct Worker<J> {
    jobs: Option<Sender<J>>,
    /// Closed when the thread is done. Only the end looks: the lock is there to make this [`Sync`].
    done: Mutex<Receiver<()>>,
}

impl<J: Send + 'static> Worker<J> {
    fn start(name: &str, work: impl FnOnce(Receiver<J>) + Send + 'static) -> Result<Self, StoreError> {
        let (jobs, receiver) = channel();
        let (alive, done) = channel();
        std::thread::Builder::new()
            .name(name.to_string())
            .spawn(move || {
                work(receiver);
                drop(alive);
            })
            .map_err(StoreError::file(Path::new(name)))?;
        Ok(Self {
            jobs: Some(jobs),
            done: Mutex::new(done),
        })
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> J) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Ended)?;
        jobs.send(job(reply)).map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }
}

impl<J> Drop for Worker<J> {
    /// Waits for the thread: SQLite then closes the database, and the last one to do so empties its log into it.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Ok(done) = self.done.get_mut() else { return };
        if done.recv_timeout(END_WITHIN) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the database is left as after a crash: somebody holds it");
        }
    }
}

/// The request may have been given up meanwhile: then nobody is there to be told.
fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    let _ = reply.send(result);
}

/// The writer's thread.
struct Writing {
    conn: Connection,
    state: Arc<State>,
    /// Why the last rows could not be written, and when that was found by a check, unless some could since.
    trouble: Option<(StoreError, Option<Instant>)>,
}

impl Writing {
    fn new(conn: Connection, state: Arc<State>) -> Self {
        Self {
            conn,
            state,
            trouble: None,
        }
    }

    fn run(mut self, jobs: &Receiver<Write>) {
        while let Ok(first) = jobs.recv() {
            let (mut rows, mut replies, mut checks) = (Vec::new(), Vec::new(), Vec::new());
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Write::Add(row, reply) => {
                        rows.push(row);
                        replies.push(reply);
                    }
                    Write::Check(reply) => checks.push(reply),
                }
                if rows.len() < TOGETHER {
                    next = jobs.try_recv().ok();
                }
            }
            // Rows that could be written, or not, say it for those who only ask.
            let checked = if rows.is_empty() {
                self.check()
            } else {
                self.add(&rows, replies)
            };
            for reply in checks {
                answer(reply, checked.clone());
            }
        }
    }

    fn add(&mut self, rows: &[Box<(NewRow, Option<Key>)>], replies: Vec<Reply<Added>>) -> Result<(), StoreError> {
        let added = add_all(&mut self.conn, rows).map_err(StoreError::from);
        match added {
            Ok(added) => {
                let answers = replies.into_iter().zip(added);
                answers.for_each(|(reply, added)| answer(reply, Ok(added)));
                self.succeeded();
                Ok(())
            }
            Err(error) => {
                replies.into_iter().for_each(|reply| answer(reply, Err(error.clone())));
                self.trouble = Some((error.clone(), None));
                Err(error)
            }
        }
    }

    fn succeeded(&mut self) {
        self.trouble = None;
        *self.state.succeeded() = Some(Instant::now());
    }

    /// Takes the write lock; after a failure, writes as well, since a full disk is noticed by nothing less.
    fn check(&mut self) -> Result<(), StoreError> {
        let failed = match &self.trouble {
            Some((error, Some(probed))) if probed.elapsed() < PROBE_EVERY => return Err(error.clone()),
            trouble => trouble.is_some(),
        };
        let checked = self
            .conn
            .busy_timeout(CHECK_BUSY)
            .and_then(|()| try_to_write(&mut self.conn, failed));
        let checked = checked.and(self.conn.busy_timeout(BUSY)).map_err(StoreError::from);
        match &checked {
            Ok(()) => self.succeeded(),
            Err(error) if failed => self.trouble = Some((error.clone(), Some(Instant::now()))),
            Err(_) => {}
        }
        checked
    }
}

/// Stores rows in one transaction: all or none.
fn add_all(conn: &mut Connection, rows: &[Box<(NewRow, Option<Key>)>]) -> rusqlite::Result<Vec<Added>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let added = rows
        .iter()
        .map(|row| sql::add(&tx, &row.0, row.1.as_ref()))
        .collect::<rusqlite::Result<_>>()?;
    tx.commit()?;
    Ok(added)
}

fn try_to_write(conn: &mut Connection, failed: bool) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if failed {
        tx.execute_batch("CREATE TABLE write_check (x); DROP TABLE write_check;")?;
        return tx.commit();
    }
    tx.rollback()
}
