//! What needs a PostgreSQL: `scripts/test-fleet.sh` starts one, names it in `SYNC_TEST_POSTGRES` and runs these.

use std::sync::atomic::{AtomicU32, Ordering};

use super::migrate::Unready;
use super::{DatabaseSettings, Link};
use crate::store::upkeep::{Doom, Keeping as _, Leases as _, Reason};

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
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [1, 2]);
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

impl super::OnLink for Link {
    fn link(&self) -> &Link {
        self
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn clips_and_events_leave_in_steps_and_their_receipts_stay() {
    let database = OwnDatabase::default();
    let link = database.link();
    link.prepare().await.unwrap();
    database.run(
        "INSERT INTO media (id, device_id, source, file, size_bytes, sha256, moment, idempotency_key, key_owner, received_at)
         SELECT i, 'shop-1', 's', i || '.mp4', 512, '', '2025', 'key-' || i, '', now() - i * interval '1 day' FROM generate_series(1, 5) AS i;
UPDATE media SET pinned = true WHERE id = 5;
INSERT INTO evenement (device_id, source, moment, idempotency_key, key_owner, received_at)
         SELECT 'home', 's', '2025', 'key-' || i, '', now() - interval '3 days' FROM generate_series(1, 5) AS i",
    );
    let before_s = crate::people::now_s() - 3 * 86_400 + 3600;
    assert_eq!(link.clip_bytes().await.unwrap(), 5 * 512);
    assert_eq!(link.doom(Doom::Before(before_s), 10).await.unwrap(), [512, 512]);
    assert_eq!(link.doom(Doom::Bytes(100), 10).await.unwrap(), [512]);
    let doomed = link.doomed(10).await.unwrap();
    let told: Vec<_> = doomed.iter().map(|clip| (clip.id, clip.reason)).collect();
    assert_eq!(told, [(2, Reason::Space), (3, Reason::Age), (4, Reason::Age)]);
    link.clips_gone(vec![1, 2, 3, 4, 5]).await.unwrap();
    assert_eq!(link.clip_bytes().await.unwrap(), 2 * 512);
    assert_eq!(link.remove_events(before_s, 3).await.unwrap(), 3);
    assert_eq!(link.remove_events(before_s, 10).await.unwrap(), 2);
    assert_eq!(link.remove_events(before_s, 10).await.unwrap(), 0);
    let removals = link.removals(Some("shop-?".to_string()), 10).await.unwrap();
    let rows: Vec<_> = removals
        .iter()
        .map(|line| (line.reason, line.rows, line.bytes))
        .collect();
    assert_eq!(rows, [(Reason::Age, 2, 1024), (Reason::Space, 1, 512)]);
    assert_eq!(link.removals(None, 10).await.unwrap().len(), 3);
    assert_eq!(link.forget_receipts(crate::people::now_s() + 60, 7).await.unwrap(), 7);
    assert_eq!(link.forget_receipts(crate::people::now_s() + 60, 7).await.unwrap(), 1);
    link.put_trouble(Some("full".to_string())).await.unwrap();
    assert_eq!(link.trouble().await.unwrap().unwrap().reason, "full");
    link.put_trouble(None).await.unwrap();
    assert_eq!(link.trouble().await.unwrap(), None);
    let other = database.link();
    other.prepare().await.unwrap();
    assert!(link.lead("a", "one".to_string(), 60_000).await.unwrap());
    assert!(!other.lead("a", "two".to_string(), 60_000).await.unwrap());
    link.resign("a", "one".to_string()).await.unwrap();
    assert!(other.lead("a", "two".to_string(), 60_000).await.unwrap());
}
