//! Alerts on their way: one at a time, until they are taken.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::lead::Lead;
use crate::config::AlertUrl;
use crate::metrics::UpkeepMetrics;
use crate::store::upkeep::Notice;
use crate::store::{Desk, StoreError};

/// The name of the work.
pub(super) const WORK: &str = "alert_delivery";

/// How long who takes it may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nobody else sends what is on its way.
const CLAIM_S: i64 = 60;

/// How often it is looked whether there is something to tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest wait after a try.
const AGAIN_MOST_S: i64 = 300;

/// What a turn came to.
enum Next {
    Taken,
    Nothing,
    Failed,
}

/// What became of a try.
enum Sent {
    Taken,
    /// It does not take this one.
    Refused(String),
    /// It takes none now.
    Away(String),
}

/// The work.
pub(super) struct Delivery {
    lead: Lead,
    desk: Arc<dyn Desk>,
    url: AlertUrl,
    client: Client,
    metrics: UpkeepMetrics,
    /// Tries in a row that came to nothing.
    failures: u32,
}

impl Delivery {
    /// The way to `url`.
    ///
    /// # Errors
    /// TLS has no certificates to trust.
    pub(super) fn new(lead: Lead, desk: Arc<dyn Desk>, url: AlertUrl, metrics: UpkeepMetrics) -> Result<Self, String> {
        let mut builder = Client::builder();
        if url.url().scheme() == "http" {
            // Without TLS nobody has to be trusted: a machine without certificates is enough.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // What is secret in the address must not travel elsewhere.
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("sync-receiver/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                let why = causes(&error);
                format!("RECEIVER_ALERT_URL={url}: {why}; install ca-certificates, or name a file of them with SSL_CERT_FILE")
            })?;
        Ok(Self {
            lead,
            desk,
            url,
            client,
            metrics,
            failures: 0,
        })
    }

    /// Sends what is to be told, for as long as it is polled.
    pub(super) async fn run(mut self) {
        loop {
            let rest = match self.next().await {
                Ok(Next::Taken) => Duration::ZERO,
                Ok(Next::Nothing) => LOOK_EVERY,
                // One that is refused keeps no other.
                Ok(Next::Failed) => Duration::from_secs(again_s(self.failures).unsigned_abs()),
                Err(error) => {
                    log::warn!("alerts: {error}; it is tried again");
                    LOOK_EVERY
                }
            };
            tokio::time::sleep(rest).await;
        }
    }

    /// Sends one, if there is one and it is ours to send.
    async fn next(&mut self) -> Result<Next, StoreError> {
        if !self.lead.is_ours().await? {
            return Ok(Next::Nothing);
        }
        let Some(notice) = self.desk.next_notice(CLAIM_S).await? else {
            return Ok(Next::Nothing);
        };
        let (why, is_away) = match self.send(&notice).await {
            Sent::Taken => {
                if std::mem::take(&mut self.failures) > 0 {
                    log::warn!("alerts: {} takes them again", self.url);
                }
                self.metrics.notices_taken.inc();
                self.desk.notice_taken(notice.id).await?;
                return Ok(Next::Taken);
            }
            Sent::Refused(why) => (why, false),
            Sent::Away(why) => (why, true),
        };
        self.metrics.notice_errors.inc();
        let is_new = if is_away { self.failures == 0 } else { notice.tries == 0 };
        if is_new {
            log::error!("alerts: {}: {why}; it is tried again until it is taken", self.url);
        }
        self.failures = if is_away { self.failures.saturating_add(1) } else { 0 };
        self.desk.notice_refused(notice.id, again_s(notice.tries + 1)).await?;
        Ok(Next::Failed)
    }

    async fn send(&self, notice: &Notice) -> Sent {
        let request = self.client.post(self.url.url());
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(notice.body.clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Sent::Taken,
            Ok(answer) => {
                let (status, why) = (answer.status(), format!("HTTP {}", answer.status()));
                let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
                if status.is_client_error() && !passes.contains(&status) {
                    Sent::Refused(why)
                } else {
                    Sent::Away(why)
                }
            }
            Err(error) => Sent::Away(reason(error)),
        }
    }
}

/// One line without the address.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_string();
    }
    let mut text = causes(&error.without_url());
    if text.contains("certificate") {
        text += "; the authorities that are trusted may be named with SSL_CERT_FILE";
    }
    text
}

/// What an error says, and what each of its causes does, in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text.replace('\n', " ")
}

/// Seconds until the next try after so many: one, then twice as long each time.
fn again_s(tries: u32) -> i64 {
    match tries {
        0 => 0,
        tries => 2_i64.saturating_pow(tries - 1).min(AGAIN_MOST_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_more_and_more_seldom() {
        let waits: Vec<i64> = [0, 1, 2, 3, 9, 10, u32::MAX].map(again_s).to_vec();
        assert_eq!(waits, [0, 1, 2, 4, 256, 300, 300]);
    }
}
