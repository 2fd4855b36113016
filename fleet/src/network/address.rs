//! A receiver's address, on this machine.

use std::net::SocketAddr;

/// Where a receiver listens.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) socket: SocketAddr,
    pub(crate) authority: String,
    /// Of its paths.
    pub(crate) prefix: String,
}

impl Address {
    /// # Errors
    /// Not a plain URL of an address of this machine.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let parts = || {
            let rest = url.strip_prefix("http://")?;
            let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
            let named = authority
                .strip_prefix("localhost:")
                .map(|port| format!("127.0.0.1:{port}"));
            let socket: SocketAddr = named.as_deref().unwrap_or(authority).parse().ok()?;
            socket.ip().is_loopback().then(|| Self {
                socket,
                authority: authority.to_string(),
                prefix: prefix.trim_end_matches('/').to_string(),
            })
        };
        parts().ok_or_else(|| {
            format!("--receiver {url}: expected http://ADDRESS:PORT of this machine, such as http://127.0.0.1:8000")
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }
}
