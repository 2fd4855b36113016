//! What TLS is made with, for all that speak it here.

/// Chooses ring, once, before anything connects.
pub fn install() {
    // An error means that it was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
