//! The recorder's clips that are certainly at the server, found and deleted: the one thing that is ever changed in its tables,
//! and only for an owner who asks for it. `sync/prune.rs` decides when and how much.

mod obstacle;
mod removal;
mod search;
mod tally;

use std::time::Duration;

use chrono::NaiveDateTime;

pub(crate) use removal::Removal;
pub(super) use search::Window;
pub(crate) use tally::Tally;

use super::error::{Context, DeviceError, Kind, Result};
use super::found::Found;
use super::scalar::unsigned;
use super::{Device, schema};
use crate::row::Scalar;

#[cfg(test)]
pub(super) use {
    removal::{DELETE, IS_CERTAIN},
    search::AFTER,
};

/// What the steps below are, in messages.
const PRUNING: &str = "élagage des médias";

/// A clip that is certainly at the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prunable {
    /// Its id.
    pub id: i64,
    /// Length of its video.
    pub bytes: u64,
    /// The server's id.
    pub remote_id: i64,
    /// Its date, as the recorder wrote it.
    pub date: Scalar,
    /// The moment of that date, if it can be read.
    pub recorded: Option<NaiveDateTime>,
    /// When it was sent, as `sync_tracking` has it.
    pub sync_date: String,
    /// The moment of that.
    pub sent: Option<NaiveDateTime>,
}

impl Device {
    /// The database of a service that ran here before; `None` where none has.
    ///
    /// # Errors
    /// It can't be read or written, or is not a recorder's.
    pub(crate) fn open_known(path: &std::path::Path) -> Result<Option<Self>> {
        let found = Found::open(path)?;
        if !schema::is_complete(found.connection()).context(path, "lecture du schéma")? {
            return Ok(None);
        }
        found.set_up().map(Some)
    }

    /// Why nothing may be deleted from this database, for people: somebody's trigger would run, or a table refer to nothing.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn prune_obstacle(&self) -> Result<Option<String>> {
        obstacle::find(&self.conn).context(&self.path, PRUNING)
    }

    /// The next clips above id `after` that are certainly at the server, lowest id first; of them those sent before `sent_before`, if that
    /// is given.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn prunable(&self, after: i64, sent_before: Option<NaiveDateTime>) -> Result<Window> {
        search::window(self, after, sent_before)
    }

    /// Deletes a clip for good, if it is still the row that was sent, in one transaction that is short since all it touches was read
    /// before. `pulse` is called between two short steps and tells whether to stop; `now` is Unix seconds.
    ///
    /// # Errors
    /// The database can't be read or written.
    pub(crate) fn prune(
        &mut self,
        clip: &Prunable,
        longest: Duration,
        now: i64,
        pulse: &mut dyn FnMut() -> bool,
    ) -> Result<Removal> {
        match removal::remove(self, clip, longest, now, pulse) {
            // Somebody deleted or changed it, or the card can't read it: it is not for us to touch.
            Err(DeviceError {
                kind: Kind::Vanished | Kind::Changed | Kind::Row,
                message,
            }) => {
                log::info!("media {} is left where it is: {message}", clip.id);
                Ok(Removal::Left)
            }
            result => result,
        }
    }

    /// Bytes that new rows can take: free on the disk, and in pages of the file that hold nothing.
    ///
    /// # Errors
    /// The database can't be read.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let number = |pragma: &str| {
            let read = self.conn.query_row(pragma, [], |row| row.get(0));
            read.map(unsigned).context(&self.path, PRUNING)
        };
        let (pages, page_bytes) = (number("PRAGMA freelist_count")?, number("PRAGMA page_size")?);
        let disk = rustix::fs::statvfs(&self.path).map_err(|error| {
            DeviceError::new(
                Kind::Transient,
                format!("Espace disque inconnu ({}: {error})", self.path.display()),
            )
        })?;
        let on_disk = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(on_disk.saturating_add(pages.saturating_mul(page_bytes)))
    }
}
