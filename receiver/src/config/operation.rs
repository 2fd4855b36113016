//! What concerns the running of a receiver: who reads its metrics, how long what it stores is kept,
//! and where alerts go.

use std::ffi::OsString;

use clap::Args;

use super::alert_url::{AlertUrl, web_url};
use super::networks::Networks;
use super::{ConfigError, given, number, wrong};

/// The settings as they are given.
#[derive(Debug, Args)]
pub(crate) struct OperationArguments {
    /// Addresses and networks that may read /metrics beside this machine [default: none], such as 10.0.0.5,10.1.0.0/16
    #[arg(long, env = "RECEIVER_METRICS_ADDRESSES", value_name = "ADDRESSES")]
    metrics_addresses: Option<OsString>,

    /// Days that clips are kept [default: for ever]; older ones are removed, but for those that are pinned
    #[arg(long, env = "RECEIVER_KEEP_DAYS", value_name = "DAYS")]
    keep_days: Option<OsString>,

    /// Gigabytes of clips that are kept [default: any]; beyond them the oldest are removed, but for those that are pinned
    #[arg(long, env = "RECEIVER_KEEP_GB", value_name = "GB")]
    keep_gb: Option<OsString>,

    /// Days that events are kept [default: for ever]
    #[arg(long, env = "RECEIVER_KEEP_EVENTS_DAYS", value_name = "DAYS")]
    keep_events_days: Option<OsString>,

    /// Days that the answer to a removed row's key is kept [default: for ever]
    #[arg(long, env = "RECEIVER_KEEP_RECEIPTS_DAYS", value_name = "DAYS")]
    keep_receipts_days: Option<OsString>,

    /// Address that alerts are posted to as JSON [default: none], such as a webhook of Home Assistant, Slack or ntfy
    #[arg(long, env = "RECEIVER_ALERT_URL", hide_env_values = true, value_name = "URL")]
    alert_url: Option<OsString>,

    /// Address at which people open the page, for links in alerts [default: the one it listens on]
    #[arg(long, env = "RECEIVER_PUBLIC_URL", value_name = "URL")]
    public_url: Option<OsString>,
}

/// How long, and how much, is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Keep {
    pub(crate) clips_days: Option<u64>,
    pub(crate) clips_bytes: Option<u64>,
    pub(crate) events_days: Option<u64>,
    pub(crate) receipts_days: Option<u64>,
}

impl Keep {
    /// Whether anything is ever removed.
    pub(crate) fn removes(&self) -> bool {
        *self != Self::default()
    }

    /// Whether anything is ever removed for its age.
    pub(crate) fn has_days(&self) -> bool {
        [self.clips_days, self.events_days, self.receipts_days] != [None; 3]
    }

    fn new(arguments: &OperationArguments) -> Result<Self, ConfigError> {
        let days = |variable, value: &Option<OsString>| {
            given(value.as_ref())
                .map(|_| number(variable, value, 1, 1..=36_500))
                .transpose()
        };
        Ok(Self {
            clips_days: days("RECEIVER_KEEP_DAYS", &arguments.keep_days)?,
            clips_bytes: given(arguments.keep_gb.as_ref()).map(bytes).transpose()?,
            events_days: days("RECEIVER_KEEP_EVENTS_DAYS", &arguments.keep_events_days)?,
            receipts_days: days("RECEIVER_KEEP_RECEIPTS_DAYS", &arguments.keep_receipts_days)?,
        })
    }
}

fn public_url(text: &OsString) -> Result<String, ConfigError> {
    const VARIABLE: &str = "RECEIVER_PUBLIC_URL";
    let text = text.to_string_lossy();
    let url = web_url(&text).filter(|url| url.query().is_none() && url.fragment().is_none());
    match url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_string()),
        None => {
            let reason = "expected an address like https://sync.example.org".to_string();
            Err(wrong(VARIABLE, text.into_owned(), reason))
        }
    }
}

/// Gigabytes of 1,000,000,000 bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is looked at"
)]
fn bytes(text: &OsString) -> Result<u64, ConfigError> {
    let text = text.to_string_lossy();
    match text.parse::<f64>() {
        Ok(gb) if (0.001..=1_000_000.0).contains(&gb) => Ok((gb * 1e9) as u64),
        _ => {
            let reason = "expected gigabytes from 0.001 to 1000000".to_string();
            Err(wrong("RECEIVER_KEEP_GB", text.into_owned(), reason))
        }
    }
}

/// The settings as they are used.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// Who may read the metrics from elsewhere.
    pub(crate) metrics: Networks,
    pub(crate) keep: Keep,
    /// Where alerts go.
    pub(crate) alert_url: Option<AlertUrl>,
    /// Where people open the page, without a slash at the end.
    pub(crate) public_url: Option<String>,
}

impl Operation {
    /// # Errors
    /// The first setting that can't be used.
    pub(super) fn new(arguments: &OperationArguments) -> Result<Self, ConfigError> {
        let metrics = given(arguments.metrics_addresses.as_ref())
            .map(|text| Networks::new("RECEIVER_METRICS_ADDRESSES", &text.to_string_lossy()))
            .transpose()?;
        Ok(Self {
            metrics: metrics.unwrap_or_default(),
            keep: Keep::new(arguments)?,
            alert_url: given(arguments.alert_url.as_ref()).map(AlertUrl::new).transpose()?,
            public_url: given(arguments.public_url.as_ref()).map(public_url).transpose()?,
        })
    }
}
