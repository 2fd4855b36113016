//! Where everything is kept.

use std::ffi::OsString;

use clap::Args;

use super::ConfigError;
#[cfg(feature = "fleet")]
use super::{given, wrong};
#[cfg(feature = "fleet")]
use crate::store::BucketSettings;

/// The settings as they are given.
#[derive(Debug, Args)]
pub(crate) struct PlacesArguments {
    /// Where the clips are kept [default: the folder of RECEIVER_DATA], such as s3://bucket/prefix, with the usual AWS_* variables
    #[arg(long, env = "RECEIVER_CLIPS_URL", global = true, value_name = "URL")]
    clips_url: Option<OsString>,
}

/// The settings as they are used.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// A bucket for the clips.
    #[cfg(feature = "fleet")]
    pub(crate) clips: Option<BucketSettings>,
}

impl Places {
    /// # Errors
    /// The first setting that can't be used.
    #[cfg(feature = "fleet")]
    pub(super) fn new(arguments: &PlacesArguments) -> Result<Self, ConfigError> {
        let clips = given(arguments.clips_url.as_ref()).map(|url| {
            let url = url.to_string_lossy();
            BucketSettings::new(&url)
                .map_err(|reason| wrong("RECEIVER_CLIPS_URL", url.into_owned(), reason.to_string()))
        });
        Ok(Self {
            clips: clips.transpose()?,
        })
    }

    /// # Errors
    /// What this program was built without.
    #[cfg(not(feature = "fleet"))]
    pub(super) fn new(arguments: &PlacesArguments) -> Result<Self, ConfigError> {
        match super::given(arguments.clips_url.as_ref()) {
            None => Ok(Self::default()),
            Some(url) => Err(super::wrong(
                "RECEIVER_CLIPS_URL",
                url.to_string_lossy().into_owned(),
                "this sync-receiver was built without its feature `fleet`".to_string(),
            )),
        }
    }
}
