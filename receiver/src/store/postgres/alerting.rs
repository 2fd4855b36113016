//! [`Alerting`] on PostgreSQL, by its clock.

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::{Error, Row};

use super::desk::{PostgresDesk, clean};
use crate::store::Pending;
use crate::store::reading::Cursor;
use crate::store::upkeep::{Alarm, Alerting, Important, Notice, Subject, Turn};

const MARK: &str = "
INSERT INTO important_sensor (device_id, sensor, marked_by, marked_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

const BEGIN: &str = "
INSERT INTO alarm (device_id, what, sensor, moment, began_at, last_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

const GO_ON: &str = "
UPDATE alarm SET last_at = greatest(last_at, $4) WHERE device_id = $1 AND what = $2 AND sensor = $3";

const END: &str = "DELETE FROM alarm WHERE device_id = $1 AND what = $2 AND sensor = $3";

const TELL: &str = "INSERT INTO notice (subject, body) VALUES ($1, $2)";

const FOLLOW: &str = "
INSERT INTO alert_watch (one, followed, looked_at, since_at) VALUES (1, $1, 0, 0)
ON CONFLICT (one) DO UPDATE SET followed = excluded.followed";

const LOOK: &str = "
INSERT INTO alert_watch (one, looked_at, since_at) VALUES (1, $1, 0)
ON CONFLICT (one) DO UPDATE SET looked_at = $1, since_at = CASE
    WHEN alert_watch.looked_at > 0 AND alert_watch.looked_at < $1 - $2 THEN $1 ELSE alert_watch.since_at END
RETURNING since_at";

/// The first of each subject alone; `notice_by_subject`.
const NEXT: &str = "
UPDATE notice SET next_at = extract(epoch FROM now())::bigint + $1, tries = tries + 1
WHERE id = (
    SELECT id FROM notice AS due
    WHERE next_at <= extract(epoch FROM now())::bigint
    AND NOT EXISTS (SELECT 1 FROM notice AS earlier WHERE earlier.subject = due.subject AND earlier.id < due.id)
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) AND next_at <= extract(epoch FROM now())::bigint
RETURNING id, body, tries - 1";

async fn turn(tx: &Transaction<'_>, turn: &Turn) -> Result<(), Error> {
    let changed = |sql| tx.prepare_cached(sql);
    let (subject, count, body) = match turn {
        Turn::Begins(alarm, body) => {
            let [device_id, what, sensor, moment] = named(&alarm.subject, &alarm.moment);
            let began = changed(BEGIN).await?;
            let count = tx
                .execute(
                    &began,
                    &[&device_id, &what, &sensor, &moment, &alarm.began_s, &alarm.last_s],
                )
                .await?;
            (&alarm.subject, count, body)
        }
        Turn::GoesOn(subject, last_s) => {
            let [device_id, what, sensor, _] = named(subject, "");
            let goes_on = changed(GO_ON).await?;
            return tx
                .execute(&goes_on, &[&device_id, &what, &sensor, last_s])
                .await
                .map(drop);
        }
        Turn::IsOver(subject, body) => {
            let [device_id, what, sensor, _] = named(subject, "");
            let ends = changed(END).await?;
            (subject, tx.execute(&ends, &[&device_id, &what, &sensor]).await?, body)
        }
    };
    if count > 0 {
        let tell = changed(TELL).await?;
        tx.execute(&tell, &[&clean(&subject.text()), &clean(body)]).await?;
    }
    Ok(())
}

fn named(subject: &Subject, moment: &str) -> [String; 4] {
    let Subject {
        device_id,
        what,
        sensor,
    } = subject;
    [clean(device_id), what.clone(), clean(sensor), clean(moment)]
}

fn alarm(row: &Row) -> Result<Alarm, Error> {
    Ok(Alarm {
        subject: Subject {
            device_id: row.try_get(0)?,
            what: row.try_get(1)?,
            sensor: row.try_get(2)?,
        },
        moment: row.try_get(3)?,
        began_s: row.try_get(4)?,
        last_s: row.try_get(5)?,
    })
}

fn notice(row: &Row) -> Result<Notice, Error> {
    Ok(Notice {
        id: row.try_get(0)?,
        body: row.try_get(1)?,
        tries: u32::try_from(row.try_get::<_, i64>(2)?).unwrap_or(u32::MAX),
    })
}

fn important(row: &Row) -> Result<Important, Error> {
    Ok(Important {
        device_id: row.try_get(0)?,
        sensor: row.try_get(1)?,
        marked_by: row.try_get(2)?,
        marked_at_s: row.try_get(3)?,
    })
}

impl Alerting for PostgresDesk {
    fn important(&self) -> Pending<'_, Vec<Important>> {
        let sql = "SELECT device_id, sensor, marked_by, marked_at FROM important_sensor ORDER BY device_id, sensor";
        Box::pin(self.all(sql, &[], important))
    }

    fn mark(&self, sensor: Important) -> Pending<'_, ()> {
        Box::pin(async move {
            let (device_id, name) = (clean(&sensor.device_id), clean(&sensor.sensor));
            let Important {
                marked_by, marked_at_s, ..
            } = &sensor;
            self.link
                .rows(MARK, &[&device_id, &name, marked_by, marked_at_s])
                .await
                .map(drop)
        })
    }

    fn unmark(&self, device_id: String, sensor: String) -> Pending<'_, ()> {
        Box::pin(async move {
            let sql = "DELETE FROM important_sensor WHERE device_id = $1 AND sensor = $2";
            let (device_id, sensor) = (clean(&device_id), clean(&sensor));
            self.link.rows(sql, &[&device_id, &sensor]).await.map(drop)
        })
    }

    fn alarms(&self) -> Pending<'_, Vec<Alarm>> {
        let sql = "SELECT device_id, what, sensor, moment, began_at, last_at FROM alarm";
        Box::pin(self.all(sql, &[], alarm))
    }

    fn turn(&self, turns: Vec<Turn>, followed: Option<Cursor>) -> Pending<'_, ()> {
        Box::pin(async move {
            let turn_all = async |client: &mut Client| {
                let tx = client.transaction().await?;
                for one in &turns {
                    turn(&tx, one).await?;
                }
                tx.execute(FOLLOW, &[&followed.as_ref().map(Cursor::as_str)]).await?;
                tx.commit().await
            };
            self.link.once(turn_all).await
        })
    }

    fn followed(&self) -> Pending<'_, Option<Cursor>> {
        Box::pin(async move {
            let sql = "SELECT followed FROM alert_watch";
            let followed: Option<Option<String>> = self.first(sql, &[], |row| row.try_get(0)).await?;
            Ok(followed.flatten().as_deref().and_then(Cursor::read))
        })
    }

    fn looked(&self, now_s: i64, gap_s: i64) -> Pending<'_, i64> {
        Box::pin(async move {
            let since = self.first(LOOK, &[&now_s, &gap_s], |row| row.try_get(0)).await?;
            Ok(since.unwrap_or(0))
        })
    }

    fn next_notice(&self, claim_s: i64) -> Pending<'_, Option<Notice>> {
        Box::pin(async move { self.first(NEXT, &[&claim_s], notice).await })
    }

    fn notice_taken(&self, id: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            let taken = self.link.rows("DELETE FROM notice WHERE id = $1", &[&id]).await;
            taken.map(drop)
        })
    }

    fn notice_refused(&self, id: i64, again_s: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            let sql = "UPDATE notice SET next_at = extract(epoch FROM now())::bigint + $2 WHERE id = $1";
            self.link.rows(sql, &[&id, &again_s]).await.map(drop)
        })
    }

    fn notices(&self) -> Pending<'_, usize> {
        Box::pin(self.count("SELECT count(*) FROM notice", &[]))
    }
}
