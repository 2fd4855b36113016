//! What `check` asks a server: is it there, is it the right one, does it take the token? Nothing is stored.

use std::sync::Arc;

use super::answer::Answer;
use super::client;
use super::config::{UploadConfig, UploadError};
use super::resolver::Remembering;
use super::tls;
use super::verdict::Verdict;

/// One fact about a server, or what to do about it.
pub type Fact = Result<String, String>;

/// Asks every backend of `config`.
///
/// # Errors
/// TLS settings that can't be used.
pub fn probe(config: &UploadConfig) -> Result<Vec<Fact>, UploadError> {
    let https = config.backends.iter().any(|url| url.starts_with("https://"));
    let tls = tls::settings(config, https)?;
    let mut facts = Vec::new();
    for url in &config.backends {
        let agent = client::agent(
            url,
            tls.clone(),
            config.timeouts,
            Remembering::default(),
            Arc::default(),
        );
        // GET where only POST is served: 405 from a server that has the place, and nothing happens.
        let mut request = agent.get(format!("{url}/api/evenements"));
        if let Some(token) = &config.token {
            request = request.header("Authorization", format!("Bearer {}", token.reveal()));
        }
        let result = request
            .config()
            .timeout_global(Some(config.timeouts.event + config.timeouts.connect))
            .build()
            .call()
            .and_then(|response| Answer::read(response, config.token.as_ref()));
        match result {
            Err(error) => facts.push(Err(
                match client::judge_failure(&error, url.starts_with("https://") && config.client_cert.is_none()) {
                    Verdict::Unavailable { message, .. } | Verdict::InvalidResponse { message } => {
                        format!("{url}: {message}; vérifiez BACKEND_URL, le réseau et le serveur")
                    }
                    other => format!("{url}: {other:?}"),
                },
            )),
            Ok(answer) => {
                let secure = if url.starts_with("https://") {
                    " (TLS vérifié)"
                } else {
                    ""
                };
                facts.push(Ok(format!("Serveur joignable: {url}{secure}")));
                facts.push(of_status(url, &answer, config.token.is_some()));
            }
        }
    }
    Ok(facts)
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
