//! Whether a token may travel to a URL: encrypted, or no further than a network of our own.

use std::net::{IpAddr, Ipv6Addr};

use super::url::WebUrl;

/// Name endings that are never on the public Internet (RFC 6762, RFC 8375, and what routers use).
const LOCAL_ENDINGS: [&str; 5] = [".local", ".lan", ".home.arpa", ".internal", ".localhost"];

/// `true` for https, loopback, private addresses and local names.
pub(super) fn stays_private(url: &WebUrl) -> bool {
    if url.is_https() {
        return true;
    }
    let host = url.host();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || is_private_v6(address),
        Err(_) => {
            let host = host.to_ascii_lowercase();
            // A name without a dot is a container's or a neighbour's.
            !host.contains('.') || LOCAL_ENDINGS.iter().any(|ending| host.ends_with(ending))
        }
    }
}

/// Unique local (RFC 4193) or link-local.
fn is_private_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_unencrypted_no_further_than_home() {
        for near in [
            "https://server.example",
            "http://127.0.0.1:8000",
            "http://localhost",
            "http://backend:8000",
            "http://192.168.1.5/x",
            "http://10.1.2.3",
            "http://[::1]:8000",
            "http://[fd00::1]",
            "http://nas.local",
            "http://nas.home.arpa:80",
        ] {
            assert!(stays_private(&WebUrl::base(near).unwrap()), "{near}");
        }
        for far in [
            "http://server.example",
            "http://8.8.8.8",
            "http://[2001:db8::1]:8000",
            "http://local.example/lan",
        ] {
            assert!(!stays_private(&WebUrl::base(far).unwrap()), "{far}");
        }
    }
}
