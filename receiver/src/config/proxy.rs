//! A proxy in front that signs people in, trusted by its address.

use std::ffi::OsString;
use std::net::IpAddr;

use axum::http::HeaderName;

use super::{ConfigError, wrong};

/// Whom to believe, and what they say it in.
#[derive(Debug, Clone)]
pub(crate) struct ProxyConfig {
    /// The header with a person's name.
    pub(crate) header: HeaderName,
    networks: Vec<(IpAddr, u8)>,
}

impl ProxyConfig {
    /// Reads the two settings: both or none.
    ///
    /// # Errors
    /// The one that is missing or not usable.
    pub(crate) fn new(header: Option<&OsString>, addresses: Option<&OsString>) -> Result<Option<Self>, ConfigError> {
        const HEADER: &str = "RECEIVER_PROXY_HEADER";
        const ADDRESSES: &str = "RECEIVER_PROXY_ADDRESSES";
        let (header, addresses) = match (header, addresses) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(wrong(ADDRESSES, String::new(), format!("expected with {HEADER}"))),
            (None, Some(_)) => return Err(wrong(HEADER, String::new(), format!("expected with {ADDRESSES}"))),
            (Some(header), Some(addresses)) => (header.to_string_lossy(), addresses.to_string_lossy()),
        };
        let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
            let reason = "expected the name of a header, for example X-Forwarded-User".to_string();
            wrong(HEADER, header.to_string(), reason)
        })?;
        let networks: Option<Vec<_>> = addresses.split(',').map(|text| network(text.trim())).collect();
        match networks {
            Some(networks) => Ok(Some(Self { header: name, networks })),
            None => {
                let reason = "expected addresses or networks with commas, for example 127.0.0.1,10.0.0.0/8".to_string();
                Err(wrong(ADDRESSES, addresses.to_string(), reason))
            }
        }
    }

    /// Whether this address is one of them.
    #[must_use]
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|(network, length)| match (network, peer) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => {
                let left = 32 - u32::from(*length);
                (u32::from(*network) ^ u32::from(peer)).checked_shr(left).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                let left = 128 - u32::from(*length);
                (u128::from(*network) ^ u128::from(peer)).checked_shr(left).unwrap_or(0) == 0
            }
            _ => false,
        })
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(longest);
    (length <= longest).then_some((address, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(addresses: &str) -> Result<Option<ProxyConfig>, ConfigError> {
        ProxyConfig::new(Some(&"X-User".into()), Some(&addresses.into()))
    }

    #[test]
    fn addresses_and_networks_are_trusted() {
        let proxy = config("127.0.0.1, 10.0.0.0/8,2001:db8::/32").unwrap().unwrap();
        for trusted in ["127.0.0.1", "10.255.0.1", "2001:db8:1::1", "::ffff:10.1.1.1"] {
            assert!(proxy.trusts(trusted.parse().unwrap()), "{trusted}");
        }
        for other in ["127.0.0.2", "11.0.0.1", "2001:db9::1", "::1"] {
            assert!(!proxy.trusts(other.parse().unwrap()), "{other}");
        }
        assert!(
            config("0.0.0.0/0")
                .unwrap()
                .unwrap()
                .trusts("192.0.2.1".parse().unwrap())
        );
    }

    #[test]
    fn a_setting_that_is_not_usable_is_named() {
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.1,"] {
            assert!(
                config(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("RECEIVER_PROXY_ADDRESSES"),
                "{wrong}"
            );
        }
        let alone = ProxyConfig::new(Some(&"X-User".into()), None).unwrap_err();
        assert!(alone.to_string().contains("RECEIVER_PROXY_ADDRESSES"));
        let header = ProxyConfig::new(Some(&"X User".into()), Some(&"::1".into())).unwrap_err();
        assert!(header.to_string().contains("RECEIVER_PROXY_HEADER"));
    }
}
