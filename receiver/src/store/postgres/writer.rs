//! What is stored together, and what is said where that did not go well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::error::{is_over, is_passing};
use super::insert::Failed;
use super::link::{Link, STATEMENT_TIMEOUT};
use super::queue::{Job, Reply, answer};
use super::{insert, statuses};
use crate::store::StoreError;
use crate::store::row::{Added, NewRow, NewStatus};

/// Tries at rows: one that was lost on its way is asked for again, since their keys tell whether it arrived.
const TRIES: u32 = 5;

/// How long the second try waits; each further one twice as long.
const TRY_AGAIN: Duration = Duration::from_millis(50);

pub(super) enum Write {
    Rows(Vec<NewRow>, Reply<Vec<Added>>),
    Status(Box<NewStatus>, Reply<()>),
}

impl Job for Write {
    fn weight(&self) -> usize {
        match self {
            Self::Rows(rows, _) => rows.len(),
            Self::Status(..) => 1,
        }
    }
}

#[derive(Clone)]
pub(super) struct Writer {
    link: Link,
    /// Why the last rows could not be stored, unless some could since.
    trouble: Arc<Mutex<Option<StoreError>>>,
}

impl Writer {
    pub(super) fn new(link: Link) -> Self {
        let trouble = Arc::default();
        Self { link, trouble }
    }

    pub(super) fn trouble(&self) -> Option<StoreError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_well(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) async fn run(self, together: Vec<Write>) {
        let (mut requests, mut statuses) = (Vec::new(), Vec::new());
        for job in together {
            match job {
                // It waited too long: who sent it was told so, and sends it again.
                Write::Rows(_, reply) if reply.is_closed() => {}
                Write::Rows(rows, reply) => requests.push((rows, reply)),
                Write::Status(status, reply) => statuses.push((status, reply)),
            }
        }
        if !requests.is_empty() {
            self.store(requests).await;
        }
        if !statuses.is_empty() {
            let (statuses, replies): (Vec<_>, Vec<_>) = statuses.into_iter().unzip();
            let put = statuses::put(&self.link, &statuses).await;
            replies.into_iter().for_each(|reply| answer(reply, put.clone()));
        }
    }

    async fn store(&self, requests: Vec<(Vec<NewRow>, Reply<Vec<Added>>)>) {
        // What has no key can't be asked for again.
        let (keyed, keyless): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .partition(|(rows, _)| rows.iter().all(|row| row.key.is_some()));
        for requests in [keyed, keyless] {
            let counts: Vec<usize> = requests.iter().map(|(rows, _)| rows.len()).collect();
            let (rows, replies): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
            let rows: Vec<NewRow> = rows.into_iter().flatten().collect();
            match self.add(&rows).await {
                Err(Failure::Row(_)) if replies.len() > 1 => {
                    // One of them can't be stored: the others must not suffer.
                    let mut rest = rows;
                    for (count, reply) in counts.into_iter().zip(replies) {
                        let later = rest.split_off(count.min(rest.len()));
                        let added = self.add(&rest).await;
                        answer(reply, added.map_err(Failure::into_error));
                        rest = later;
                    }
                }
                Err(failure) => {
                    let error = failure.into_error();
                    replies.into_iter().for_each(|reply| answer(reply, Err(error.clone())));
                }
                Ok(mut added) => {
                    for (count, reply) in counts.into_iter().zip(replies) {
                        let later = added.split_off(count.min(added.len()));
                        answer(reply, Ok(added));
                        added = later;
                    }
                }
            }
        }
    }

    /// All of the rows, or none.
    async fn add(&self, rows: &[NewRow]) -> Result<Vec<Added>, Failure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let added = self.try_to_add(rows).await;
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &added {
            Ok(_) => *trouble = None,
            Err(Failure::Row(_)) => {}
            Err(Failure::Store(error)) => *trouble = Some(error.clone()),
        }
        drop(trouble);
        added
    }

    async fn try_to_add(&self, rows: &[NewRow]) -> Result<Vec<Added>, Failure> {
        let have_keys = rows.iter().all(|row| row.key.is_some());
        // Whether an earlier try may have stored them.
        let mut is_lost = false;
        let mut wait = TRY_AGAIN;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.once(rows).await {
                Ok(added) => match added.into_iter().collect::<Option<Vec<_>>>() {
                    Some(added) => return Ok(added),
                    // A key's row was removed at the very moment: then it may come again. The others are stored.
                    None => Attempt::Lost("the rows of some keys were removed meanwhile".to_string()),
                },
                Err(attempt) => attempt,
            };
            let (again, why) = match error {
                Attempt::Row(why) if !is_lost => return Err(Failure::Row(why)),
                Attempt::Row(why) => (false, why),
                Attempt::Passing(why) => (true, why),
                Attempt::Away(why) => (is_lost, why),
                Attempt::Lost(why) => {
                    is_lost = true;
                    (have_keys, why)
                }
            };
            if !again || tries >= TRIES {
                return Err(Failure::Store(if is_lost {
                    StoreError::Uncertain(why)
                } else {
                    StoreError::Unavailable(why)
                }));
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn once(&self, rows: &[NewRow]) -> Result<Vec<Option<Added>>, Attempt> {
        let client = match self.link.client().await {
            Ok(client) => client,
            Err(error) => return Err(Attempt::Away(error.to_string())),
        };
        match tokio::time::timeout(STATEMENT_TIMEOUT, insert::run(&client, rows)).await {
            Ok(Ok(added)) => Ok(added),
            Ok(Err(Failed { error, is_stored })) => {
                let why = self.link.said(&error);
                let attempt = if is_stored {
                    // The next try, or who asks next, finds them by their keys.
                    Attempt::Lost(why)
                } else {
                    Attempt::new(&error, why)
                };
                self.link.failed(client, &error);
                Err(attempt)
            }
            Err(_) => Err(Attempt::Lost(self.link.silent(client).to_string())),
        }
    }
}

/// Why one try was none.
enum Attempt {
    /// It was not begun.
    Away(String),
    /// Nothing was stored, and the next one may go well.
    Passing(String),
    /// A row can't be stored.
    Row(String),
    /// Nobody knows what became of it.
    Lost(String),
}

impl Attempt {
    fn new(error: &Error, why: String) -> Self {
        let Some(code) = error.code() else {
            return Self::Lost(why);
        };
        if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
            Self::Passing(why)
        } else if is_over(error) {
            // The server ends: it may have committed before.
            Self::Lost(why)
        } else if is_passing(error) {
            Self::Passing(why)
        } else if ["21", "22", "23", "54"].contains(&code.code().get(..2).unwrap_or_default()) {
            Self::Row(why)
        } else {
            Self::Passing(why)
        }
    }
}

/// What is said of rows that were not stored, or may not have been.
enum Failure {
    /// One of the rows is at fault.
    Row(String),
    Store(StoreError),
}

impl Failure {
    fn into_error(self) -> StoreError {
        match self {
            Self::Row(why) => StoreError::Unavailable(why),
            Self::Store(error) => error,
        }
    }
}
