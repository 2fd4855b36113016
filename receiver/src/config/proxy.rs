//! A proxy in front, trusted by its address: it says from where a request comes, and who a person is where it signs people in.

use std::ffi::OsString;
use std::net::IpAddr;

use axum::http::HeaderName;

use super::networks::Networks;
use super::{ConfigError, wrong};

/// Whom to believe, and what they say it in.
#[derive(Debug, Clone)]
pub(crate) struct ProxyConfig {
    /// The header with a person's name, where it signs people in.
    pub(crate) header: Option<HeaderName>,
    networks: Networks,
}

impl ProxyConfig {
    /// Reads the two settings: addresses, with a header or without.
    ///
    /// # Errors
    /// The one that is missing or not usable.
    pub(crate) fn new(header: Option<&OsString>, addresses: Option<&OsString>) -> Result<Option<Self>, ConfigError> {
        const HEADER: &str = "RECEIVER_PROXY_HEADER";
        const ADDRESSES: &str = "RECEIVER_PROXY_ADDRESSES";
        let (header, addresses) = match (header, addresses) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(wrong(ADDRESSES, String::new(), format!("expected with {HEADER}"))),
            (header, Some(addresses)) => (header, addresses.to_string_lossy()),
        };
        let name = |header: &OsString| {
            let header = header.to_string_lossy();
            HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
                let reason = "expected the name of a header, for example X-Forwarded-User".to_string();
                wrong(HEADER, header.to_string(), reason)
            })
        };
        let header = header.map(name).transpose()?;
        let networks = Networks::new(ADDRESSES, &addresses)?;
        Ok(Some(Self { header, networks }))
    }

    /// Whether this address is one of them.
    #[must_use]
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.networks.contain(peer)
    }
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
        let without = ProxyConfig::new(None, Some(&"::1".into())).unwrap().unwrap();
        assert!(without.header.is_none() && without.trusts("::1".parse().unwrap()));
        let header = ProxyConfig::new(Some(&"X User".into()), Some(&"::1".into())).unwrap_err();
        assert!(header.to_string().contains("RECEIVER_PROXY_HEADER"));
    }
}
