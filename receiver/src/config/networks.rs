//! Addresses and networks, as several settings name them.

use std::net::IpAddr;

use super::{ConfigError, wrong};

/// Addresses, each with the length of its network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks(Vec<(IpAddr, u8)>);

impl Networks {
    /// Reads what `variable` says: addresses and networks with commas.
    pub(super) fn new(variable: &'static str, text: &str) -> Result<Self, ConfigError> {
        let networks: Option<Vec<_>> = text.split(',').map(|text| network(text.trim())).collect();
        networks.map(Self).ok_or_else(|| {
            let reason = "expected addresses or networks with commas, for example 127.0.0.1,10.0.0.0/8".to_string();
            wrong(variable, text.to_string(), reason)
        })
    }

    /// Whether this address is one of them.
    #[must_use]
    pub(crate) fn contain(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|(network, length)| match (network, peer) {
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
