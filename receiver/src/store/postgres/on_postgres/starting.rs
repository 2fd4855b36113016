//! What a start makes of the database that is there.

use std::time::{Duration, Instant};

use super::{OwnDatabase, count};
use crate::store::people::Tokens;
use crate::store::postgres::migrate::Unready;
use crate::store::postgres::{DatabaseSettings, Link, PostgresDesk};

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
    assert_eq!(
        rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(),
        [1, 2, 3, 4, 5, 6]
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn others_store_rows_while_an_index_is_made_of_those_that_are_there() {
    let database = OwnDatabase::default();
    database.link().prepare().await.unwrap();
    // Of a start that was killed in the midst of it.
    database.run(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'evenement_by_device_sensor'::regclass;
DELETE FROM schema_migration WHERE version >= 5;
DROP TABLE installation",
    );
    let store = "INSERT INTO evenement (device_id, source, moment) VALUES ('d', 's', '2025')";
    let (other, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    other.batch_execute(&format!("BEGIN; {store}")).await.unwrap();
    let link = database.link();
    let preparing = tokio::spawn({
        let link = link.clone();
        async move { link.prepare().await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%CONCURRENTLY%'";
    let end = Instant::now() + Duration::from_secs(20);
    while other.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!preparing.is_finished() && Instant::now() < end);
        // What is seen of the others stays the same for the rest of a transaction, unless one asks for more.
        other.batch_execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    database.run(&format!("SET lock_timeout = '10s';\n{store}"));
    // Nor does a device's token wait for it.
    let meanwhile = database.link();
    meanwhile.assume_ready();
    let desk = PostgresDesk::beside(&meanwhile).unwrap();
    let token = tokio::time::timeout(Duration::from_secs(10), desk.add_token("d".to_string(), [0; 32]));
    assert!(token.await.unwrap().unwrap().is_some());
    other.batch_execute("COMMIT").await.unwrap();
    preparing.await.unwrap().unwrap();
    let half = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    let turns = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for none in [half, turns] {
        assert_eq!(count(&link, none).await, 0, "{none}");
    }
    assert_eq!(
        count(&link, "SELECT max(version)::bigint FROM schema_migration").await,
        6
    );
    let limit = link.rows("SHOW statement_timeout", &[]).await.unwrap();
    assert_eq!(limit[0].get::<_, &str>(0), "30s");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn tables_of_a_newer_program_are_refused() {
    let database = OwnDatabase::default();
    database.link().prepare().await.unwrap();
    database.run("INSERT INTO schema_migration (version, name) VALUES (1000, 'later')");
    let link = database.link();
    let Err(Unready::Never(sentence)) = link.prepare().await else {
        panic!("taken");
    };
    // Who asks is told as much.
    let Err(told) = link.client().await else {
        panic!("used");
    };
    assert_eq!(told.to_string(), sentence);
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

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn every_table_and_column_here_is_filled_by_a_move_or_left_alone_by_name() {
    let database = OwnDatabase::default();
    let link = database.ready();
    let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name <> 'schema_migration'";
    let rows = link.rows(sql, &[]).await.unwrap();
    let columns: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    // The order of transactions is this database's own.
    let made = [("evenement", "xid"), ("media", "xid"), ("person_seen", "media_xid")];
    crate::store::tables::tests::assert_all_is_moved(&columns, &made);
}
