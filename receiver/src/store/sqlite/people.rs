//! People and their sessions on SQLite.

use rusqlite::{OptionalExtension, Row, params};

use super::desk::SqliteDesk;
use crate::store::Pending;
use crate::store::people::{Attempt, NewPerson, NewSession, People, Person, REMEMBERED_S, Role, SessionRow};

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person {
        name: row.get(0)?,
        role: Role::of(&row.get::<_, String>(1)?),
        devices: row.get(2)?,
    })
}

impl People for SqliteDesk {
    fn people(&self) -> Pending<'_, Vec<Person>> {
        Box::pin(async move {
            self.pool
                .with(|conn| {
                    let mut statement = conn.prepare("SELECT name, role, devices FROM person ORDER BY name")?;
                    let rows = statement.query_map([], person)?;
                    rows.collect()
                })
                .await
        })
    }

    fn has_people(&self) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .with(|conn| {
                    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM person)")?
                        .query_row([], |row| row.get(0))
                })
                .await
        })
    }

    fn person(&self, name: String) -> Pending<'_, Option<NewPerson>> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    conn.prepare_cached("SELECT name, role, devices, password_hash FROM person WHERE name = ?1")?
                        .query_row([name], |row| {
                            Ok(NewPerson {
                                person: person(row)?,
                                password_hash: row.get(3)?,
                            })
                        })
                        .optional()
                })
                .await
        })
    }

    fn add_person(&self, new: NewPerson) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
            .write(move |tx| {
                let added = tx.execute(
                    "INSERT INTO person (name, role, devices, password_hash) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    params![new.person.name, new.person.role.name(), new.person.devices, new.password_hash],
                )?;
                Ok(added == 1)
            })
            .await
        })
    }

    fn set_password(&self, name: String, password_hash: String) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    tx.execute("DELETE FROM session WHERE person = ?1", [&name])?;
                    let changed = tx.execute(
                        "UPDATE person SET password_hash = ?2 WHERE name = ?1",
                        [&name, &password_hash],
                    )?;
                    Ok(changed == 1)
                })
                .await
        })
    }

    fn remove_person(&self, name: String) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    tx.execute("DELETE FROM session WHERE person = ?1", [&name])?;
                    tx.execute("DELETE FROM person_seen WHERE person = ?1", [&name])?;
                    Ok(tx.execute("DELETE FROM person WHERE name = ?1", [&name])? == 1)
                })
                .await
        })
    }

    fn begin_session(&self, session: NewSession, now_s: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    tx.execute("DELETE FROM session WHERE expires_at <= ?1", [now_s])?;
                    let begun = tx.execute(
                        "INSERT INTO session (id, secret_sha256, person, expires_at)
                         SELECT ?1, ?2, name, ?4 FROM person WHERE name = ?3 AND password_hash = ?5",
                        params![
                            session.id,
                            session.secret,
                            session.person,
                            session.expires_s,
                            session.password_hash
                        ],
                    )?;
                    Ok(begun == 1)
                })
                .await
        })
    }

    fn session(&self, id: String) -> Pending<'_, Option<SessionRow>> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    conn.prepare_cached(
                        "SELECT person.name, role, devices, secret_sha256, expires_at
                     FROM session JOIN person ON person.name = session.person WHERE session.id = ?1",
                    )?
                    .query_row([id], |row| {
                        Ok(SessionRow {
                            person: person(row)?,
                            secret: row.get(3)?,
                            expires_s: row.get(4)?,
                        })
                    })
                    .optional()
                })
                .await
        })
    }

    fn prolong_session(&self, id: String, expires_s: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    tx.execute(
                        "UPDATE session SET expires_at = ?2 WHERE id = ?1",
                        params![id, expires_s],
                    )
                    .map(drop)
                })
                .await
        })
    }

    fn end_session(&self, id: String) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| tx.execute("DELETE FROM session WHERE id = ?1", [id]).map(drop))
                .await
        })
    }

    fn attempt(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    let mut failures = Vec::new();
                    let mut early_s = 0;
                    for attempt in &attempts {
                        let found: Option<(u32, i64)> = tx
                            .prepare_cached(
                                "SELECT failures, next_at FROM sign_in_failure WHERE subject = ?1 AND last_at >= ?2",
                            )?
                            .query_row(params![attempt.subject, now_s - REMEMBERED_S], |row| {
                                Ok((row.get(0)?, row.get(1)?))
                            })
                            .optional()?;
                        let (count, next_s) = found.unwrap_or_default();
                        early_s = early_s.max(attempt.early_s(next_s, now_s));
                        failures.push(count.saturating_add(1));
                    }
                    if early_s > 0 {
                        return Ok(early_s);
                    }
                    for (attempt, failures) in attempts.iter().zip(failures) {
                        tx.prepare_cached(
                            "INSERT INTO sign_in_failure (subject, failures, last_at, next_at) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (subject) DO UPDATE
                         SET failures = excluded.failures, last_at = excluded.last_at, next_at = excluded.next_at",
                        )?
                        .execute(params![
                            attempt.subject,
                            failures,
                            now_s,
                            now_s + attempt.wait_s(failures)
                        ])?;
                    }
                    Ok(0)
                })
                .await
        })
    }

    fn wait_s(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64> {
        Box::pin(async move {
            self.pool
                .with(move |conn| {
                    let mut longest = 0;
                    for attempt in attempts {
                        let next: Option<i64> = conn
                            .prepare_cached("SELECT next_at FROM sign_in_failure WHERE subject = ?1")?
                            .query_row([&attempt.subject], |row| row.get(0))
                            .optional()?;
                        longest = longest.max(next.map_or(0, |next_s| attempt.early_s(next_s, now_s)));
                    }
                    Ok(longest)
                })
                .await
        })
    }

    fn succeeded(&self, attempts: Vec<Attempt>) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    for attempt in attempts {
                        let sql = if attempt.is_shared {
                            "UPDATE sign_in_failure SET failures = failures - 1, next_at = 0 WHERE subject = ?1 AND failures > 0"
                        } else {
                            "DELETE FROM sign_in_failure WHERE subject = ?1"
                        };
                        tx.execute(sql, [attempt.subject])?;
                    }
                    Ok(())
                })
                .await
        })
    }

    fn forget_failures(&self, now_s: i64) -> Pending<'_, ()> {
        Box::pin(async move {
            self.pool
                .write(move |tx| {
                    tx.execute("DELETE FROM sign_in_failure WHERE last_at < ?1", [now_s - REMEMBERED_S])
                        .map(drop)
                })
                .await
        })
    }
}
