//! Two at the same time.

use std::sync::Arc;

use tokio_postgres::NoTls;

use super::*;
use crate::store::postgres::OwnDatabase;

#[tokio::test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
async fn a_session_that_begins_while_its_password_changes_does_not_outlive_it() {
    let database = OwnDatabase::default();
    let desk = PostgresDesk::beside(&database.ready()).unwrap();
    database.run("INSERT INTO person (name, role, password_hash) VALUES ('anna', 'viewer', 'old')");
    let (mut other, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let change = |number: usize, desk: Arc<PostgresDesk>| async move {
        if number == 0 {
            desk.set_password("anna".to_string(), "new".to_string()).await
        } else {
            desk.remove_person("anna".to_string()).await
        }
    };
    for (number, hash) in ["old", "new"].into_iter().enumerate() {
        let id = number.to_string();
        let begins = other.transaction().await.unwrap();
        let begun = begins
            .execute(
                BEGIN_SESSION,
                &[&id, &&[7_u8; 32][..], &"anna", &900_i64, &100_i64, &hash],
            )
            .await;
        assert_eq!(begun.unwrap(), 1);
        let change = tokio::spawn(change(number, Arc::clone(&desk)));
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()";
        while !change.is_finished() && begins.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        begins.commit().await.unwrap();
        assert!(change.await.unwrap().unwrap());
        let left = other.query_one("SELECT count(*) FROM session", &[]).await.unwrap();
        assert_eq!(left.get::<_, i64>(0), 0, "{hash}");
    }
}
