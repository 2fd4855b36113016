//! What every implementation of [`Rows`](super::Rows) and [`Clips`](super::Clips) promises. Another one adds a place to be
//! opened and a line with its name.

mod alerting;
mod clips;
mod desk;
mod failing;
mod late;
mod leases;
mod parts;
mod people;
mod rows;
#[cfg(feature = "fleet")]
pub(super) mod s3;
mod store;
mod tokens;
mod upkeep;
mod uploads;

use super::Pending;

/// Makes a test of each promise for an implementation; one that needs something that is not everywhere is ignored.
macro_rules! promises {
    ($implementation:ident, $place:ty: $($promise:ident)*) => {
        promises! { #[cfg(test)] $implementation, $place: $($promise)* }
    };
    (#$needs:tt $implementation:ident, $place:ty: $($promise:ident)*) => {
        mod $implementation {
            $(
                #$needs
                #[tokio::test]
                async fn $promise() {
                    super::$promise(<$place>::default()).await;
                }
            )*
        }
    };
}
use promises;

/// The outcome of what must go well.
async fn ok<T>(pending: Pending<'_, T>) -> T {
    pending.await.unwrap()
}
