//! What `check` asks a server: is it there, is it the right one, does it take the token? Nothing is stored.

use std::sync::Arc;

use sync_protocol::{Extension, batch};
use ureq::tls::TlsConfig;

use super::answer::Answer;
use super::client;
use super::config::{UploadConfig, UploadError};
use super::resolver::Remembering;
use super::tls;
use super::url::WebUrl;
use super::verdict::Verdict;

/// One fact about a server, or what to do about it.
pub(super) type Fact = Result<String, String>;

/// Asks every backend of `config`.
///
/// # Errors
/// TLS settings that can't be used.
pub(crate) fn probe(config: &UploadConfig) -> Result<Vec<Fact>, UploadError> {
    let tls = tls::settings(config, &config.backends, config.client_identity())?;
    Ok(config.backends.iter().flat_map(|url| ask(url, &tls, config)).collect())
}

fn ask(base: &WebUrl, tls: &TlsConfig, config: &UploadConfig) -> Vec<Fact> {
    let (connections, exchange) = (Remembering::default(), Arc::default());
    let agent = client::agent(base, tls.clone(), config.timeouts, connections, exchange);
    let url = base.as_str();
    // GET where only POST is served: 405 from a server that has the place, and nothing happens.
    let get = |path: &str| {
        client::authorized(agent.get(format!("{url}{path}")), config.token.as_ref())
            .config()
            .timeout_global(Some(config.timeouts.event + config.timeouts.connect))
            .build()
            .call()
            .and_then(|response| Answer::read(response, config.token.as_ref()))
    };
    let result = match get("/api/evenements") {
        // A server that has this place too may let people read events, without the token that a device needs to store them.
        Ok(answer) if answer.extensions.has(Extension::Batch) => get(batch::PATH),
        other => other,
    };
    let uncertified = base.is_https() && config.client_identity().is_none();
    match result.map_err(|error| client::judge_failure(&error, uncertified)) {
        Err(Verdict::Unavailable { message, .. } | Verdict::InvalidResponse { message }) => {
            vec![Err(format!(
                "{url}: {message}; vérifiez BACKEND_URL, le réseau et le serveur"
            ))]
        }
        Err(other) => vec![Err(format!("{url}: {other:?}"))],
        Ok(answer) => {
            let secure = if base.is_https() { " (TLS vérifié)" } else { "" };
            vec![
                Ok(format!("Serveur joignable: {url}{secure}")),
                of_status(url, &answer, config.token.is_some()),
            ]
        }
    }
}

fn of_status(url: &str, answer: &Answer, has_token: bool) -> Fact {
    match answer.status {
        401 if has_token => Err(format!("{url}: jeton refusé; vérifiez BACKEND_TOKEN")),
        401 => Err(format!(
            "{url}: jeton demandé; donnez BACKEND_TOKEN ou BACKEND_TOKEN_FILE"
        )),
        403 => Err(format!("{url}: accès refusé; vérifiez BACKEND_TOKEN et DEVICE_ID")),
        404 => Err(format!("{url}: /api/evenements n'existe pas ici; vérifiez BACKEND_URL")),
        300..=399 => Err(format!(
            "{url}: redirection vers {}; mettez cette adresse dans BACKEND_URL",
            answer.location.as_deref().unwrap_or("une adresse non précisée")
        )),
        200..=299 | 405 if has_token => Ok("Jeton accepté".to_string()),
        200..=299 | 405 => Ok("Service trouvé, sans jeton".to_string()),
        _ => Err(format!("{url}: {}", answer.message())),
    }
}
