//! [`Alerting`] on SQLite.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::desk::SqliteDesk;
use crate::store::Pending;
use crate::store::reading::Cursor;
use crate::store::upkeep::{Alarm, Alerting, Important, Notice, Subject, Turn};

const MARK: &str = "
INSERT OR IGNORE INTO important_sensor (device_id, sensor, marked_by, marked_at) VALUES (?1, ?2, ?3, ?4)";

const BEGIN: &str = "
INSERT OR IGNORE INTO alarm (device_id, what, sensor, moment, began_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const GO_ON: &str = "
UPDATE alarm SET last_at = max(last_at, ?4) WHERE device_id = ?1 AND what = ?2 AND sensor = ?3";

const END: &str = "DELETE FROM alarm WHERE device_id = ?1 AND what = ?2 AND sensor = ?3";

const TELL: &str = "INSERT INTO notice (subject, body) VALUES (?1, ?2)";

const FOLLOW: &str = "
INSERT INTO alert_watch (one, followed, looked_at, since_at) VALUES (1, ?1, 0, 0)
ON CONFLICT (one) DO UPDATE SET followed = excluded.followed";

const LOOK: &str = "
INSERT INTO alert_watch (one, looked_at, since_at) VALUES (1, ?1, 0)
ON CONFLICT (one) DO UPDATE SET looked_at = ?1,
since_at = iif(looked_at > 0 AND looked_at < ?1 - ?2, ?1, since_at)
RETURNING since_at";

/// The first of each subject alone; `notice_by_subject`.
const DUE: &str = "
SELECT id, body, tries FROM notice
WHERE next_at <= unixepoch()
AND NOT EXISTS (SELECT 1 FROM notice AS earlier WHERE earlier.subject = notice.subject AND earlier.id < notice.id)
ORDER BY id LIMIT 1";

const CLAIM: &str = "
UPDATE notice SET next_at = unixepoch() + ?2, tries = tries + 1 WHERE id = ?1 AND next_at <= unixepoch()";

fn turn(tx: &Transaction<'_>, turn: &Turn) -> rusqlite::Result<()> {
    let (subject, changed, body) = match turn {
        Turn::Begins(alarm, body) => {
            let Subject {
                device_id,
                what,
                sensor,
            } = &alarm.subject;
            let began = params![device_id, what, sensor, alarm.moment, alarm.began_s, alarm.last_s];
            (&alarm.subject, tx.prepare_cached(BEGIN)?.execute(began)?, body)
        }
        Turn::GoesOn(
            Subject {
                device_id,
                what,
                sensor,
            },
            last_s,
        ) => {
            tx.prepare_cached(GO_ON)?
                .execute(params![device_id, what, sensor, last_s])?;
            return Ok(());
        }
        Turn::IsOver(subject, body) => {
            let Subject {
                device_id,
                what,
                sensor,
            } = subject;
            (
                subject,
                tx.prepare_cached(END)?.execute([device_id, what, sensor])?,
                body,
            )
        }
    };
    if changed > 0 {
        tx.prepare_cached(TELL)?.execute([&subject.text(), body])?;
    }
    Ok(())
}

fn alarm(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    Ok(Alarm {
        subject: Subject {
            device_id: row.get(0)?,
            what: row.get(1)?,
            sensor: row.get(2)?,
        },
        moment: row.get(3)?,
        began_s: row.get(4)?,
        last_s: row.get(5)?,
    })
}

fn notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        id: row.get(0)?,
        body: row.get(1)?,
        tries: row.get(2)?,
    })
}

impl Alerting for SqliteDesk {
    fn important(&self) -> Pending<'_, Vec<Important>> {
        Box::pin(self.pool.with(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT device_id, sensor, marked_by, marked_at FROM important_sensor ORDER BY device_id, sensor",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(Important {
                    device_id: row.get(0)?,
                    sensor: row.get(1)?,
                    marked_by: row.get(2)?,
                    marked_at_s: row.get(3)?,
                })
            })?;
            rows.collect()
        }))
    }

    fn mark(&self, sensor: Important) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| {
            let Important {
                device_id,
                sensor,
                marked_by,
                marked_at_s,
            } = sensor;
            tx.execute(MARK, params![device_id, sensor, marked_by, marked_at_s])
                .map(drop)
        }))
    }

    fn unmark(&self, device_id: String, sensor: String) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| {
            tx.execute(
                "DELETE FROM important_sensor WHERE device_id = ?1 AND sensor = ?2",
                [device_id, sensor],
            )
            .map(drop)
        }))
    }

    fn alarms(&self) -> Pending<'_, Vec<Alarm>> {
        Box::pin(self.pool.with(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT device_id, what, sensor, moment, began_at, last_at FROM alarm")?;
            let rows = statement.query_map([], alarm)?;
            rows.collect()
        }))
    }

    fn turn(&self, turns: Vec<Turn>, followed: Option<Cursor>) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| {
            for one in &turns {
                turn(tx, one)?;
            }
            tx.execute(FOLLOW, [followed.as_ref().map(Cursor::as_str)]).map(drop)
        }))
    }

    fn followed(&self) -> Pending<'_, Option<Cursor>> {
        Box::pin(self.pool.with(|conn| {
            let followed = conn.query_row("SELECT followed FROM alert_watch", [], |row| {
                row.get::<_, Option<String>>(0)
            });
            Ok(followed.optional()?.flatten().as_deref().and_then(Cursor::read))
        }))
    }

    fn looked(&self, now_s: i64, gap_s: i64) -> Pending<'_, i64> {
        Box::pin(
            self.pool
                .write(move |tx| tx.query_row(LOOK, [now_s, gap_s], |row| row.get(0))),
        )
    }

    fn next_notice(&self, claim_s: i64) -> Pending<'_, Option<Notice>> {
        Box::pin(async move {
            // Not a lock for nothing.
            let due = self
                .pool
                .with(|conn| conn.prepare_cached(DUE)?.query_row([], notice).optional());
            let Some(due) = due.await? else { return Ok(None) };
            let id = due.id;
            let claimed = self.pool.write(move |tx| tx.execute(CLAIM, [id, claim_s])).await?;
            Ok((claimed > 0).then_some(due))
        })
    }

    fn notice_taken(&self, id: i64) -> Pending<'_, ()> {
        Box::pin(
            self.pool
                .write(move |tx| tx.execute("DELETE FROM notice WHERE id = ?1", [id]).map(drop)),
        )
    }

    fn notice_refused(&self, id: i64, again_s: i64) -> Pending<'_, ()> {
        Box::pin(self.pool.write(move |tx| {
            tx.execute(
                "UPDATE notice SET next_at = unixepoch() + ?2 WHERE id = ?1",
                [id, again_s],
            )
            .map(drop)
        }))
    }

    fn notices(&self) -> Pending<'_, usize> {
        Box::pin(self.pool.with(|conn| {
            let count: i64 = conn.query_row("SELECT count(*) FROM notice", [], |row| row.get(0))?;
            Ok(usize::try_from(count).unwrap_or(0))
        }))
    }
}
