//! [`Leases`] on PostgreSQL, by its clock: those of the receivers may differ.

use uuid::Uuid;

use super::desk::PostgresDesk;
use crate::store::Pending;
use crate::store::upkeep::Leases;

const LEAD: &str = "
INSERT INTO lease (work, holder, until_at) VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 millisecond')
ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at
WHERE lease.holder = excluded.holder OR lease.until_at <= clock_timestamp()
RETURNING 1";

const RESIGN: &str = "DELETE FROM lease WHERE work = $1 AND holder = $2";

impl Leases for PostgresDesk {
    fn lead(&self, work: &'static str, holder: String, lease_ms: i64) -> Pending<'_, bool> {
        Box::pin(async move {
            let led = self.link.rows(LEAD, &[&work, &holder, &lease_ms]).await?;
            Ok(!led.is_empty())
        })
    }

    fn name_of_receiver(&self) -> String {
        // One that starts again is another one: the one before may still be about.
        Uuid::new_v4().to_string()
    }

    fn resign(&self, work: &'static str, holder: String) -> Pending<'_, ()> {
        Box::pin(async move { self.link.rows(RESIGN, &[&work, &holder]).await.map(drop) })
    }
}
