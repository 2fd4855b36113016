//! Connections for those who read, and one for the few things that people write. Rows have a writer of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use crate::store::rows::{Load, Waiting, lost};
use crate::store::{StoreError, blocking};

/// Reads at a time; more wait. Each has a thread and a few MB of cache.
const AT_ONCE: usize = 4;

/// How long one waits for its turn, as with the other database: devices' tokens are looked up here too.
const TURN: Duration = Duration::from_secs(5);

/// How long a writer waits for the writer of rows, which is done in milliseconds as a rule.
pub(super) const BUSY: Duration = Duration::from_secs(3);

/// Connections to one database, opened as they are needed.
#[derive(Clone)]
pub(super) struct Pool {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    turn: Duration,
}

impl Pool {
    /// For the database at `path`, whose tables are there.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            idle: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::default(),
            turn: TURN,
        }
    }

    /// How much it has to do now.
    pub(super) fn load(&self) -> Load {
        let busy = AT_ONCE - self.places.available_permits();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        Load {
            waiting: self.waiting.load(Ordering::Relaxed),
            connections: busy + idle,
            busy,
        }
    }

    /// Runs `work` with a connection, on a thread that may wait.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = {
            let _waiting = Waiting::new(&self.waiting);
            let place = tokio::time::timeout(self.turn, Arc::clone(&self.places).acquire_owned()).await;
            let full = |_| StoreError::Unavailable("database: too many read at a time".to_string());
            place.map_err(full)?.map_err(|_| lost("the reading connections"))?
        };
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        blocking(move || {
            let _place = place;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut conn = match taken {
                Some(conn) => conn,
                None => open(&path)?,
            };
            let result = work(&mut conn);
            // One that failed may have a broken file behind it: the next one opens it afresh.
            if result.is_ok() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            }
            Ok(result?)
        })
        .await
    }

    /// Runs `work` in a transaction that writes.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.with(move |conn| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        })
        .await
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY)?;
    conn.execute_batch("PRAGMA synchronous = FULL;")?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_does_not_get_a_turn_in_time_is_told_so_and_the_next_one_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE a (b)")
            .unwrap();
        let pool = Pool {
            turn: Duration::from_millis(20),
            ..Pool::new(&path)
        };
        let slow: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (end, ended) = mpsc::channel::<()>();
                let pool = pool.clone();
                let reading = tokio::spawn(async move { pool.with(move |_| Ok(ended.recv())).await.is_ok() });
                (end, reading)
            })
            .collect();
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let read = || pool.with(|conn| conn.query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0)));
        let refused = read().await.unwrap_err();
        assert!(refused.to_string().contains("too many read"), "{refused}");
        for (end, reading) in slow {
            drop(end);
            assert!(reading.await.unwrap());
        }
        assert_eq!(read().await.unwrap(), 0);
        assert_eq!(pool.load().waiting, 0);
    }
}
