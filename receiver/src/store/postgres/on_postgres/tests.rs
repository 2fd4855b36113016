use std::time::{Duration, Instant};

use super::OwnDatabase;
use crate::record::{Event, Origin, Scalar};
use crate::store::StoreError;
use crate::store::people::Tokens;
use crate::store::postgres::migrate::Unready;
use crate::store::postgres::{DatabaseSettings, Link, PostgresDesk, PostgresRows};
use crate::store::row::{Content, Key, NewRow};
use crate::store::rows::Rows;

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

fn event(key: Option<&str>, device_id: &str) -> NewRow {
    let origin = Origin {
        date: Scalar::Text("2025-12-18T17:30:00".to_string()),
        sensor_id: Scalar::Integer(1),
        // Longer than an entry of an index may be.
        sensor_name: Scalar::Text("n".repeat(5_000)),
        device_id: device_id.to_string(),
        source: "s".to_string(),
    };
    NewRow {
        content: Content::Event(Event {
            origin,
            sensor_state: Scalar::Integer(1),
        }),
        key: key.map(|key| Key {
            owner: None,
            key: key.to_string(),
        }),
    }
}

async fn count(link: &Link, sql: &str) -> i64 {
    link.rows(sql, &[]).await.unwrap()[0].get(0)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn receivers_that_store_the_same_keys_in_any_order_give_the_same_ids() {
    let database = OwnDatabase::default();
    let receivers: Vec<_> = (0..4)
        .map(|_| std::sync::Arc::new(PostgresRows::new(database.ready())))
        .collect();
    for round in 0..20 {
        let tasks = receivers.iter().enumerate().map(|(number, rows)| {
            let rows = std::sync::Arc::clone(rows);
            let mut order: Vec<usize> = (0..60).collect();
            order.rotate_left(17 * number);
            if number % 2 == 1 {
                order.reverse();
            }
            tokio::spawn(async move {
                let sent = order
                    .iter()
                    .map(|key| event(Some(&format!("{round}-{key}")), &format!("device-{}", key % 7)));
                let added = rows.add_all(sent.collect()).await.unwrap();
                let mut ids: Vec<_> = order
                    .into_iter()
                    .zip(added.into_iter().map(|added| (added.receipt.id, added.is_new)))
                    .collect();
                ids.sort_unstable();
                ids
            })
        });
        let mut given = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            given.push(task.await.unwrap());
        }
        for key in 0..60 {
            let of_key: Vec<_> = given.iter().map(|ids| ids[key].1).collect();
            assert!(of_key.iter().all(|(id, _)| *id == of_key[0].0), "{of_key:?}");
            assert_eq!(of_key.iter().filter(|(_, is_new)| *is_new).count(), 1, "{of_key:?}");
        }
    }
    let link = database.ready();
    assert_eq!(count(&link, "SELECT count(*) FROM evenement").await, 20 * 60);
    assert_eq!(count(&link, "SELECT count(*) FROM device_row").await, 7);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn what_is_lost_with_its_connection_is_asked_for_again_by_its_key() {
    let database = OwnDatabase::default();
    let rows = std::sync::Arc::new(PostgresRows::new(database.ready()));
    let link = database.ready();
    let killer = tokio::spawn(async move {
        loop {
            let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%WITH fresh%' AND pid <> pg_backend_pid()";
            let _ = link.rows(others, &[]).await;
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
    });
    let mut stored = 0;
    for number in 0..400 {
        let added = rows.add_all(vec![event(Some(&number.to_string()), "d")]).await;
        stored += i64::from(added.is_ok());
    }
    killer.abort();
    let _ = killer.await;
    let link = database.ready();
    let kept = count(&link, "SELECT count(*) FROM evenement").await;
    let keys = count(&link, "SELECT count(DISTINCT idempotency_key) FROM evenement").await;
    assert!(
        kept == keys && kept >= stored,
        "{kept} rows of {keys} keys, {stored} acknowledged"
    );
    // Cut off again and again, each gets through all the same.
    assert_eq!(stored, 400);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn rows_that_are_there_are_never_said_not_to_be() {
    let database = OwnDatabase::default();
    let rows = PostgresRows::new(database.ready());
    rows.add(event(Some("seen"), "d")).await.unwrap();
    // Whoever stores finds no table from then on: not the one with the receipt of a key that was seen.
    database.run(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'none', false); RETURN NULL; END $$;
CREATE TRIGGER lose AFTER INSERT ON evenement FOR EACH STATEMENT EXECUTE FUNCTION lose()",
    );
    let added = rows
        .add_all(vec![event(Some("new"), "d"), event(Some("seen"), "d")])
        .await;
    assert!(matches!(added, Err(StoreError::Uncertain(_))), "{added:?}");
    let link = database.ready();
    assert_eq!(count(&link, "SELECT count(*) FROM evenement").await, 2);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn rows_that_came_with_a_key_that_was_just_forgotten_are_never_said_not_to_be_there() {
    let database = OwnDatabase::default();
    let rows = PostgresRows::new(database.ready());
    rows.add(event(Some("seen"), "d")).await.unwrap();
    // The row of the key is removed before its receipt is looked up; from then on nothing more can be stored.
    database.run(
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evenement WHERE id = 1; IF NOT FOUND THEN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END IF; RETURN NULL; END $$;
CREATE TRIGGER forget AFTER INSERT ON evenement FOR EACH STATEMENT EXECUTE FUNCTION forget()",
    );
    let added = rows
        .add_all(vec![event(Some("new"), "d"), event(Some("seen"), "d")])
        .await;
    assert!(
        matches!(&added, Err(StoreError::Uncertain(why)) if why.contains("full")),
        "{added:?}"
    );
    let link = database.ready();
    let kept = link.rows("SELECT idempotency_key FROM evenement", &[]).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["new"]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn a_server_without_room_for_another_connection_serves_those_that_are_there() {
    let database = OwnDatabase::default();
    // A superuser is let in all the same.
    let name = &database.name;
    database.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'one'"));
    let url = database.url();
    let url = format!("postgres://{name}:one@{}", url.split_once('@').unwrap().1);
    let link = Link::new(DatabaseSettings::new(&url).unwrap()).unwrap();
    link.assume_ready();
    let people = link.of_people().unwrap();
    link.rows("SELECT 1", &[]).await.unwrap();
    database.run(&format!("ALTER ROLE {name} CONNECTION LIMIT 0"));
    for _ in 0..3 {
        let Err(StoreError::Unavailable(why)) = people.rows("SELECT 1", &[]).await else {
            panic!("connected");
        };
        assert!(why.contains("53300"), "{why}");
        assert_eq!(link.rows("SELECT 1", &[]).await.unwrap().len(), 1);
    }
    database.run(&format!("DROP ROLE {name}"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn a_row_that_cannot_be_stored_takes_nobody_with_it() {
    let database = OwnDatabase::default();
    let rows = std::sync::Arc::new(PostgresRows::new(database.ready()));
    for round in 0..10 {
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let rows = std::sync::Arc::clone(&rows);
                let device = if number == 7 { "bad\0" } else { "good" };
                {
                    let row = event(Some(&format!("{round}-{number}")), device);
                    tokio::spawn(async move { rows.add(row).await.map(drop) })
                }
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            let added = task.await.unwrap();
            assert_eq!(added.is_ok(), number != 7, "{number}: {:?}", added.err());
        }
    }
    rows.check().await.unwrap();
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
