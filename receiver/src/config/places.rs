//! Where everything is kept.

use std::ffi::OsString;

use clap::Args;

use super::ConfigError;
#[cfg(feature = "fleet")]
use super::{given, wrong};
use crate::store::Places;
#[cfg(feature = "fleet")]
use crate::store::{BucketSettings, DatabaseSettings};

/// Below what a command is about.
pub(super) const PLACES: &str = "Where everything is kept";

/// The settings as they are given.
#[derive(Debug, Args)]
pub(crate) struct PlacesArguments {
    /// Where the rows are kept [default: SQLite in the folder of RECEIVER_DATA], such as postgres://user:password@host/database
    // Not shown by `--help`: it holds a password.
    #[arg(
        long,
        env = "RECEIVER_DATABASE_URL",
        hide_env_values = true,
        global = true,
        help_heading = PLACES,
        value_name = "URL"
    )]
    database_url: Option<OsString>,

    /// Where the clips are kept [default: the folder of RECEIVER_DATA], such as s3://bucket/prefix, with the usual AWS_* variables
    #[arg(long, env = "RECEIVER_CLIPS_URL", help_heading = PLACES, value_name = "URL")]
    clips_url: Option<OsString>,
}

/// # Errors
/// The first setting that can't be used.
#[cfg(feature = "fleet")]
pub(super) fn places(arguments: &PlacesArguments) -> Result<Places, ConfigError> {
    let database = given(arguments.database_url.as_ref()).map(|url| {
        // Never the URL: it holds a password.
        DatabaseSettings::new(&url.to_string_lossy())
            .map_err(|reason| wrong("RECEIVER_DATABASE_URL", "…".to_string(), reason.to_string()))
    });
    let clips = given(arguments.clips_url.as_ref()).map(|url| {
        let url = url.to_string_lossy();
        BucketSettings::new(&url).map_err(|reason| wrong("RECEIVER_CLIPS_URL", url.into_owned(), reason.to_string()))
    });
    Ok(Places {
        database: database.transpose()?,
        clips: clips.transpose()?,
    })
}

/// # Errors
/// What this program was built without.
#[cfg(not(feature = "fleet"))]
pub(super) fn places(arguments: &PlacesArguments) -> Result<Places, ConfigError> {
    let places = [
        ("RECEIVER_DATABASE_URL", &arguments.database_url),
        ("RECEIVER_CLIPS_URL", &arguments.clips_url),
    ];
    match places.iter().find(|(_, url)| super::given(url.as_ref()).is_some()) {
        None => Ok(Places::default()),
        Some((variable, _)) => Err(super::wrong(
            variable,
            "…".to_string(),
            "this sync-receiver was built without its feature `fleet`".to_string(),
        )),
    }
}
