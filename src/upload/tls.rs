//! Who is trusted, and who we say we are.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::config::{UploadConfig, UploadError};
use super::url::WebUrl;

/// TLS settings for the servers of `urls`, to which we show `identity` when they ask; the system's certificates are
/// loaded only when one is `https`.
///
/// # Errors
/// A file that can't be read or used, with its variable.
pub(super) fn settings(
    config: &UploadConfig,
    urls: &[WebUrl],
    identity: Option<(&Path, &Path)>,
) -> Result<TlsConfig, UploadError> {
    let needed = urls.iter().any(WebUrl::is_https);
    let mut builder = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    if needed {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            log::debug!("system certificates: {error}");
        }
        roots.extend(system.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()));
    }
    if let Some(path) = &config.ca_file {
        let certs = certificates(path, "BACKEND_CA_FILE")?;
        roots.extend(certs.iter().map(|cert| Certificate::from_der(cert).to_owned()));
    }
    if needed && roots.is_empty() {
        return Err(UploadError {
            variable: "BACKEND_URL",
            value: urls.iter().map(WebUrl::as_str).collect::<Vec<_>>().join(","),
            reason: "https sans aucun certificat racine: installez le paquet ca-certificates ou donnez BACKEND_CA_FILE"
                .to_string(),
        });
    }
    builder = builder.root_certs(RootCerts::new_with_certs(&roots));
    if let Some((cert, key)) = identity {
        builder = builder.client_cert(Some(certificate_with_key(cert, key)?));
    }
    Ok(builder.build())
}

fn certificates(path: &Path, variable: &'static str) -> Result<Vec<CertificateDer<'static>>, UploadError> {
    let unusable = |reason: String| UploadError {
        variable,
        value: path.display().to_string(),
        reason,
    };
    let certs: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(format!("fichier PEM illisible ({error})")))?;
    if certs.is_empty() {
        return Err(unusable("aucun certificat PEM dans ce fichier".to_string()));
    }
    Ok(certs)
}

/// The client's certificate with its key, tried once here: the HTTP client takes them for granted.
fn certificate_with_key(cert: &Path, key: &Path) -> Result<ClientCert, UploadError> {
    let chain = certificates(cert, "BACKEND_CLIENT_CERT")?;
    let unusable = |reason: String| UploadError {
        variable: "BACKEND_CLIENT_KEY",
        value: key.display().to_string(),
        reason,
    };
    let pem = std::fs::read(key).map_err(|error| unusable(format!("fichier illisible ({error})")))?;
    let secret =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unusable(format!("clé PEM illisible ({error})")))?;
    rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_client_auth_cert(chain.clone(), secret.clone_key())
        })
        .map_err(|error| unusable(format!("clé inutilisable avec ce certificat ({error})")))?;
    let chain: Vec<_> = chain
        .iter()
        .map(|cert| Certificate::from_der(cert).to_owned())
        .collect();
    let key = PrivateKey::from_pem(&pem).map_err(|error| unusable(format!("clé PEM illisible ({error})")))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
