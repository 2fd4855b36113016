//! Slowing down who guesses passwords: whose failures count together, and a short queue for the work of hashing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ProxyConfig;
use crate::peer::Peer;
use crate::store::people::Attempt;

/// Passwords hashed at a time: each takes 20 MB.
const AT_ONCE: usize = 2;

/// Attempts that are looked at, or wait for it.
const QUEUED_MOST: usize = 16;

/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

/// When to come again where there is no turn.
pub(super) const COME_AGAIN_S: i64 = 5;

/// Whom an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guesser {
    from: Peer,
    /// A proxy that does not say for whom it asks, or may be one: anybody's failures would be everybody's.
    is_anybody: bool,
}

impl Guesser {
    /// The other end of the connection; where a proxy stands there, the last address of its `X-Forwarded-For`, which is the one
    /// that it added itself. From elsewhere the header says nothing.
    pub(super) fn of(headers: &HeaderMap, peer: IpAddr, proxy: Option<&ProxyConfig>) -> Self {
        let from = Peer::from(peer);
        if !from.is_local() && !proxy.is_some_and(|proxy| proxy.trusts(peer)) {
            return Self {
                from,
                is_anybody: false,
            };
        }
        // This machine itself, as a second proxy here names it, may be anybody again.
        match last_hop(headers).filter(|hop| !hop.is_local()) {
            Some(from) => Self {
                from,
                is_anybody: false,
            },
            None => Self { from, is_anybody: true },
        }
    }

    /// Whose failures count: of a name from an address soon, of an address for all names later, of a name from everywhere
    /// last and not for long, so that nobody can lock somebody else out.
    pub(super) fn attempts(self, name: &str) -> Vec<Attempt> {
        let name: String = name.chars().take(100).collect();
        let from = self.from;
        let attempt = |subject: String, free, longest_s, is_shared| Attempt {
            subject,
            free,
            longest_s,
            is_shared,
        };
        let mut attempts = vec![
            attempt(format!("{from} {name}"), 3, 300, false),
            attempt(format!("* {name}"), 30, 30, true),
        ];
        if !self.is_anybody {
            attempts.push(attempt(from.to_string(), 10, 300, true));
        }
        attempts
    }
}

/// The last address that `X-Forwarded-For` names, with or without a port.
fn last_hop(headers: &HeaderMap) -> Option<Peer> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let hop = last.rsplit(',').next()?.trim();
    let address = hop.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let address = address.or_else(|_| hop.parse::<SocketAddr>().map(|hop| hop.ip()));
    address.ok().map(Peer::from)
}

/// The queue for hashing. What finds it full is sent away at once, before it costs anything.
pub(super) struct Hashing {
    queue: Arc<Semaphore>,
    places: Arc<Semaphore>,
    wait: Duration,
}

/// A turn in it.
pub(super) struct Turn {
    _queued: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            queue: Arc::new(Semaphore::new(QUEUED_MOST)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            wait: WAIT,
        }
    }
}

impl Hashing {
    /// A turn; none where too many wait, or it does not come soon.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().ok()?;
        let place = tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await;
        Some(Turn {
            _queued: queued,
            _place: place.ok()?.ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesser(peer: &str, forwarded: &[&'static str]) -> Guesser {
        let proxy = ProxyConfig::new(None, Some(&"10.0.0.0/8".into())).unwrap();
        let headers: HeaderMap = forwarded
            .iter()
            .map(|value| ("x-forwarded-for".parse().unwrap(), value.parse().unwrap()))
            .collect();
        Guesser::of(&headers, peer.parse().unwrap(), proxy.as_ref())
    }

    fn known(address: &str) -> Guesser {
        Guesser {
            from: Peer::from(address.parse::<IpAddr>().unwrap()),
            is_anybody: false,
        }
    }

    #[test]
    fn a_proxy_says_last_for_whom_it_asks_and_nobody_else_does() {
        for peer in ["127.0.0.1", "::1", "10.1.1.1", "::ffff:10.1.1.1"] {
            for forwarded in [
                &["192.0.2.7"][..],
                &["198.51.100.9, 192.0.2.7"],
                &["198.51.100.9", " 192.0.2.7 "],
                &["192.0.2.7:4711"],
                &["::ffff:192.0.2.7"],
            ] {
                assert_eq!(guesser(peer, forwarded), known("192.0.2.7"), "{peer} {forwarded:?}");
            }
            for nobody in [
                &[][..],
                &[""],
                &["unknown"],
                &["192.0.2.7,"],
                &["192.0.2.7, _x"],
                &["127.0.0.1"],
            ] {
                assert!(guesser(peer, nobody).is_anybody, "{peer} {nobody:?}");
            }
        }
        assert_eq!(guesser("192.0.2.1", &["198.51.100.9"]), known("192.0.2.1"));
    }

    #[test]
    fn addresses_of_one_network_of_64_bits_are_one() {
        let one = guesser("127.0.0.1", &["2001:db8::1"]);
        assert_eq!(guesser("127.0.0.1", &["[2001:db8::2]:99"]), one);
        assert_eq!(guesser("127.0.0.1", &["[2001:db8::3]"]), one);
        assert_eq!(guesser("2001:db8::ffff:1", &[]), one);
        assert_ne!(guesser("2001:db8:0:1::1", &[]), one);
    }

    #[test]
    fn of_a_proxy_that_says_nothing_no_address_is_counted() {
        let subjects = |guesser: Guesser| -> Vec<String> {
            let attempts = guesser.attempts("anna").into_iter();
            attempts.map(|attempt| attempt.subject).collect()
        };
        assert_eq!(subjects(known("192.0.2.7")), ["192.0.2.7 anna", "* anna", "192.0.2.7"]);
        assert_eq!(subjects(guesser("127.0.0.1", &[])), ["127.0.0.1 anna", "* anna"]);
    }

    fn hashing(wait: Duration) -> Arc<Hashing> {
        Arc::new(Hashing {
            wait,
            ..Hashing::default()
        })
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_sent_away_at_once() {
        let hashing = hashing(Duration::from_secs(3600));
        let first = [hashing.turn().await.unwrap(), hashing.turn().await.unwrap()];
        let waiting: Vec<_> = (AT_ONCE..QUEUED_MOST)
            .map(|_| {
                let hashing = Arc::clone(&hashing);
                tokio::spawn(async move { hashing.turn().await.is_some() })
            })
            .collect();
        while hashing.queue.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(hashing.turn().await.is_none());
        drop(first);
        for waiting in waiting {
            assert!(waiting.await.unwrap());
        }
        assert!(hashing.turn().await.is_some());
    }

    #[tokio::test]
    async fn who_does_not_get_a_turn_soon_is_sent_away() {
        let hashing = hashing(Duration::from_millis(10));
        let first = [hashing.turn().await.unwrap(), hashing.turn().await.unwrap()];
        assert!(hashing.turn().await.is_none());
        drop(first);
        assert!(hashing.turn().await.is_some());
        assert_eq!(hashing.queue.available_permits(), QUEUED_MOST);
    }
}
