//! A thread that owns a connection, and the way to it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::store::StoreError;
use crate::store::rows::{Waiting, lost};

/// How long the end waits for a thread: what it is asked is done in less, unless somebody holds the database.
const END_TIMEOUT: Duration = Duration::from_millis(400);

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The request may have been given up meanwhile: then nobody is there to be told.
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    let _ = reply.send(result);
}

/// The way to a thread that does jobs.
pub(super) struct Worker<J> {
    jobs: Option<Sender<J>>,
    /// Closed when the thread is done. Only the end looks: the lock is there to make this [`Sync`].
    done: Mutex<Receiver<()>>,
    waiting: AtomicUsize,
}

impl<J: Send + 'static> Worker<J> {
    pub(super) fn start(name: &str, work: impl FnOnce(Receiver<J>) + Send + 'static) -> Result<Self, StoreError> {
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
            waiting: AtomicUsize::new(0),
        })
    }

    pub(super) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> J) -> Result<T, StoreError> {
        let ended = || lost("the database's thread");
        let (reply, answer) = oneshot::channel();
        let _waiting = Waiting::new(&self.waiting);
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job(reply)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Questions without an answer yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl<J> Drop for Worker<J> {
    /// Waits for the thread: SQLite then closes the database, and the last one to do so empties its log into it.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Ok(done) = self.done.get_mut() else { return };
        if done.recv_timeout(END_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            log::warn!("the database is left as after a crash: somebody holds it");
        }
    }
}
