//! Whose clips a folder has: a file beside them says it.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::{FolderClips, Folders};
use crate::store::clips::Owned;
use crate::store::{Pending, StoreError, modes, sync_folder};

/// Clips that are looked at.
const LOOKED_AT: usize = 1_000;

/// More than any id has.
const ID_MOST_BYTES: u64 = 200;

impl Owned for FolderClips {
    fn owner(&self) -> Pending<'_, Option<String>> {
        self.run(|folders| folders.owner())
    }

    fn owner_place(&self) -> String {
        self.0.owner_path().display().to_string()
    }

    fn set_owner(&self, id: String) -> Pending<'_, ()> {
        self.run(move |folders| folders.set_owner(&id))
    }

    fn oldest(&self) -> Pending<'_, Vec<String>> {
        self.run(|folders| folders.oldest())
    }
}

impl Folders {
    pub(super) fn owner_path(&self) -> PathBuf {
        self.incoming.with_file_name("owner")
    }

    fn owner(&self) -> Result<Option<String>, StoreError> {
        let path = self.owner_path();
        let mut text = Vec::new();
        let read = fs::File::open(&path).and_then(|file| file.take(ID_MOST_BYTES).read_to_end(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => {
                read.map_err(StoreError::file(&path))?;
                Ok(Some(String::from_utf8_lossy(&text).trim().to_string()))
            }
        }
    }

    fn set_owner(&self, id: &str) -> Result<(), StoreError> {
        let path = self.owner_path();
        if path.exists() {
            return Ok(());
        }
        let new = path.with_extension("new");
        let written = || {
            let _ = fs::remove_file(&new);
            let mut file = modes::new_file(&new)?;
            writeln!(file, "{id}")?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        written().map_err(StoreError::file(&path))?;
        path.parent().map_or(Ok(()), sync_folder)
    }

    /// Any of them where there are many: a folder has no order.
    fn oldest(&self) -> Result<Vec<String>, StoreError> {
        let list = || {
            let clips = fs::read_dir(&self.clips)?.take(LOOKED_AT);
            let names = clips.map(|clip| Ok(clip?.file_name().to_string_lossy().into_owned()));
            names.collect::<io::Result<Vec<_>>>()
        };
        let mut names = list().map_err(StoreError::file(&self.clips))?;
        // What is marked may have no row yet. Marks are read last: one that went meanwhile went with the row there.
        let marks = self.list_incoming()?;
        let marked: HashSet<_> = marks.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        names.retain(|name| !marked.contains(name.as_str()));
        names.sort();
        Ok(names)
    }
}
