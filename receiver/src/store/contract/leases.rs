//! What every implementation of [`Leases`] promises.

use super::upkeep::WithDesk;
use super::{ok, promises};

macro_rules! leases_keep_their_promises {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            a_lead_is_one_holders_until_its_lease_is_over
            a_lead_that_is_let_go_is_the_next_ones_at_once
            each_work_has_its_own_lead
        }
    };
}
leases_keep_their_promises!(sqlite, super::super::rows::SqliteFile);
#[cfg(feature = "fleet")]
leases_keep_their_promises!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::super::rows::Postgres
);

async fn a_lead_is_one_holders_until_its_lease_is_over(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    assert!(ok(desk.lead("a", "one".to_string(), 60_000)).await);
    assert!(!ok(desk.lead("a", "two".to_string(), 60_000)).await);
    // Its holder may shorten it too.
    assert!(ok(desk.lead("a", "one".to_string(), 50)).await);
    let waited = async {
        while !ok(desk.lead("a", "two".to_string(), 60_000)).await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waited)
        .await
        .unwrap();
    assert!(!ok(desk.lead("a", "one".to_string(), 60_000)).await);
}

async fn a_lead_that_is_let_go_is_the_next_ones_at_once(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    assert!(ok(desk.lead("a", "one".to_string(), 60_000)).await);
    // Not by another.
    ok(desk.resign("a", "two".to_string())).await;
    assert!(!ok(desk.lead("a", "two".to_string(), 60_000)).await);
    ok(desk.resign("a", "one".to_string())).await;
    assert!(ok(desk.lead("a", "two".to_string(), 60_000)).await);
}

async fn each_work_has_its_own_lead(database: impl WithDesk) {
    let _rows = database.open();
    let desk = database.desk();
    assert!(ok(desk.lead("a", "one".to_string(), 60_000)).await);
    assert!(ok(desk.lead("b", "two".to_string(), 60_000)).await);
    assert!(!ok(desk.lead("b", "one".to_string(), 60_000)).await);
}
