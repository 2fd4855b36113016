use super::{OwnDatabase, count};
use crate::record::{Event, Origin, Scalar};
use crate::store::StoreError;
use crate::store::postgres::{DatabaseSettings, Link, PostgresRows};
use crate::store::row::{Content, Key, NewRow};
use crate::store::rows::Rows;

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
