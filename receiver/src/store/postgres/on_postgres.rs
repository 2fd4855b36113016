//! What needs a PostgreSQL: `scripts/test-fleet.sh` starts one, names it in `SYNC_TEST_POSTGRES` and runs these.

use std::sync::atomic::{AtomicU32, Ordering};

use super::migrate::Unready;
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

    /// Runs statements in it.
    pub(in crate::store) fn run(&self, sql: &str) {
        run(&self.url(), sql);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn many_receivers_that_start_at_once_make_the_tables_once() {
    let database = OwnDatabase::default();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let link = database.link();
            tokio::spawn(async move { link.prepare().await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let link = database.link();
    link.prepare().await.unwrap();
    let rows = link.rows("SELECT version FROM schema_migration", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [1]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn tables_of_a_newer_program_are_refused() {
    let database = OwnDatabase::default();
    database.link().prepare().await.unwrap();
    database.run("INSERT INTO schema_migration (version, name) VALUES (1000, 'later')");
    let Err(Unready::Never(sentence)) = database.link().prepare().await else {
        panic!("taken");
    };
    assert!(
        sentence.contains("version 1000") && sentence.contains("update"),
        "{sentence}"
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn nobody_waits_for_transactions_that_a_backup_brought() {
    let database = OwnDatabase::default();
    database.link().prepare().await.unwrap();
    database.run(
        "INSERT INTO evenement (device_id, source, moment, xid) VALUES ('d', 's', '2025', '99999999999'), ('d', 's', '2025', '3')",
    );
    let link = database.link();
    link.prepare().await.unwrap();
    let waits = "SELECT xid::text FROM evenement WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) OR xid = '3'";
    let rows = link.rows(waits, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["3"]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn a_connection_that_broke_while_nobody_looked_is_no_trouble() {
    let database = OwnDatabase::default();
    let link = database.link();
    link.prepare().await.unwrap();
    for _ in 0..5 {
        assert_eq!(link.rows("SELECT 1", &[]).await.unwrap().len(), 1);
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.run(others);
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_with_its_user_and_without_the_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://somebody:secret@127.0.0.1:{port}/rows");
    let link = Link::new(DatabaseSettings::new(&url).unwrap()).unwrap();
    let Err(Unready::Away(why)) = link.prepare().await else {
        panic!("not away");
    };
    assert!(why.contains(&format!("somebody@127.0.0.1:{port}/rows")), "{why}");
    assert!(why.contains("refused") && !why.contains("secret"), "{why}");
    assert!(link.client().await.is_err());
}
