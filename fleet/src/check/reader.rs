//! A person who reads: with a session, or on the receiver's own machine where nobody is set up.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{COOKIE, HeaderName, SET_COOKIE};
use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::network::{Answer, Ask, Line, Pieces};
use crate::run::Run;
use crate::stats::Kind;
use crate::wire;

/// Tries of a question, and the wait between them: a receiver may be restarting.
const TRIES: u32 = 30;
const AGAIN: Duration = Duration::from_millis(500);

/// How much of a refusal is told, in characters.
const SAID_MOST: usize = 200;

/// A person's line.
pub(super) struct Reader {
    line: Line,
}

impl Reader {
    /// # Errors
    /// Nobody answers, or the person may not read.
    pub(super) async fn new(run: &Arc<Run>) -> Result<Self, String> {
        let mut line = Line::new(&run.network, 0, &vec![Default::default(); run.plan.receivers.len()]);
        if let Some((name, password)) = &run.plan.person {
            let body = serde_json::json!({ "name": name, "password": password }).to_string();
            let ask = || Ask {
                method: Method::POST,
                path: "/api/session".to_string(),
                headers: vec![wire::json_type()],
                body: Pieces::from(body.clone()),
                patience: wire::SMALL,
            };
            let answer = ask_until_answered(&mut line, ask).await?;
            let cookie = answer
                .header(SET_COOKIE.as_str())
                .and_then(|cookie| cookie.split(';').next());
            let cookie = cookie.and_then(|cookie| cookie.parse().ok());
            line.pass = cookie.map(|cookie| (COOKIE, cookie));
        }
        Ok(Self { line })
    }

    /// Another one with the same rights, at another receiver where there are several.
    pub(super) fn another(&self, run: &Arc<Run>, number: u32) -> Self {
        let mut line = Line::new(
            &run.network,
            number,
            &vec![Default::default(); run.plan.receivers.len()],
        );
        line.pass.clone_from(&self.line.pass);
        Self { line }
    }

    /// # Errors
    /// It is not answered, or not with what is expected.
    pub(super) async fn json<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        let answer = self.get(path, None).await?;
        serde_json::from_slice(&answer.body).map_err(|error| format!("GET {path}: {error}"))
    }

    /// # Errors
    /// It is not answered with a success.
    pub(super) async fn get(&mut self, path: &str, range: Option<&str>) -> Result<Answer, String> {
        let range = range.map(|range| (HeaderName::from_static("range"), range.to_string()));
        let ask = || Ask {
            method: Method::GET,
            path: path.to_string(),
            headers: range.iter().cloned().collect(),
            body: Pieces::default(),
            patience: wire::LARGE,
        };
        ask_until_answered(&mut self.line, ask).await
    }
}

/// Asks until there is an answer that is not "later".
///
/// # Errors
/// There is none, or it is no success.
pub(super) async fn ask_until_answered(line: &mut Line, ask: impl Fn() -> Ask) -> Result<Answer, String> {
    let mut why = String::new();
    for _ in 0..TRIES {
        let asked = ask();
        let what = format!("{} {}", asked.method, asked.path);
        match line.ask(Kind::Check, asked).await {
            Ok(answer) if answer.status.is_success() => return Ok(answer),
            Ok(answer) => {
                let said = String::from_utf8_lossy(&answer.body);
                // Of a proxy it may be a page.
                let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
                let said: String = said.chars().take(SAID_MOST).collect();
                why = format!("{what}: HTTP {} {said}", answer.status.as_u16());
                let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::CONFLICT, StatusCode::LOCKED];
                if answer.status.is_client_error() && !later.contains(&answer.status) {
                    return Err(why);
                }
            }
            Err(trouble) => why = format!("{what}: {}", trouble.name()),
        }
        tokio::time::sleep(line.fail_over(None).unwrap_or(AGAIN)).await;
    }
    Err(why)
}

/// A value in an address.
pub(super) fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}
