//! The HTTP client: one agent per server, with our patience, trust and proxy.

use std::io;
use std::sync::Arc;

use ureq::tls::TlsConfig;
use ureq::{Agent, Proxy, RequestBuilder, Timeout};

use super::config::{Secret, Timeouts, UploadConfig, UploadError};
use super::exchange::Exchange;
use super::resolver::Remembering;
use super::tls;
use super::transport::Watching;
use super::url::WebUrl;
use super::verdict::Verdict;

/// Read and write buffers of a connection; the body is produced straight into the second.
const INPUT_BUFFER: usize = 16 << 10;
const OUTPUT_BUFFER: usize = 128 << 10;

/// Longest response headers.
const HEADERS: usize = 32 << 10;

/// An agent for `url` with the TLS settings of `config`, for small requests of other parts (the heartbeat).
///
/// # Errors
/// TLS settings that can't be used.
pub(crate) fn http_agent(url: &WebUrl, config: &UploadConfig) -> Result<Agent, UploadError> {
    // Who we are is for our servers alone, not for whoever counts heartbeats.
    let ours = config.backends.iter().any(|backend| backend.has_origin_of(url));
    let identity = config.client_identity().filter(|_| ours);
    let tls = tls::settings(config, std::slice::from_ref(url), identity)?;
    Ok(agent(url, tls, config.timeouts, Remembering::default(), Arc::default()))
}

/// The request with our token, where there is one.
pub(super) fn authorized<B>(request: RequestBuilder<B>, token: Option<&Secret>) -> RequestBuilder<B> {
    match token {
        Some(token) => request.header("Authorization", token.bearer()),
        None => request,
    }
}

/// An agent that follows no redirect (a token must not travel elsewhere) and takes every status for an answer.
pub(super) fn agent(
    url: &WebUrl,
    tls: TlsConfig,
    timeouts: Timeouts,
    resolver: Remembering,
    exchange: Arc<Exchange>,
) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("sync-service/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .tls_config(tls)
        .proxy(proxy(url, &environment))
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_await_100(Some(timeouts.await_100))
        // No total for a body: a slow line that moves is a good line. An answer is short.
        .timeout_recv_response(Some(timeouts.answer_head))
        .timeout_recv_body(Some(timeouts.answer_body))
        .timeout_per_read(Some(timeouts.no_progress))
        .timeout_per_write(Some(timeouts.no_progress))
        .input_buffer_size(INPUT_BUFFER)
        .output_buffer_size(OUTPUT_BUFFER)
        .max_response_header_size(HEADERS)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .build();
    Agent::with_parts(config, Watching::new(exchange), resolver)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the proxies' variables are everybody's, by custom; none of them stops the start"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The proxy for a URL: `HTTPS_PROXY` or `HTTP_PROXY` by its scheme, else `ALL_PROXY`; not for what `NO_PROXY` lists.
fn proxy(url: &WebUrl, env: &dyn Fn(&str) -> Option<String>) -> Option<Proxy> {
    let names: &[&str] = if url.is_https() {
        &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    } else {
        &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
    };
    let set = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| env(name).filter(|value| !value.trim().is_empty()))
    };
    let value = set(names)?;
    let Ok(parsed) = Proxy::new(value.trim()) else {
        // Without the value, which may hold a password.
        log::warn!(
            "the proxy of {} is not a URL that can be used: connecting directly",
            names[0]
        );
        return None;
    };
    let mut builder = Proxy::builder(parsed.protocol())
        .host(parsed.host())
        .port(parsed.port());
    if let Some(username) = parsed.username() {
        builder = builder.username(username);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for entry in set(&["NO_PROXY", "no_proxy"]).unwrap_or_default().split(',') {
        let entry = entry.trim();
        if !entry.is_empty() {
            builder = builder.no_proxy(entry);
        }
    }
    builder.build().ok()
}

/// Whether an answer came late, or came and can't be read; not whether the connection failed.
pub(super) fn is_unreadable_or_late(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(phase) => matches!(phase, Timeout::PerRead | Timeout::RecvResponse),
        // How an interim answer shows that the client does not understand.
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::Other,
        ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// What a request that got no answer means: the transport's half of the one table ([`super::verdict::judge`] has the
/// answers). `uncertified` tells that it is a TLS connection on which we showed no certificate.
pub(super) fn judge_failure(error: &ureq::Error, uncertified: bool) -> Verdict {
    let unavailable = |message: String, unreachable| Verdict::Unavailable {
        message,
        unreachable,
        retry_after: None,
    };
    let inaccessible = || unavailable("Serveur inaccessible".to_string(), true);
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => inaccessible(),
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => inaccessible(),
        ureq::Error::Timeout(_) => unavailable("Timeout".to_string(), false),
        ureq::Error::Io(error) => judge_io(error, uncertified),
        ureq::Error::Rustls(error) => unavailable(tls_message(error), false),
        ureq::Error::Tls(reason) => unavailable(format!("Erreur TLS: {reason}"), false),
        ureq::Error::TlsRequired | ureq::Error::Pem(_) => unavailable(format!("Erreur TLS: {error}"), false),
        ureq::Error::ConnectProxyFailed(reason) => unavailable(
            format!("Le proxy refuse la connexion: {}", crate::text::one_line(reason)),
            true,
        ),
        ureq::Error::LargeResponseHeader(..) | ureq::Error::BodyExceedsLimit(_) => Verdict::InvalidResponse {
            message: "Réponse trop longue".to_string(),
        },
        // What came is not HTTP.
        other => Verdict::InvalidResponse {
            message: format!("Réponse illisible: {}", crate::text::one_line(&other.to_string())),
        },
    }
}

fn judge_io(error: &io::Error, uncertified: bool) -> Verdict {
    let unavailable = |message: &str, unreachable| Verdict::Unavailable {
        message: message.to_string(),
        unreachable,
        retry_after: None,
    };
    if let Some(tls) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        return unavailable(&tls_message(tls), false);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => unavailable("Serveur inaccessible", true),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => unavailable("Timeout", false),
        // In TLS 1.3 a server that misses our certificate hangs up after the handshake; its alert may come too late.
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof if uncertified => {
            unavailable(
                "Connexion interrompue par le serveur (s'il demande un certificat client: BACKEND_CLIENT_CERT)",
                false,
            )
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotConnected => unavailable("Connexion interrompue par le serveur", false),
        // getaddrinfo(3) has no kind of its own.
        _ if error.to_string().contains("failed to lookup address") => unavailable("Serveur inaccessible", true),
        _ => unavailable(
            &format!("Erreur réseau: {}", crate::text::one_line(&error.to_string())),
            false,
        ),
    }
}

/// The usual TLS troubles in words that say what to do.
fn tls_message(error: &rustls::Error) -> String {
    use rustls::CertificateError as Cert;
    match error {
        rustls::Error::InvalidCertificate(Cert::Expired | Cert::ExpiredContext { .. }) => {
            "Erreur TLS: certificat du serveur expiré (ou horloge de l'appareil fausse)".to_string()
        }
        rustls::Error::InvalidCertificate(Cert::NotValidYet | Cert::NotValidYetContext { .. }) => {
            "Erreur TLS: certificat du serveur pas encore valable (horloge de l'appareil fausse ?)".to_string()
        }
        rustls::Error::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
            "Erreur TLS: certificat délivré pour un autre nom (vérifiez BACKEND_URL)".to_string()
        }
        rustls::Error::InvalidCertificate(Cert::UnknownIssuer) => {
            "Erreur TLS: autorité de certification inconnue (donnez-la dans BACKEND_CA_FILE)".to_string()
        }
        rustls::Error::AlertReceived(
            rustls::AlertDescription::CertificateRequired
            | rustls::AlertDescription::BadCertificate
            | rustls::AlertDescription::UnsupportedCertificate
            | rustls::AlertDescription::CertificateRevoked
            | rustls::AlertDescription::CertificateExpired
            // A certificate of another authority that has the same name.
            | rustls::AlertDescription::DecryptError
            | rustls::AlertDescription::HandshakeFailure
            | rustls::AlertDescription::UnknownCA
            | rustls::AlertDescription::CertificateUnknown
            | rustls::AlertDescription::AccessDenied,
        ) => "Erreur TLS: le serveur refuse notre certificat client (vérifiez BACKEND_CLIENT_CERT)".to_string(),
        other => format!("Erreur TLS: {}", crate::text::one_line(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebUrl {
        WebUrl::base(text).unwrap()
    }

    #[test]
    fn proxies_go_by_scheme_and_no_proxy() {
        let table = |pairs: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_string())
            }
        };
        let env = table(&[
            ("HTTPS_PROXY", "http://me:pa55@proxy:3128"),
            ("NO_PROXY", "localhost, .lan"),
        ]);
        let found = proxy(&url("https://server.example"), &env).unwrap();
        assert_eq!(
            (found.host(), found.port(), found.username()),
            ("proxy", 3128, Some("me"))
        );
        assert!(found.is_no_proxy(&"https://cam.lan/".parse().unwrap()));
        assert!(!found.is_no_proxy(&"https://server.example/".parse().unwrap()));
        assert!(
            proxy(&url("http://server.example"), &env).is_none(),
            "HTTPS_PROXY is for https"
        );
        assert!(proxy(&url("https://a"), &table(&[])).is_none());
        assert_eq!(
            proxy(&url("http://a"), &table(&[("all_proxy", "http://p")]))
                .unwrap()
                .host(),
            "p"
        );
    }

    #[test]
    fn failures_of_the_transport_have_their_words() {
        let io_error = |kind| ureq::Error::Io(io::Error::from(kind));
        for (error, words, gone) in [
            (io_error(io::ErrorKind::ConnectionRefused), "Serveur inaccessible", true),
            (
                io_error(io::ErrorKind::NetworkUnreachable),
                "Serveur inaccessible",
                true,
            ),
            (ureq::Error::HostNotFound, "Serveur inaccessible", true),
            (ureq::Error::Timeout(Timeout::Connect), "Serveur inaccessible", true),
            (ureq::Error::Timeout(Timeout::PerRead), "Timeout", false),
            (ureq::Error::Timeout(Timeout::PerWrite), "Timeout", false),
            (ureq::Error::Timeout(Timeout::Global), "Timeout", false),
            (io_error(io::ErrorKind::ConnectionReset), "Connexion interrompue", false),
            (io_error(io::ErrorKind::UnexpectedEof), "Connexion interrompue", false),
        ] {
            match judge_failure(&error, false) {
                Verdict::Unavailable {
                    message, unreachable, ..
                } => assert!(message.starts_with(words) && unreachable == gone, "{error}: {message}"),
                other => panic!("{error}: {other:?}"),
            }
        }
        assert!(matches!(
            judge_failure(&ureq::Error::LargeResponseHeader(9, 1), false),
            Verdict::InvalidResponse { .. }
        ));
    }
}
