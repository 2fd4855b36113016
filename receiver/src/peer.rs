//! Who is at the other end, as far as limits are concerned.

use std::fmt;
use std::net::IpAddr;

/// An address that has limits of its own; of IPv6 the network of 64 bits that a household has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    /// Whether it is this machine, where a proxy for many devices may run.
    pub(crate) fn is_local(self) -> bool {
        self.0.is_loopback()
    }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes())
            }
            other => other,
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_64_bits_is_one_peer() {
        let peer = |text: &str| Peer::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:0:0:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert!(peer("::1").is_local() && peer("127.0.0.2").is_local() && peer("::ffff:127.0.0.1").is_local());
        assert!(!peer("192.0.2.1").is_local() && !peer("2001:db8::1").is_local());
    }
}
