//! `RECEIVER_CLIPS_URL`: which bucket, and where in it. How to reach it and with which keys say the usual `AWS_*` variables.

use std::fmt;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};

use super::error::reason;
use crate::store::StoreError;

/// How long a connection may take, and one try of a request with its body, a piece of a clip at 200 KB a second: unless
/// `AWS_CONNECT_TIMEOUT` and `AWS_TIMEOUT` say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// How long after its begin a request may be tried again, how often, and after which waits: a device waits for the answer,
/// and tries again by itself.
const RETRY_TIMEOUT: Duration = Duration::from_secs(6);
const RETRIES: usize = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// A bucket, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketSettings {
    bucket: String,
    pub(super) prefix: Path,
}

/// Why a URL is not usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongUrl(&'static str);

impl fmt::Display for WrongUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for WrongUrl {}

impl fmt::Display for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_ref() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

impl BucketSettings {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(url: &str) -> Result<Self, WrongUrl> {
        let wrong = WrongUrl("expected s3://bucket or s3://bucket/prefix");
        let rest = url.strip_prefix("s3://").ok_or(wrong.clone())?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty()
            || !bucket.bytes().all(is_name)
            || prefix.starts_with('/')
            || prefix.contains(['?', '#', '%'])
        {
            return Err(wrong);
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|_| wrong)?;
        Ok(Self {
            bucket: bucket.to_string(),
            prefix,
        })
    }

    /// The way to it, and what to say of its keys where it refuses us: without any a cloud's own machine is asked for some, and
    /// that nobody answers there says nothing of what is missing here. Asks nobody.
    pub(super) fn connect(&self) -> Result<(AmazonS3, &'static str), StoreError> {
        let mut options = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT);
        let mut builder = AmazonS3Builder::new();
        for (variable, value) in std::env::vars_os() {
            let (Some(variable), Some(value)) = (variable.to_str(), value.to_str()) else {
                continue;
            };
            if !variable.starts_with("AWS_") || value.is_empty() {
                continue;
            }
            if variable == "AWS_CA_BUNDLE" {
                for authority in authorities(value)? {
                    options = options.with_root_certificate(authority);
                }
            } else if let Ok(key) = variable.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder.with_client_options(options);
        builder = builder.with_bucket_name(&self.bucket);
        let endpoints = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
        // Who names an address without TLS means it.
        let mut named = endpoints.iter().filter_map(|key| builder.get_config_value(key));
        if named.any(|url| url.starts_with("http://")) {
            builder = builder.with_allow_http(true);
        }
        let keys_hint = match builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId) {
            Some(_) => "",
            None => " (AWS_ACCESS_KEY_ID is not set)",
        };
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
            backoff: BackoffConfig {
                init_backoff: FIRST_WAIT,
                max_backoff: LONGEST_WAIT,
                base: 2.0,
            },
        };
        let built = builder.with_retry(retry).build().map(|objects| (objects, keys_hint));
        built.map_err(|error| StoreError::Unavailable(format!("{self}: {}; see the AWS_* variables", reason(&error))))
    }
}

/// Authorities that are trusted beside the machine's, in a file as AWS' own tools are told of it.
fn authorities(path: &str) -> Result<Vec<Certificate>, StoreError> {
    let wrong = |error: &dyn fmt::Display| StoreError::Unavailable(format!("AWS_CA_BUNDLE={path}: {error}"));
    let text = std::fs::read(path).map_err(|error| wrong(&error))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|error| wrong(&reason(&error)))?;
    if found.is_empty() {
        return Err(wrong(&"no certificate in it"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_bucket_and_perhaps_a_place_in_it() {
        for (url, shown) in [
            ("s3://clips", "s3://clips"),
            ("s3://clips/", "s3://clips"),
            ("s3://my.clips-1/a/b c/", "s3://my.clips-1/a/b c"),
        ] {
            assert_eq!(BucketSettings::new(url).unwrap().to_string(), shown);
        }
        for url in [
            "",
            "clips",
            "s3:/clips",
            "s3://",
            "s3:///a",
            "https://host/clips",
            "s3://key:secret@clips",
            "s3://clips//a",
            "s3://clips/../a",
            "s3://clips?x=1",
            "s3://clips/a?x=1",
        ] {
            assert!(BucketSettings::new(url).is_err(), "{url}");
        }
    }
}
