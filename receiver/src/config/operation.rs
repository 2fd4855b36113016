//! What concerns the running of a receiver: who reads its metrics.

use std::ffi::OsString;

use clap::Args;

use super::networks::Networks;
use super::{ConfigError, given};

/// The settings as they are given.
#[derive(Debug, Args)]
pub(crate) struct OperationArguments {
    /// Addresses and networks that may read /metrics beside this machine [default: none], such as 10.0.0.5,10.1.0.0/16
    #[arg(long, env = "RECEIVER_METRICS_ADDRESSES", value_name = "ADDRESSES")]
    metrics_addresses: Option<OsString>,
}

/// The settings as they are used.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// Who may read the metrics from elsewhere.
    pub(crate) metrics: Networks,
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
        })
    }
}
