//! People and their sessions on PostgreSQL.

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::{Error, Row};

use super::desk::{PostgresDesk, clean};
use super::lock::AdvisoryLock;
use crate::store::Pending;
use crate::store::people::{Attempt, NewPerson, NewSession, People, Person, REMEMBERED_S, Role, SessionRow};

#[cfg(test)]
mod on_postgres;

const ADD: &str = "
INSERT INTO person (name, role, devices, password_hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

const SET_PASSWORD: &str = "UPDATE person SET password_hash = $2 WHERE name = $1";

const REMOVE: &str = "DELETE FROM person WHERE name = $1";

/// Only after the person has changed: a session that begins meanwhile holds that row, and then is seen here.
const END_SESSIONS: &str = "DELETE FROM session WHERE person = $1";

const FORGET_SEEN: &str = "DELETE FROM person_seen WHERE person = $1";

/// Those that are over are nobody's to wait for. One that is begun again is the same, asked for twice.
const BEGIN_SESSION: &str = "
WITH ended AS (DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= $5 FOR UPDATE SKIP LOCKED))
INSERT INTO session (id, secret_sha256, person, expires_at)
SELECT $1, $2, name, $4 FROM person WHERE name = $3 AND password_hash = $6 FOR SHARE
ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at RETURNING true";

const SESSION: &str = "
SELECT person.name, role, devices, secret_sha256, expires_at
FROM session JOIN person ON person.name = session.person WHERE session.id = $1";

const FORGET_FAILURES: &str = "DELETE FROM sign_in_failure WHERE last_at < $1";

const FAILURES: &str = "SELECT failures, next_at FROM sign_in_failure WHERE subject = $1 AND last_at >= $2";

const FAIL: &str = "
INSERT INTO sign_in_failure (subject, failures, last_at, next_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject) DO UPDATE
SET failures = excluded.failures, last_at = excluded.last_at, next_at = excluded.next_at";

const TAKE_BACK: &str = "
UPDATE sign_in_failure SET failures = failures - 1, next_at = 0 WHERE subject = $1 AND failures > 0";

const FORGIVE: &str = "DELETE FROM sign_in_failure WHERE subject = $1";

fn person(row: &Row) -> Result<Person, Error> {
    Ok(Person {
        name: row.try_get(0)?,
        role: Role::of(row.try_get(1)?),
        devices: row.try_get(2)?,
    })
}

/// In a transaction: the seconds to wait, or all counted as failed.
async fn attempt(tx: &Transaction<'_>, attempts: &[Attempt], now_s: i64) -> Result<i64, Error> {
    AdvisoryLock::SigningIn.lock(tx).await?;
    let (mut counts, mut early_s) = (Vec::new(), 0);
    for attempt in attempts {
        let found = tx
            .query_opt(FAILURES, &[&clean(&attempt.subject), &(now_s - REMEMBERED_S)])
            .await?;
        let (count, next_s) = match found {
            Some(row) => (row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?),
            None => (0, 0),
        };
        early_s = early_s.max(attempt.early_s(next_s, now_s));
        counts.push(count.saturating_add(1));
    }
    if early_s > 0 {
        return Ok(early_s);
    }
    for (attempt, count) in attempts.iter().zip(counts) {
        let next_s = now_s + attempt.wait_s(u32::try_from(count).unwrap_or(u32::MAX));
        tx.execute(FAIL, &[&clean(&attempt.subject), &count, &now_s, &next_s])
            .await?;
    }
    Ok(0)
}

/// In a transaction, which waits for its turn as attempts do: they lock the same rows.
async fn succeeded(tx: &Transaction<'_>, attempts: &[Attempt]) -> Result<(), Error> {
    AdvisoryLock::SigningIn.lock(tx).await?;
    for attempt in attempts {
        let sql = if attempt.is_shared { TAKE_BACK } else { FORGIVE };
        tx.execute(sql, &[&clean(&attempt.subject)]).await?;
    }
    Ok(())
}

impl People for PostgresDesk {
    fn people(&self) -> Pending<'_, Vec<Person>> {
        Box::pin(self.all("SELECT name, role, devices FROM person ORDER BY name", &[], person))
    }

    fn has_people(&self) -> Pending<'_, bool> {
        Box::pin(async move {
            let found = self
                .first("SELECT EXISTS (SELECT FROM person)", &[], |row| row.try_get(0))
                .await?;
            Ok(found.unwrap_or(false))
        })
    }

    fn person(&self, name: String) -> Pending<'_, Option<NewPerson>> {
        Box::pin(async move {
            let sql = "SELECT name, role, devices, password_hash FROM person WHERE name = $1";
            self.first(sql, &[&clean(&name)], |row| {
                Ok(NewPerson {
                    person: person(row)?,
                    password_hash: row.try_get(3)?,
                })
            })
            .await
        })
    }

    fn add_person(&self, new: NewPerson) -> Pending<'_, bool> {
        Box::pin(async move {
            let NewPerson { person, password_hash } = new;
            let devices = person.devices.as_deref().map(clean);
            let added = self
                .change(
                    ADD,
                    &[&clean(&person.name), &person.role.name(), &devices, &password_hash],
                )
                .await?;
            Ok(added == 1)
        })
    }

    fn set_password(&self, name: String, password_hash: String) -> Pending<'_, bool> {
        Box::pin(async move {
            let name = clean(&name);
            let set = async |client: &mut Client| {
                let tx = client.transaction().await?;
                let changed = tx.execute(SET_PASSWORD, &[&name, &password_hash]).await?;
                tx.execute(END_SESSIONS, &[&name]).await?;
                tx.commit().await?;
                Ok(changed == 1)
            };
            self.link.once(set).await
        })
    }

    fn remove_person(&self, name: String) -> Pending<'_, bool> {
        Box::pin(async move {
            let name = clean(&name);
            let remove = async |client: &mut Client| {
                let tx = client.transaction().await?;
                let removed = tx.execute(REMOVE, &[&name]).await?;
                tx.execute(END_SESSIONS, &[&name]).await?;
                tx.execute(FORGET_SEEN, &[&name]).await?;
                tx.commit().await?;
                Ok(removed == 1)
            };
            self.link.once(remove).await
        })
    }

    fn begin_session(&self, session: NewSession, now_s: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            let NewSession {
                id,
                secret,
                person,
                password_hash,
                expires_s,
            } = session;
            let (secret, person) = (secret.as_slice(), clean(&person));
            let begun = self
                .link
                .rows(
                    BEGIN_SESSION,
                    &[&id, &secret, &person, &expires_s, &now_s, &password_hash],
                )
                .await;
            Ok(!begun?.is_empty())
        })
    }

    fn session(&self, id: String) -> Pending<'_, Option<SessionRow>> {
        Box::pin(async move {
            let found = self
                .first(SESSION, &[&clean(&id)], |row| {
                    let secret: &[u8] = row.try_get(3)?;
                    Ok((person(row)?, secret.try_into().ok(), row.try_get(4)?))
                })
                .await?;
            // A fingerprint of another length is nobody's.
            Ok(found.and_then(|(person, secret, expires_s)| {
                Some(SessionRow {
                    secret: secret?,
                    person,
                    expires_s,
                })
            }))
        })
    }

    fn prolong_session(&self, id: String, expires_s: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            let sql = "UPDATE session SET expires_at = $2 WHERE id = $1";
            self.link.rows(sql, &[&clean(&id), &expires_s]).await.map(drop)
        })
    }

    fn end_session(&self, id: String) -> Pending<'_, ()> {
        Box::pin(async move {
            let ended = self
                .link
                .rows("DELETE FROM session WHERE id = $1", &[&clean(&id)])
                .await;
            ended.map(drop)
        })
    }

    fn attempt(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64> {
        Box::pin(async move {
            let count = async |client: &mut Client| {
                let tx = client.transaction().await?;
                let early_s = attempt(&tx, &attempts, now_s).await?;
                tx.commit().await?;
                Ok(early_s)
            };
            self.link.once(count).await
        })
    }

    fn wait_s(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64> {
        Box::pin(async move {
            let subjects: Vec<String> = attempts.iter().map(|attempt| clean(&attempt.subject)).collect();
            let sql = "SELECT subject, next_at FROM sign_in_failure WHERE subject = ANY ($1)";
            let found: Vec<(String, i64)> = self
                .all(sql, &[&subjects], |row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .await?;
            let waits = found.iter().filter_map(|(subject, next_s)| {
                let attempt = subjects.iter().position(|own| own == subject);
                let attempt = attempt.and_then(|index| attempts.get(index))?;
                Some(attempt.early_s(*next_s, now_s))
            });
            Ok(waits.max().unwrap_or(0).max(0))
        })
    }

    fn succeeded(&self, attempts: Vec<Attempt>) -> Pending<'_, ()> {
        Box::pin(async move {
            let take_back = async |client: &mut Client| {
                let tx = client.transaction().await?;
                succeeded(&tx, &attempts).await?;
                tx.commit().await
            };
            self.link.once(take_back).await
        })
    }

    fn forget_failures(&self, now_s: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            let forgotten = self.link.rows(FORGET_FAILURES, &[&(now_s - REMEMBERED_S)]).await;
            forgotten.map(drop)
        })
    }
}
