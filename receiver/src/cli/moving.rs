//! `sync-receiver move`: from a folder to a database and a bucket that many receivers share.

use std::ffi::OsString;

use super::say;
use crate::config::{Arguments, MoveCommand};
use crate::store::moving::{self, Destination};
use crate::store::{BucketSettings, DatabaseSettings};

pub(super) async fn run(command: &MoveCommand, arguments: &Arguments) -> Result<(), String> {
    let text = |url: &OsString| url.to_string_lossy().into_owned();
    let database = command.to_database.as_ref().map(text);
    let database = database.map(|url| DatabaseSettings::new(&url).map_err(|error| format!("--to-database: {error}")));
    let clips = command.to_clips.as_ref().map(text);
    let clips = clips.map(|url| BucketSettings::new(&url).map_err(|error| format!("--to-clips {url}: {error}")));
    let to = Destination {
        database: database.transpose()?,
        clips: clips.transpose()?,
    };
    let folder = arguments.data();
    let tell = |line: &str| {
        // Nobody may be reading it: that is no reason to stop.
        let _ = say(line);
    };
    moving::run(&folder, &to, &tell)
        .await
        .map_err(|error| format!("move: {error}"))?;
    say("moved: every clip was read back from its new place, and the tables have as many rows")?;
    let settings = [
        ("RECEIVER_DATABASE_URL", to.database.is_some()),
        ("RECEIVER_CLIPS_URL", to.clips.is_some()),
    ];
    let settings: Vec<&str> = settings
        .iter()
        .filter(|(_, moved)| *moved)
        .map(|(name, _)| *name)
        .collect();
    say(&format!(
        "Set {} and start the receivers. {} still has everything; remove it when you are content.",
        settings.join(" and "),
        folder.display()
    ))
}
