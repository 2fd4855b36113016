//! A folder's own word on having been moved: no receiver starts on half of what there is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::store::{StoreError, modes, sync_folder};

/// What the file says, a word and its value on each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Marker {
    /// Of the folder, so that two are never moved into one.
    pub(super) id: String,
    pub(super) is_finished: bool,
    pub(super) database: Option<String>,
    pub(super) clips: Option<String>,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("moved")
}

impl Marker {
    pub(in crate::store) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = path(folder);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(StoreError::file(&path))?,
        };
        let value = |word: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines
                .find(|(first, _)| *first == word)
                .map(|(_, value)| value.to_string())
        };
        Ok(Some(Self {
            id: value("id").unwrap_or_default(),
            is_finished: value("state").as_deref() == Some("finished"),
            database: value("database"),
            clips: value("clips"),
        }))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let path = path(folder);
        let state = if self.is_finished { "finished" } else { "unfinished" };
        let mut text = format!("id {}\nstate {state}\n", self.id);
        for (word, value) in [("database", &self.database), ("clips", &self.clips)] {
            if let Some(value) = value {
                text += &format!("{word} {value}\n");
            }
        }
        let new = path.with_extension("new");
        let written = || {
            let _ = fs::remove_file(&new);
            let mut file = modes::new_file(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        written().map_err(StoreError::file(&path))?;
        sync_folder(folder)
    }

    /// Why a receiver with these settings must not use the folder's database; `None` when it may.
    pub(in crate::store) fn objection(&self, folder: &Path, has_bucket: bool) -> Option<String> {
        let file = path(folder);
        let file = file.display();
        let to: Vec<&str> = [&self.database, &self.clips]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let to = to.join(" and ");
        if !self.is_finished {
            return Some(format!(
                "it is being moved to {to}: run the same `sync-receiver move` again, or remove {file} to go back"
            ));
        }
        if let Some(database) = &self.database {
            return Some(format!(
                "it was moved to {database}: set RECEIVER_DATABASE_URL; removing {file} goes back to what there was before"
            ));
        }
        match &self.clips {
            Some(clips) if !has_bucket => Some(format!("its clips were moved to {clips}: set RECEIVER_CLIPS_URL")),
            _ => None,
        }
    }
}
