//! What needs a PostgreSQL: `scripts/test-fleet.sh` starts one, names it in `SYNC_TEST_POSTGRES` and runs these.

mod starting;
mod tests;

use std::sync::atomic::{AtomicU32, Ordering};

use super::{DatabaseSettings, Link};

/// A database of a test's own, which is dropped with it.
pub(in crate::store) struct OwnDatabase {
    name: String,
}

/// The server, as a superuser may use it.
#[allow(clippy::disallowed_methods)] // Tests are told where it is.
fn server() -> String {
    std::env::var("SYNC_TEST_POSTGRES").expect("SYNC_TEST_POSTGRES; run scripts/test-fleet.sh")
}

/// Runs statements on the server's own database, from anywhere.
fn at_the_server(sql: &str) {
    run(&format!("{}/postgres", server()), sql);
}

fn run(url: &str, sql: &str) {
    let (url, sql) = (url.to_string(), sql.to_string());
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            for statement in sql.split(";\n") {
                client.batch_execute(statement).await.unwrap();
            }
        });
    });
    thread.join().unwrap();
}

impl Default for OwnDatabase {
    fn default() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        at_the_server(&format!("CREATE DATABASE {name}"));
        Self { name }
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        at_the_server(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

impl OwnDatabase {
    pub(in crate::store) fn url(&self) -> String {
        format!("{}/{}", server(), self.name)
    }

    pub(in crate::store) fn link(&self) -> Link {
        Link::new(DatabaseSettings::new(&self.url()).unwrap()).unwrap()
    }

    /// Lets the clock of connections that are made from now on be so much behind.
    pub(in crate::store) fn be_behind(&self, interval: &str) {
        self.run(&format!(
            "CREATE SCHEMA IF NOT EXISTS behind;
CREATE OR REPLACE FUNCTION behind.now() RETURNS timestamptz STABLE LANGUAGE sql
AS $$ SELECT pg_catalog.now() - interval '{interval}' $$;
ALTER DATABASE {} SET search_path = public, behind, pg_catalog",
            self.name
        ));
    }

    /// With its tables.
    pub(in crate::store) fn ready(&self) -> Link {
        let link = self.link();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(link.prepare()).unwrap();
        })
        .join()
        .unwrap();
        // Connections belong to the runtime that made them.
        let link = self.link();
        link.assume_ready();
        link
    }

    /// Runs statements in it.
    pub(in crate::store) fn run(&self, sql: &str) {
        run(&self.url(), sql);
    }
}

async fn count(link: &Link, sql: &str) -> i64 {
    link.rows(sql, &[]).await.unwrap()[0].get(0)
}
