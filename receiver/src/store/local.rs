//! SQLite and a folder: `receiver.db`, `clips/`, and `incoming/` for clips on their way.
//!
//! A clip is written to `incoming/`, synced, its row committed, and only then moved to `clips/`. After a crash, a file in
//! `incoming/` whose row is there is moved, any other is removed: no row is without its file, no file without its row.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::rows::{NewRow, Rows};
use super::{Clip, Key, Store, StoreError, Table};
use crate::answer::Stored;
use crate::event::Fields;

const WRITE_BUFFER: usize = 64 << 10;

/// Everything below one folder.
pub struct LocalStore {
    rows: Rows,
    incoming: PathBuf,
    clips: PathBuf,
}

/// A clip being written to `incoming/`.
pub struct LocalClip {
    file: Option<BufWriter<File>>,
    path: PathBuf,
    name: String,
    kept: bool,
}

fn trouble(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |error| StoreError(format!("{}: {error}", path.display()))
}

impl LocalStore {
    /// Opens a folder, makes what is missing, and ends what a crash left half done.
    ///
    /// # Errors
    /// The folder or the database can't be used.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let (incoming, clips) = (folder.join("incoming"), folder.join("clips"));
        for path in [&incoming, &clips] {
            fs::create_dir_all(path).map_err(trouble(path))?;
        }
        let (rows, reader) = Rows::open(&folder.join("receiver.db"))?;
        let store = Self { rows, incoming, clips };
        store.recover(&reader)?;
        Ok(store)
    }

    fn recover(&self, reader: &rusqlite::Connection) -> Result<(), StoreError> {
        for entry in fs::read_dir(&self.incoming).map_err(trouble(&self.incoming))? {
            let path = entry.map_err(trouble(&self.incoming))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let known: Option<i64> = reader
                .query_row("SELECT id FROM media WHERE file = ?1", [&name], |row| row.get(0))
                .optional()
                .map_err(|error| StoreError(format!("database: {error}")))?;
            match known {
                Some(_) => fs::rename(&path, self.clips.join(&name)).map_err(trouble(&path))?,
                None => fs::remove_file(&path).map_err(trouble(&path))?,
            }
        }
        Ok(())
    }
}

impl Store for LocalStore {
    type Clip = LocalClip;

    async fn answered(&self, table: Table, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.rows.answered(table, key.clone()).await
    }

    async fn add_event(&self, fields: Fields, key: Option<Key>) -> Result<Stored, StoreError> {
        let row = NewRow {
            fields,
            key,
            file: None,
        };
        Ok(self.rows.add(row).await?.answer)
    }

    fn begin_clip(&self) -> Result<LocalClip, StoreError> {
        let name = format!("{}.mp4", Uuid::new_v4());
        let path = self.incoming.join(&name);
        let file = File::create_new(&path).map_err(trouble(&path))?;
        Ok(LocalClip {
            file: Some(BufWriter::with_capacity(WRITE_BUFFER, file)),
            path,
            name,
            kept: false,
        })
    }

    async fn add_media(
        &self,
        fields: Fields,
        clip: LocalClip,
        bytes: u64,
        key: Option<Key>,
    ) -> Result<Stored, StoreError> {
        let incoming = self.incoming.clone();
        let mut clip = tokio::task::spawn_blocking(move || clip.sync(&incoming))
            .await
            .map_err(|error| StoreError(error.to_string()))??;
        let row = NewRow {
            fields,
            key,
            file: Some((clip.name.clone(), bytes)),
        };
        let added = self.rows.add(row).await?;
        if added.is_new {
            // From here on the file is the row's, also if the move fails: the next start makes up for it.
            clip.kept = true;
            let (from, to) = (clip.path.clone(), self.clips.join(&clip.name));
            fs::rename(&from, &to).map_err(trouble(&from))?;
        }
        Ok(added.answer)
    }

    async fn healthy(&self) -> Result<(), StoreError> {
        self.rows.check().await
    }
}

impl LocalClip {
    /// Makes the file durable before a row names it.
    fn sync(mut self, folder: &Path) -> Result<Self, StoreError> {
        if let Some(file) = self.file.take() {
            let path = self.path.clone();
            let file = file.into_inner().map_err(|error| trouble(&path)(error.into_error()))?;
            file.sync_all().map_err(trouble(&path))?;
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(trouble(&path))?;
        }
        Ok(self)
    }
}

impl Clip for LocalClip {}

impl Write for LocalClip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("the clip is closed")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for LocalClip {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("{}: {error}", self.path.display());
        }
    }
}
