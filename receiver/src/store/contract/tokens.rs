//! What a database promises of devices' tokens.

use std::sync::Arc;

use super::desk::Looked;
#[cfg(feature = "fleet")]
use super::rows::Postgres;
use super::rows::SqliteFile;
use super::{ok, promises};
use crate::store::Desk;

macro_rules! tokens_are_kept_as_promised {
    ($(#$needs:tt)? $implementation:ident, $database:ty) => {
        promises! { $(#$needs)? $implementation, $database:
            a_device_has_two_tokens_at_most
            a_token_is_known_by_its_fingerprint_until_it_is_revoked
        }
    };
}
tokens_are_kept_as_promised!(sqlite, super::SqliteFile);
#[cfg(feature = "fleet")]
tokens_are_kept_as_promised!(
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    on_postgres,
    super::Postgres
);

async fn a_device_has_two_tokens_at_most(database: impl Looked) {
    let desks: [Arc<dyn Desk>; 2] = [database.desk(), database.desk()];
    let tasks: Vec<_> = (0..10_u8)
        .map(|number| {
            let desk = Arc::clone(&desks[usize::from(number) % 2]);
            tokio::spawn(async move { ok(desk.add_token("a".to_string(), [number; 32])).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.extend(task.await.unwrap());
    }
    assert_eq!(ids.len(), 2);
    assert!(ok(desks[0].add_token("b".to_string(), [99; 32])).await.is_some());
    let all = ok(desks[1].tokens()).await;
    let devices: Vec<_> = all.iter().map(|token| token.device_id.as_str()).collect();
    assert_eq!(devices, ["a", "a", "b"]);
    assert_eq!(all[0].created_at.len(), "2025-12-18T10:00:00.000Z".len());
    assert!(ok(desks[0].revoke_token(ids[0])).await);
    assert!(!ok(desks[1].revoke_token(ids[0])).await);
    assert!(ok(desks[1].add_token("a".to_string(), [50; 32])).await.is_some());
}

async fn a_token_is_known_by_its_fingerprint_until_it_is_revoked(database: impl Looked) {
    let (one, other) = (database.desk(), database.desk());
    assert_eq!(ok(one.token_device(None)).await, (false, None));
    assert_eq!(ok(one.token_device(Some([1; 32]))).await, (false, None));
    let id = ok(one.add_token("a".to_string(), [1; 32])).await.unwrap();
    assert_eq!(
        ok(other.token_device(Some([1; 32]))).await,
        (true, Some("a".to_string()))
    );
    assert_eq!(ok(other.token_device(Some([2; 32]))).await, (true, None));
    assert_eq!(ok(other.token_device(None)).await, (true, None));
    assert!(ok(other.revoke_token(id)).await);
    assert_eq!(ok(one.token_device(Some([1; 32]))).await, (false, None));
}
