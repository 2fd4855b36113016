//! [`Rows`] on PostgreSQL.

use std::collections::HashSet;
use std::time::Duration;

use super::link::Link;
use super::queue::{Job, Queue, Reply, answer};
use super::receipts::{self, Question};
use super::writer::{Write, Writer};
use super::{complete, uploads};
use crate::store::row::{Added, Key, Kind, NewRow, NewStatus, Receipt};
use crate::store::rows::{Load, Rows};
use crate::store::uploads::{Claim, Created, Durable, Hold, NewUpload, Saved, Then, Upload, UploadRows};
use crate::store::{Pending, StoreError};

/// Transactions at a time: while one waits for the disk, the next one gathers.
const WRITERS: usize = 3;

/// Rows after which no more requests are stored together.
const TOGETHER_MOST_ROWS: usize = 1_000;

/// Look-ups of keys at a time.
const READERS: usize = 2;

/// How long a request waits for its answer. A device gives up after 30 s without a word; a 503 tells it more.
const PATIENCE: Duration = Duration::from_secs(20);

const NOW: &str = "SELECT (extract(epoch FROM now()) * 1000)::bigint";

const MANIFEST: &str = "SELECT manifest FROM media WHERE file = $1";

/// One question for a thousand names.
const OWNED: &str = "
SELECT name FROM unnest($1::text[]) AS name
WHERE EXISTS (SELECT 1 FROM upload WHERE part = split_part(name, '.', 1) AND media_id IS NULL)
   OR EXISTS (SELECT 1 FROM media WHERE file = name)";

/// Changes nothing, and is a write to the last byte.
const PROBE: &str = "UPDATE schema_migration SET name = name WHERE version = 1";

struct Asked(Kind, Key, Reply<Option<Receipt>>);

impl Job for Asked {
    fn weight(&self) -> usize {
        1
    }
}

/// Rows in a database that other receivers write too.
pub(in crate::store) struct PostgresRows {
    link: Link,
    writer: Writer,
    writes: Queue<Write>,
    questions: Queue<Asked>,
}

impl PostgresRows {
    pub(in crate::store) fn new(link: Link) -> Self {
        let writer = Writer::new(link.clone());
        let (own, asked) = (writer.clone(), link.clone());
        Self {
            link,
            writer,
            writes: Queue::start((WRITERS, TOGETHER_MOST_ROWS), PATIENCE, move |together| {
                own.clone().run(together)
            }),
            questions: Queue::start((READERS, TOGETHER_MOST_ROWS), PATIENCE, move |together| {
                look_up(asked.clone(), together)
            }),
        }
    }
}

/// Answers those who ask for receipts.
async fn look_up(link: Link, together: Vec<Asked>) {
    let (events, clips): (Vec<_>, Vec<_>) = together.into_iter().partition(|Asked(kind, ..)| *kind == Kind::Event);
    for (kind, asked) in [(Kind::Event, events), (Kind::Clip, clips)] {
        if asked.is_empty() {
            continue;
        }
        let question = Question::new(asked.iter().map(|Asked(_, key, _)| key));
        let found = receipts::ask_link(&link, kind, &question).await;
        drop(question);
        match found {
            Ok(found) => {
                for (Asked(_, _, reply), found) in asked.into_iter().zip(found) {
                    answer(reply, Ok(found.map(|found| found.receipt)));
                }
            }
            Err(error) => {
                let tell = |Asked(_, _, reply)| answer(reply, Err::<Option<Receipt>, StoreError>(error.clone()));
                asked.into_iter().for_each(tell);
            }
        }
    }
}

impl Rows for PostgresRows {
    /// Who waits, waits in the queues: their tasks are as many as may have a connection.
    fn load(&self) -> Load {
        let load = self.link.load();
        let waiting = load.waiting + self.writes.waiting() + self.questions.waiting();
        Load { waiting, ..load }
    }

    fn receipt(&self, kind: Kind, key: Key) -> Pending<'_, Option<Receipt>> {
        Box::pin(self.questions.ask(move |reply| Asked(kind, key, reply)))
    }

    fn add_all(&self, rows: Vec<NewRow>) -> Pending<'_, Vec<Added>> {
        Box::pin(self.writes.ask(|reply| Write::Rows(rows, reply)))
    }

    fn put_status(&self, status: NewStatus) -> Pending<'_, ()> {
        Box::pin(self.writes.ask(|reply| Write::Status(Box::new(status), reply)))
    }

    fn manifest(&self, name: String) -> Pending<'_, Option<String>> {
        Box::pin(async move {
            let rows = self.link.rows(MANIFEST, &[&name]).await?;
            Ok(rows.first().map(|row| row.get(0)))
        })
    }

    fn owned(&self, names: Vec<String>) -> Pending<'_, HashSet<String>> {
        Box::pin(async move {
            let rows = self.link.rows(OWNED, &[&names]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
    }

    fn now_ms(&self) -> Pending<'_, i64> {
        Box::pin(async move {
            let rows = self.link.rows(NOW, &[]).await?;
            let now_ms = rows.first().map(|row| row.get(0));
            now_ms.ok_or_else(|| StoreError::Unavailable("database: it tells no time".to_string()))
        })
    }

    fn installation(&self) -> Pending<'_, String> {
        Box::pin(async move {
            let rows = self.link.rows("SELECT id FROM installation", &[]).await?;
            let id = rows.first().map(|row| row.get(0));
            id.ok_or_else(|| StoreError::Unavailable("database: its table `installation` is empty".to_string()))
        })
    }

    fn check(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            if self.writer.trouble().is_none() {
                return self.link.rows("SELECT 1", &[]).await.map(drop);
            }
            self.link.rows(PROBE, &[]).await?;
            self.writer.is_well();
            Ok(())
        })
    }
}

impl UploadRows for PostgresRows {
    fn create_upload(&self, new: NewUpload, part: String, now_ms: i64) -> Pending<'_, Created> {
        Box::pin(async move { uploads::create(&self.link, &new, &part, now_ms).await })
    }

    fn upload(&self, id: String, now_ms: i64) -> Pending<'_, Option<Upload>> {
        Box::pin(async move { uploads::find(&self.link, &id, now_ms).await })
    }

    fn claim_upload(&self, id: String, now_ms: i64) -> Pending<'_, Claim> {
        Box::pin(async move { uploads::claim(&self.link, &id, now_ms).await })
    }

    fn save_upload(&self, hold: Hold, durable: Durable, then: Then, now_ms: i64) -> Pending<'_, Saved> {
        Box::pin(async move { uploads::save(&self.link, &hold, &durable, then, now_ms).await })
    }

    fn complete_upload(&self, hold: Hold, row: NewRow, now_ms: i64) -> Pending<'_, Option<Added>> {
        Box::pin(async move { complete::run(&self.link, &hold, &row, now_ms).await })
    }

    fn delete_upload(&self, hold: Hold) -> Pending<'_, bool> {
        Box::pin(async move { uploads::delete(&self.link, &hold).await })
    }

    fn expire_uploads(&self, now_ms: i64) -> Pending<'_, Vec<String>> {
        Box::pin(async move { uploads::expire(&self.link, now_ms).await })
    }

    fn awaits_part(&self, part: String) -> Pending<'_, bool> {
        Box::pin(async move { uploads::awaits_part(&self.link, &part).await })
    }
}
